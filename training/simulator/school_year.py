"""School years of a Chinese county: terms around the Spring Festival, holidays, and the weeks between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

_SPRING_FESTIVAL = {
    year: date(year, month, day)
    for year, month, day in (
        (2010, 2, 14), (2011, 2, 3), (2012, 1, 23), (2013, 2, 10), (2014, 1, 31), (2015, 2, 19), (2016, 2, 8),
        (2017, 1, 28), (2018, 2, 16), (2019, 2, 5), (2020, 1, 25), (2021, 2, 12), (2022, 2, 1), (2023, 1, 22),
        (2024, 2, 10), (2025, 1, 29), (2026, 2, 17), (2027, 2, 6), (2028, 1, 26), (2029, 2, 13), (2030, 2, 3),
        (2031, 1, 23), (2032, 2, 11), (2033, 1, 31), (2034, 2, 19), (2035, 2, 8), (2036, 1, 28),
    )
}  # fmt: skip
EARLIEST = date(2010, 9, 1)
LATEST = date(2035, 8, 31)


@dataclass(frozen=True)
class SchoolYear:
    """One school year with the summer that leads to it.

    Its weeks run from the first full week of the summer before to the week of its last school day.
    """

    index: int
    start_year: int
    days: np.ndarray
    """Its school days, datetime64[D], ascending."""
    mondays: np.ndarray
    """Mondays of its weeks, datetime64[D]."""

    @property
    def first_day(self) -> np.datetime64:
        """1 September, the day its spells start."""
        return np.datetime64(f"{self.start_year}-09-01", "D")

    @property
    def last_day(self) -> np.datetime64:
        return self.days[-1]

    @cached_property
    def second_term(self) -> int:
        """Index in ``days`` of the second term's first day."""
        return int(np.argmax(np.diff(self.days).astype(int))) + 1

    @property
    def term(self) -> np.ndarray:
        """1 or 2 for each of ``days``."""
        return np.where(np.arange(len(self.days)) < self.second_term, 1, 2)

    @cached_property
    def bounds(self) -> np.ndarray:
        """First and past-the-last index in ``days`` of every week, shape (weeks, 2)."""
        return np.stack(
            [np.searchsorted(self.days, self.mondays), np.searchsorted(self.days, self.mondays + 7)], axis=1
        )

    @cached_property
    def week_of_day(self) -> np.ndarray:
        """Index in ``mondays`` for each of ``days``."""
        return np.searchsorted(self.mondays, self.days, side="right") - 1

    def starts_term(self, week: int) -> int:
        """1 or 2 if term 1 or 2 starts in this week, else 0."""
        first, past = self.bounds[week]
        if first <= 0 < past:
            return 1
        return 2 if first <= self.second_term < past else 0


def spring_festival(year: int) -> date:
    """The first day of the lunar year; known from 2010 to 2036."""
    return _SPRING_FESTIVAL[year]


def school_years(count: int, until: date) -> tuple[SchoolYear, ...]:
    """The ``count`` school years ending with the one of ``until``, and the beginning of the next."""
    last = until.year if until >= date(until.year, 9, 1) else until.year - 1
    first = last - count + 1
    ends = None
    years = []
    for index, start in enumerate(range(first, last + 2)):
        days = _school_days(start)
        years.append(SchoolYear(index, start, days, _mondays(ends, days)))
        ends = days[-1]
    return tuple(years)


def _mondays(previous_end: np.datetime64 | None, days: np.ndarray) -> np.ndarray:
    begin = days[0] if previous_end is None else previous_end + 7
    return np.arange(_monday(begin), _monday(days[-1]) + 1, 7)


def _monday(day: np.datetime64) -> np.datetime64:
    return day - (day.astype(int) + 3) % 7


def _school_days(start: int) -> np.ndarray:
    festival = np.datetime64(spring_festival(start + 1), "D")
    autumn = np.arange(np.datetime64(f"{start}-09-01", "D"), _monday(festival - 18))
    spring = np.arange(_monday(festival + 18), np.datetime64(f"{start + 1}-07-11", "D"))
    days = np.concatenate([autumn, spring])
    weekday = (days.astype(int) + 3) % 7
    return days[(weekday < 5) & ~np.isin(days, _holidays(start))]


def _holidays(start: int) -> np.ndarray:
    """National Day week, New Year, Qingming, Labour Day and the Dragon Boat festival of a school year."""
    dragon_boat = spring_festival(start + 1) + timedelta(days=123)
    spans = [
        (f"{start}-10-01", 7), (f"{start + 1}-01-01", 1), (f"{start + 1}-04-04", 3),
        (f"{start + 1}-05-01", 5), (dragon_boat.isoformat(), 1),
    ]  # fmt: skip
    return np.concatenate([np.datetime64(day, "D") + np.arange(length) for day, length in spans])
