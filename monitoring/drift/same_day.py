"""The day of last school year that was as far into its term as tonight, counted in school days.

Features of the term so far are shares of its school days: of eleven 1/11, 2/11 and so on, of sixteen 1/16,
2/16. A few days too early or too late, and in the first weeks of a term a whole band of pupils stands in
another bin of the histogram, in a county of any size, though nobody was absent more or less. A term begins up
to four weeks earlier or later than the year before, so the week of the year does not tell.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risk_model.timeline.school_days import TERM_GAP_DAYS

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

YEAR = timedelta(days=364)
"""Fifty-two weeks: the same weekday of the same week."""
MOVED = timedelta(days=28)
"""So much earlier or later a term may lie than the year before."""
LONGEST = timedelta(days=200)
"""A term, and the holiday before it."""

Days = NDArray[np.datetime64]


def same_school_day(lake: Lake, day: date) -> date | None:
    """The school day a year before ``day`` with as many school days of its term behind it.

    None if either term's beginning is not known, or there is no such day within :data:`MOVED` of a year ago.
    """
    lake.known_on(day)
    here = into_term(school_days(lake, day - LONGEST, day))
    then = day - YEAR
    found = into_term(school_days(lake, then - MOVED - LONGEST, then + MOVED))
    if not here:
        return None
    behind = here[max(here)]
    near = [one for one, count in found.items() if count == behind and abs(one - then) <= MOVED]
    return min(near, key=lambda one: abs(one - then), default=None)


def into_term(days: Days) -> dict[date, int]:
    """Each school day with its number in its term, 1, 2, …; a term whose beginning is not seen is left out.

    >>> days = np.array(["2026-01-16", "2026-03-02", "2026-03-03"], dtype="datetime64[D]")
    >>> list(into_term(days).values())
    [1, 2]
    """
    begins = np.flatnonzero(np.diff(days) > np.timedelta64(TERM_GAP_DAYS, "D")) + 1
    if len(begins) == 0:
        return {}
    seen = np.arange(begins[0], len(days))
    number = seen - begins[np.searchsorted(begins, seen, "right") - 1] + 1
    return dict(zip(days[seen].astype(object).tolist(), number.tolist(), strict=True))


def school_days(lake: Lake, first: date, last: date) -> Days:
    """Days on which most had school, ascending: by the calendar, else by half of a usual day's marks."""
    asked: dict[str, Any] = {"first": first, "last": last}
    told = lake.con.execute(_CALENDAR, asked).fetchnumpy()["day"]
    if not len(told):
        told = lake.con.execute(_MARKED, asked).fetchnumpy()["day"]
    return np.asarray(told).astype("datetime64[D]")


_CALENDAR = """
select day from known.calendar where day between $first and $last
group by day having avg(school_day::int) >= 0.5 order by day
"""

_MARKED = """
with counted as (
    select day, count(*) as marks from known.attendance where day between $first and $last group by day)
select day from counted where 2 * marks >= (select quantile_disc(marks, 0.75) from counted) order by day
"""
