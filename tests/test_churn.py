"""Lists that are others overnight wait, and nobody comes and goes at the edge if that is asked for."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from risk_model.home import Home
from risk_model.quality import Turnover, judge_churn
from risk_model.ranking import rank
from risk_model.settings import ListSettings, QualitySettings, Settings
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


def class_of(risks: list[float]) -> pd.DataFrame:
    """One school of 40 pupils, two of whom its staff can look at."""
    names = [f"P{number}" for number in range(40)]
    risk = [*risks, *[0.02] * (40 - len(risks))]
    return pd.DataFrame(
        {"student_id": names, "county_id": "K", "school_id": "A", "class_key": "A:7A", "risk": risk}
    )


@pytest.mark.parametrize(("margin", "listed"), [(0.0, {"P0", "P1"}), (0.5, {"P0", "P1", "P2"})])
def test_who_was_listed_stays_until_ranked_well_beyond_the_edge(margin, listed):
    pupils = class_of([0.5, 0.4, 0.39, 0.38])
    rules = ListSettings(stay_margin=margin)
    told = rank(pupils, rules, {"P2", "P3", "gone"})
    assert set(pupils["student_id"][told["listed"]]) == listed
    assert told["rank"].tolist()[:4] == [1, 2, 3, 4]


def test_nobody_stays_below_the_risk_at_which_nobody_is_listed():
    pupils = class_of([0.5, 0.4, 0.005])
    told = rank(pupils, ListSettings(stay_margin=1.0), {"P2"})
    assert not told["listed"][2]


def test_the_pupils_of_the_published_lists_are_those_with_a_rank(engine):
    with engine.connect() as connection:
        assert publication.pupils_listed(connection) == {}
    run = published(engine, MONDAY, 1, range(2))
    with engine.begin() as connection:
        publication.publish(connection, run)
        told = publication.pupils_listed(connection)
        ranked = {
            row[1]
            for row in with_lists(made_up_run(6, 12)[0], range(2))
            if row[LISTED] and row[6] is not None
        }
    assert frozenset().union(*told.values()) == ranked
    assert all(county.startswith("5201") for county in told)


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
