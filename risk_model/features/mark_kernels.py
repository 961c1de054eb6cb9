"""The walk through each scored pupil's diary for ``mark_counts``, compiled by numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.compiling import compiled
from risk_model.features.mark_columns import ABSENT, MARKS, NULL, PATTERNS, STREAKS, WINDOWS
from risk_model.timeline.codes import NOT_KEPT
from risk_model.timeline.diary_kernels import told

TERM, ALL = WINDOWS.index("term"), WINDOWS.index("all")
REACHES = 6
"""Stretches of days, narrowest window first: 7, 14, 30, 60, 90 school days, and earlier in the term."""
UNMARKED, PRESENT, LATE = (MARKS.index(mark) for mark in ("unmarked", "present", "late"))
FIRST_ABSENT, UNEXCUSED = MARKS.index(ABSENT[0]), MARKS.index("absent_unexcused")
LONGEST, CURRENT, LONGEST_U, CURRENT_U, SINCE, EPISODES = range(len(STREAKS))
SIZES = (len(MARKS), len(WINDOWS), len(STREAKS), len(PATTERNS))


@compiled
def walk(
    marks: NDArray[np.uint8],
    kept: NDArray[np.uint8],
    begin: Any,
    first: Any,
    last: Any,
    class_no: Any,
    pupils: NDArray[np.int32],
    schools: NDArray[np.int32],
    starts: NDArray[np.int32],
    after_holiday: NDArray[np.bool_],
    beside_weekend: NDArray[np.bool_],
    column: NDArray[np.uint8],
) -> Any:
    """Counts (n, marks, windows), streaks (n, 6) and patterns (n, 3) of ``pupils``.

    ``starts`` (schools, 6) are the first days of the five windows and of the term, as columns of ``marks``;
    ``column`` is the place among ``MARKS`` of each byte.
    """
    n = len(pupils)
    counts = np.zeros((n, SIZES[0], SIZES[1]), dtype=np.int16)
    streaks = np.full((n, SIZES[2]), NULL, dtype=np.int16)
    patterns = np.zeros((n, SIZES[3]), dtype=np.int16)
    for row in range(n):
        pupil, school = pupils[row], schools[row]
        by_reach = np.zeros((SIZES[0], REACHES), dtype=np.int16)
        run = np.zeros(SIZES[2], dtype=np.int16)
        seen_told, seen_any = False, False
        for stay in range(begin[pupil], begin[pupil + 1]):
            for day in range(max(first[stay], min(starts[school, 4], starts[school, 5])), last[stay] + 1):
                what = kept[class_no[stay], day]
                if what == NOT_KEPT:
                    continue
                mark = column[told(marks[pupil, day], what)]
                reach = _reach(day, starts[school])
                by_reach[mark, reach] += 1
                if day >= starts[school, 5]:
                    counts[row, mark, TERM] += 1
                if reach == REACHES - 1:
                    continue
                seen_any = True
                seen_told = seen_told or mark != UNMARKED
                _step(run, mark)
                if mark >= FIRST_ABSENT:
                    patterns[row, 0] += 1
                    patterns[row, 1] += beside_weekend[day]
                    patterns[row, 2] += after_holiday[school, day]
        _add_up(by_reach, counts[row])
        if seen_told:
            streaks[row] = run
        streaks[row, SINCE] = run[SINCE] if seen_any else NULL
    return counts, streaks, patterns


@compiled
def _reach(day: int, starts: NDArray[np.int32]) -> int:
    for reach in range(REACHES - 1):
        if day >= starts[reach]:
            return reach
    return REACHES - 1


@compiled
def _step(run: NDArray[np.int16], mark: int) -> None:
    """One day more: a day without a mark neither breaks a streak nor counts, but nobody was seen on it."""
    run[SINCE] = 0 if mark in (PRESENT, LATE) else run[SINCE] + 1
    if mark == UNMARKED:
        return
    if mark >= FIRST_ABSENT:
        run[EPISODES] += run[CURRENT] == 0
        run[CURRENT] += 1
        run[LONGEST] = max(run[LONGEST], run[CURRENT])
    else:
        run[CURRENT] = 0
    if mark == UNEXCUSED:
        run[CURRENT_U] += 1
        run[LONGEST_U] = max(run[LONGEST_U], run[CURRENT_U])
    else:
        run[CURRENT_U] = 0


@compiled
def _add_up(by_reach: NDArray[np.int16], counts: NDArray[np.int16]) -> None:
    """Windows from the stretches they are made of."""
    for mark in range(SIZES[0]):
        total = 0
        for reach in range(REACHES):
            total += by_reach[mark, reach]
            counts[mark, ALL if reach == REACHES - 1 else reach] = total
        counts[mark, 3] = by_reach[mark, 3]
