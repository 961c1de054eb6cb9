"""Lists that are others overnight wait until somebody has looked; lists that go on, or are few, do not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from risk_model.home import Home
from risk_model.quality import Turnover, judge_churn
from risk_model.settings import QualitySettings, Settings
from serving import publication
from serving.database import open_database
from serving.tables import PUBLISHED
from tests.databases import each_database  # noqa: F401
from tests.made_up_runs import made_up_run, run_key

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
RULES = QualitySettings()
LISTED = publication.COLUMNS.index("listed")


@pytest.fixture
def engine(tmp_path, database):
    with open_database(Home(tmp_path), Settings(database_url=database)) as engine:
        yield engine


def with_lists(rows, places):
    """The rows with so many of each school listed, from the place on."""
    at: dict[str, int] = {}
    for row in rows:
        place = at[row[0]] = at.get(row[0], -1) + 1
        yield (*row[:LISTED], place in places, *row[LISTED + 1 :])


def published(engine, day: date, number: int, places: range) -> int:
    rows, entries = made_up_run(6, 12)
    rows = [*with_lists(rows, places)]
    run = publication.begin(engine, run_key(day, number), -3.0, ("absence_14",))
    publication.stage(engine, run, rows, entries)
    with engine.begin() as connection:
        publication.finish(connection, run, PUBLISHED, {})
    return run


def test_of_the_pupils_listed_then_those_listed_now_are_counted_by_county(engine):
    first = published(engine, MONDAY, 1, range(4))
    with engine.begin() as connection:
        publication.publish(connection, first)
    second = published(engine, TUESDAY, 2, range(3, 7))
    with engine.connect() as connection:
        told = publication.turnovers(connection, second)
        ranked = publication.pupils_by_school(connection, second)
    assert {school for county in told for school in county.schools} == set(ranked)
    assert {county.as_of for county in told} == {MONDAY}
    assert sum(county.stayed for county in told) <= 6
    assert sum(county.listed for county in told) > 18


def turned(listed: int, stayed: int, days: int = 1) -> dict[str, str]:
    county = Turnover("K", TUESDAY - timedelta(days), listed, stayed, ("A", "B"))
    return judge_churn([county], TUESDAY, RULES)


def test_a_county_whose_list_is_another_overnight_is_held_back_with_all_its_schools():
    assert set(turned(100, 39)) == {"A", "B"}
    assert "61% of the 100 pupils" in turned(100, 39)["A"]
    assert "--force" in turned(100, 39)["A"]


@pytest.mark.parametrize(
    ("listed", "stayed", "days"), [(100, 40, 1), (49, 0, 1), (100, 0, 8)], ids=["stays", "few", "weeks"]
)
def test_a_list_that_goes_on_is_short_or_old_is_let_through(listed, stayed, days):
    assert turned(listed, stayed, days) == {}
