"""Tonight stands beside the day of last year that was as far into its term, whenever that term began."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from monitoring.drift.profile import of_array
from monitoring.drift.same_day import MOVED, YEAR, same_school_day
from monitoring.drift.sizes import psi
from risk_model.settings import MonitoringSettings
from tests.small_county import SmallCounty, weekdays

SPRINGS = {2025: date(2025, 2, 10), 2026: date(2026, 3, 2)}
"""First school days: three weeks later this year."""
PUPILS = ("p1", "p2", "p3", "p4")


class KnownLake:
    """A lake of so few rows that it needs no files."""

    def __init__(self, county: SmallCounty):
        self.county = county

    def known_on(self, day: date) -> None:
        self.con = self.county.known_on(day)


def two_years(*, calendar: bool, holiday: tuple[date, ...] = ()) -> KnownLake:
    county = SmallCounty()
    county.school("A")
    county.enrol(*PUPILS, since=date(2024, 9, 2))
    days = []
    for year, begins in SPRINGS.items():
        days += weekdays(date(year - 1, 9, 2), date(year, 1, 10)) + weekdays(begins, date(year, 6, 30))
    days = [day for day in days if day not in holiday]
    if calendar:
        county.calendar(days, county_id="C1")
        county.calendar([date(2026, 3, 7)], school_day=False, county_id="C1")
    else:
        county.marks(PUPILS, days)
        county.marks(PUPILS[1:], weekdays(date(2026, 1, 20), date(2026, 1, 21)), None)
        county.marks(PUPILS[:1], [date(2025, 3, 1), date(2025, 3, 2)])  # one pupil on a weekend
    return KnownLake(county)


@pytest.mark.parametrize("calendar", [True, False], ids=["calendar", "marks"])
def test_the_thirteenth_day_of_a_term_stands_beside_the_thirteenth(calendar: bool):
    lake = two_years(calendar=calendar)
    tonight = date(2026, 3, 18)
    assert same_school_day(lake, tonight) == date(2025, 2, 26)
    assert tonight - YEAR == date(2025, 3, 19), "which was the twenty-eighth"


@pytest.mark.parametrize("calendar", [True, False], ids=["calendar", "marks"])
def test_a_holiday_in_between_is_counted_out(calendar: bool):
    lake = two_years(calendar=calendar, holiday=(date(2025, 2, 24), date(2025, 2, 25)))
    assert same_school_day(lake, date(2026, 3, 18)) == date(2025, 2, 28)


def test_a_saturday_stands_beside_the_friday_before_it():
    assert same_school_day(two_years(calendar=True), date(2026, 3, 21)) == date(2025, 2, 28)


def test_without_a_term_begun_in_sight_or_a_year_ago_nothing_is_the_same_day():
    lake = two_years(calendar=True)
    assert same_school_day(lake, date(2025, 3, 19)) is None, "a year ago nobody kept a register"
    assert same_school_day(lake, date(2027, 3, 18)) is None, "nor this year"
    far = two_years(calendar=True, holiday=tuple(weekdays(SPRINGS[2025], date(2025, 4, 20))))
    assert same_school_day(far, date(2026, 3, 18)) is None, f"its thirteenth day is more than {MOVED} off"


def test_the_same_absences_over_more_school_days_look_like_drift_and_on_the_same_day_do_not():
    """Why: one absence in a hundred school days, of forty thousand pupils; no chance is that large."""
    dice = np.random.default_rng(1)

    def so_far(days: int) -> np.ndarray:
        return dice.binomial(days, 0.01, 40_000) / days

    reference, bound = of_array(so_far(28)), MonitoringSettings().psi
    assert psi(reference.counts, of_array(so_far(13), reference.edges).counts) > 2 * bound
    assert psi(reference.counts, of_array(so_far(28), reference.edges).counts) < bound / 20
