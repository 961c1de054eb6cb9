"""Walks through the diaries, compiled by numba; what they count is said where they are called."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.compiling import compiled
from risk_model.timeline.codes import CODE, COMPLETE, NOT_KEPT

UNEXCUSED, PRESENT = CODE["absent_unexcused"], CODE["present"]


@compiled
def count_class_marks(
    marks: NDArray[np.uint8], begin: Any, first: Any, last: Any, class_no: Any, classes: int
) -> NDArray[np.int32]:
    """(classes, days) pupils with a mark, each under the class of the day."""
    counted = np.zeros((classes, marks.shape[1]), dtype=np.int32)
    for pupil in range(len(begin) - 1):
        for stay in range(begin[pupil], begin[pupil + 1]):
            for day in range(first[stay], last[stay] + 1):
                if marks[pupil, day]:
                    counted[class_no[stay], day] += 1
    return counted


@compiled
def count_school_marks(
    marks: NDArray[np.uint8],
    kept: NDArray[np.uint8],
    begin: Any,
    first: Any,
    last: Any,
    class_no: Any,
    school_of_class: NDArray[np.int32],
    schools: int,
    since: int,
    codes: int,
) -> NDArray[np.int32]:
    """(schools, days from column ``since`` on, codes) pupils with each mark on days their class kept."""
    counted = np.zeros((schools, marks.shape[1] - since, codes), dtype=np.int32)
    for pupil in range(len(begin) - 1):
        for stay in range(begin[pupil], begin[pupil + 1]):
            of_class, school = kept[class_no[stay]], school_of_class[class_no[stay]]
            for day in range(max(first[stay], since), last[stay] + 1):
                what = of_class[day]
                if what != NOT_KEPT:
                    counted[school, day - since, told(marks[pupil, day], what)] += 1
    counted[:, :, 0] = 0
    return counted


@compiled
def told(mark: int, what: int) -> int:
    """The mark of a kept day: an unmarked pupil was present where the headcount was complete."""
    if mark == 0 and what == COMPLETE:
        return PRESENT
    return mark


@compiled
def unexcused_streaks(
    marks: NDArray[np.uint8], kept: NDArray[np.uint8], begin: Any, first: Any, last: Any, class_no: Any
) -> NDArray[np.int32]:
    """(pupils,) unexcused kept days up to the last other mark; unmarked days neither break nor count."""
    streaks = np.zeros(len(begin) - 1, dtype=np.int32)
    for pupil in range(len(begin) - 1):
        streaks[pupil] = _streak(marks[pupil], kept, begin[pupil], begin[pupil + 1], first, last, class_no)
    return streaks


@compiled
def _streak(
    diary: NDArray[np.uint8],
    kept: NDArray[np.uint8],
    start: int,
    end: int,
    first: Any,
    last: Any,
    class_no: Any,
) -> int:
    count = 0
    for stay in range(end - 1, start - 1, -1):
        for day in range(last[stay], first[stay] - 1, -1):
            what = kept[class_no[stay], day]
            if what == NOT_KEPT:
                continue
            mark = told(diary[day], what)
            if mark == UNEXCUSED:
                count += 1
            elif mark:
                return count
    return count
