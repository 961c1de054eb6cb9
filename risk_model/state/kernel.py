"""Months laid out over the days of a diary, compiled by numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.compiling import compiled


@compiled
def spread(
    marks: NDArray[np.uint8],
    rows: NDArray[np.int32],
    pupil: Any,
    first: Any,
    months: Any,
    unsettled: NDArray[np.bool_],
) -> None:
    """Write ``months`` (n, 31) into ``marks`` (pupils asked for, days).

    ``pupil`` (n,) is the number of each in the state, ``rows`` (pupils of the state,) the row in ``marks``
    of each number, −1 for pupils not asked for. ``first`` (n,) is the column of a month's first day, which
    may lie before the diary begins; days outside are left out. The days a short month has not are zeros.
    ``unsettled`` (pupils asked for,) is set where two numbers of one row say different things of a day.
    """
    days = marks.shape[1]
    for one in range(len(pupil)):
        row = rows[pupil[one]]
        if row < 0:
            continue
        for at in range(max(0, -first[one]), min(months.shape[1], days - first[one])):
            told = months[one, at]
            if told:
                before = marks[row, first[one] + at]
                if before and before != told:
                    unsettled[row] = True
                marks[row, first[one] + at] = told
