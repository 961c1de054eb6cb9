"""Walks over exams, compiled by numba; see :mod:`risk_model.features.exam_terms`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.compiling import compiled
from risk_model.features.exam_columns import COLUMNS, CORE, FAILED, MISSED, SAT

N_SAT, N_MISSED, N_FAILED, SAT_CORE, FAILED_CORE, HUNDREDTHS, N, N_CORE, Z, Z_CORE = range(len(COLUMNS))
MILLIONTHS = 1e6


@compiled
def cells_of_exams(
    pupil: Any,
    day: Any,
    subject: Any,
    half: Any,
    begin: Any,
    from_day: Any,
    grade: Any,
    county: Any,
    subjects: int,
    halves: int,
    grades: int,
) -> NDArray[np.int32]:
    """(n,) the cell of county, grade, subject and half-year of each exam; −1 before the first spell."""
    found = np.full(len(pupil), -1, dtype=np.int32)
    for row in range(len(pupil)):
        spell = begin[pupil[row] + 1] - 1
        while spell >= begin[pupil[row]] and from_day[spell] > day[row]:
            spell -= 1
        if spell >= begin[pupil[row]]:
            at = (county[spell] * grades + grade[spell]) * subjects + subject[row]
            found[row] = at * halves + half[row]
    return found


@compiled
def terms_of_pupils(
    pupil: Any,
    half: Any,
    what: Any,
    hundredths: Any,
    cell: NDArray[np.int32],
    n: Any,
    total: Any,
    spread: NDArray[np.float64],
    pupils: Any,
) -> Any:
    """Place among ``pupils``, half-year and sums (rows, COLUMNS) of the terms, a pupil's latest first."""
    halves = 1 + (half.max() if len(half) else 0)
    place = np.full(
        1 + max(pupil.max() if len(pupil) else 0, pupils.max() if len(pupils) else 0), -1, dtype=np.int64
    )
    place[pupils] = np.arange(len(pupils))
    sums = np.zeros((len(pupils), halves, len(COLUMNS)), dtype=np.int64)
    for row in range(len(pupil)):
        if place[pupil[row]] >= 0:
            at = cell[row]
            known = at >= 0 and spread[at] > 0
            z = _scored(n[at] * hundredths[row] - total[at], spread[at]) if known else 0
            _add(sums[place[pupil[row]], half[row]], what[row], hundredths[row], known, z)
    told = np.zeros((len(pupils), halves), dtype=np.bool_)
    for one in range(len(pupils)):
        for at in range(halves):
            told[one, at] = sums[one, at, N_SAT] + sums[one, at, N_MISSED] > 0
    return _latest_first(sums, told)


@compiled
def _scored(distance: int, spread: float) -> int:
    """Whole millionths of a standard deviation, halves away from zero as in SQL."""
    z = MILLIONTHS * distance / spread
    whole = np.trunc(z)
    if abs(z - whole) >= 0.5:
        whole += np.sign(z)
    return int(whole)


@compiled
def _add(sums: NDArray[np.int64], what: int, hundredths: int, known: bool, z: int) -> None:
    sums[N_MISSED] += (what & MISSED) > 0
    if not what & SAT:
        return
    core, failed = (what & CORE) > 0, (what & FAILED) > 0
    sums[N_SAT] += 1
    sums[N_FAILED] += failed
    sums[SAT_CORE] += core
    sums[FAILED_CORE] += core and failed
    sums[HUNDREDTHS] += hundredths
    if known:
        sums[N] += 1
        sums[N_CORE] += core
        sums[Z] += z
        sums[Z_CORE] += z if core else 0


@compiled
def _latest_first(sums: NDArray[np.int64], told: NDArray[np.bool_]) -> Any:
    rows = told.sum()
    places, halves = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    kept = np.empty((rows, sums.shape[2]), dtype=np.int64)
    row = 0
    for one in range(len(sums)):
        for at in range(told.shape[1] - 1, -1, -1):
            if told[one, at]:
                places[row], halves[row], kept[row] = one, at, sums[one, at]
                row += 1
    return places, halves, kept
