"""The walk over a pupil's contributions, compiled by numba; see :mod:`risk_model.explanation.reasons`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.compiling import compiled


@compiled
def choose(
    contributions: NDArray[np.float64],
    values: NDArray[np.float64],
    groups: Any,
    families: Any,
    of_marks: NDArray[np.bool_],
    count: int,
    depth: int,
    per_family: int,
) -> NDArray[np.intp]:
    """Columns (pupils, count) of each pupil's reasons, strongest first, equals in the order of the columns.

    ``contributions`` and ``values`` are (pupils, features); of each feature ``groups`` and ``families``
    (features,) are numbers from 0 on. Of a feature ``of_marks`` whose value is null all are one group. At
    most ``depth`` columns are looked at, at most one of a group and ``per_family`` of a family are chosen.
    """
    pupils, width = contributions.shape
    unmarked = groups.max() + 1
    chosen = np.full((pupils, count), -1, dtype=np.intp)
    seen = np.zeros(width, dtype=np.bool_)
    said = np.zeros(unmarked + 1, dtype=np.bool_)
    told = np.zeros(families.max() + 1, dtype=np.int64)
    for pupil in range(pupils):
        seen[:], said[:], told[:] = False, False, 0
        filled = 0
        for _ in range(depth):
            column = _next(contributions[pupil], seen)
            if column < 0 or filled == count:
                break
            seen[column] = True
            unknown = of_marks[column] and np.isnan(values[pupil, column])
            group = unmarked if unknown else groups[column]
            if not said[group] and told[families[column]] < per_family:
                said[group] = True
                told[families[column]] += 1
                chosen[pupil, filled] = column
                filled += 1
    return chosen


@compiled
def _next(contributions: NDArray[np.float64], seen: NDArray[np.bool_]) -> int:
    """The first of the largest positive ones not yet seen; −1: there is none."""
    found, largest = -1, 0.0
    for column in range(len(contributions)):
        if contributions[column] > largest and not seen[column]:
            found, largest = column, contributions[column]
    return found
