"""What ``mark_counts`` counts: a column for each mark and window, streaks and patterns."""

from __future__ import annotations

SPANS = (7, 14, 30, 60, 90)
"""School days looked back on; 60 only to set the last 30 against the 30 before."""
WINDOWS = ("7", "14", "30", "before_30", "90", "term", "all")
"""``before_30``: the 30 school days before the last 30; ``all``: the last 90 and the whole term."""
ABSENT = ("absent_sick", "absent_leave", "absent_unexcused")
COUNTED = ("present", "late", *ABSENT)
"""Marks that tell whether the pupil was there; shares are shares of days with one of them."""
MARKS = ("unmarked", "other", *COUNTED)
"""``other`` tells neither presence nor absence (home taught): it is a kept register all the same."""
STREAKS = (
    "absence_longest",
    "absence_current",
    "unexcused_longest",
    "unexcused_current",
    "days_since_present",
    "absence_episodes",
)
"""Over the last 90 school days, in days, the episodes in number; null where nothing is told."""
PATTERNS = ("absences", "beside_weekend", "after_holiday")
"""Absences of the last 90 school days: all, on a Monday or Friday, on the first day after a holiday."""
NULL = -1
"""Of a streak that nothing is known of."""


def days(window: str, *marks: str) -> str:
    """SQL: on how many days of the window the pupil has one of the marks.

    >>> days("30", "present", "late")
    '(present_30 + late_30)'
    """
    return "(" + " + ".join(f"{mark}_{window}" for mark in marks) + ")"
