"""Labels of a run are the same whether all marks are rows at once or those of a portion of the pupils."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest

from monitoring.performance.outcomes import LOOKBACK, marks_for, outcomes
from risk_model.cohort import build_cohort
from risk_model.home import Home
from risk_model.labels import label
from risk_model.lake.reading import Lake
from risk_model.settings import LabelSettings, Settings
from risk_model.state import StateMarks, bring_forward
from risk_model.timeline import build_diaries, build_timeline
from risk_model.timeline.diaries import KNOWN
from risk_model.timeline.portions import build_in_portions
from tests.labelled import FIT, SNAPSHOT, ordinary_county
from tests.provinces import open_registers, province_home  # noqa: F401

SUMMER, AUTUMN = date(2025, 6, 20), date(2025, 11, 20)
"""Before the holidays, after which most pupils of grade 6 are in another county; and after them."""
RULES = LabelSettings()


def scores_on(lake: Lake, day: date) -> pd.DataFrame:
    """Everybody of the cohort of ``day``, as a run would hold them."""
    lake.known_on(day)
    build_diaries(lake.con, day, since=day - LOOKBACK)
    build_cohort(lake.con, day, RULES)
    asked = "select student_id, school_id, class_key, grade, county_id from cohort where status = 'scored'"
    return lake.con.execute(f"{asked} order by student_id").df().assign(risk=0.1)


def all_at_once(lake: Lake, scores: pd.DataFrame, as_of: date, today: date) -> pd.DataFrame:
    lake.known_on(today)
    build_timeline(lake.con, today, since=as_of - LOOKBACK)
    lake.con.register("asked_now", scores.assign(snapshot=as_of))
    lake.con.execute(
        "create or replace temp table rows_now as select student_id, school_id, class_key, "
        "grade::bigint as grade, snapshot::date as snapshot from asked_now"
    )
    label(lake.con, "rows_now", today, RULES)
    return lake.con.execute("from labels order by student_id").df()


@pytest.mark.parametrize("as_of", [SUMMER, AUTUMN], ids=["summer", "autumn"])
@pytest.mark.parametrize("most", [97, 600, 10_000])
def test_labels_in_portions_are_those_of_everybody_at_once(lake: Lake, as_of: date, most: int):
    today = lake.latest_recorded_on()
    scores = scores_on(lake, as_of)
    whole = all_at_once(lake, scores, as_of, today)
    told = outcomes(lake, scores, as_of, today, RULES, most=most)
    found = lake.con.execute("from labels order by student_id").df()
    pd.testing.assert_frame_equal(found, whole)
    assert scores["county_id"].nunique() == 5
    assert {"positive", "negative"} < set(told["state"])
    assert whole["dropped_out"].any()
    assert whole["non_return"].any() == (as_of == SUMMER)
    assert whole["long_absence"].any() == (as_of == SUMMER)
    assert moved_county(lake, as_of) >= (50 if as_of == SUMMER else 1)


def moved_county(lake: Lake, as_of: date) -> int:
    """Pupils whose stays since ``as_of`` lie in several counties."""
    found = lake.con.execute(
        "select count(*) from (select student_no from timeline_stays join timeline_classes using (class_no) "
        "where to_day >= ? group by student_no having count(distinct county_id) > 1)", [as_of]
    ).fetchall()  # fmt: skip
    return int(found[0][0])


def test_no_more_pupils_than_a_portion_are_rows_at_the_same_time(lake: Lake):
    today = lake.latest_recorded_on()
    lake.known_on(today)
    held, pupils = [], 0
    for portion in build_in_portions(lake.con, today, since=AUTUMN - LOOKBACK, most=200):
        for table in ("timeline_marks", "timeline_pupil_days"):
            asked = f"select count(distinct student_no), min(student_no), max(student_no) from {table}"
            (count, first, last), *_ = lake.con.execute(asked).fetchall()
            held.append(count)
            assert portion.start <= first <= last < portion.stop
        pupils += count
    assert max(held) <= 200
    assert pupils > 1_000


def test_marks_of_the_state_give_the_labels_of_the_lake(home: Home, lake: Lake):
    today = lake.latest_recorded_on()
    winter = today - timedelta(days=150)
    scores = scores_on(lake, winter)
    expected = outcomes(lake, scores, winter, today, RULES)
    assert bring_forward(home, Settings(), lake).done in ("built", "unchanged")
    marks = marks_for(home, lake, winter, today)
    assert isinstance(marks, StateMarks)
    pd.testing.assert_frame_equal(outcomes(lake, scores, winter, today, RULES, marks), expected)
    assert marks_for(home, lake, SUMMER, today) is KNOWN, "the state does not reach so far back"


class Planned:
    """A connection that asks for the plan of every table before it is made."""

    def __init__(self, con: duckdb.DuckDBPyConnection):
        self.con = con
        self.plans: dict[str, str] = {}

    def execute(self, query: str, *parameters: Any) -> duckdb.DuckDBPyConnection:
        plan = self.con.execute(f"EXPLAIN {query}", *parameters).fetchall()[0][1]
        self.plans[query] = plan
        return self.con.execute(query, *parameters)


def test_no_step_of_a_label_compares_every_pair():
    """Pupils times spells: without an end at a million pupils, and nothing to see in a county of a test."""
    county = ordinary_county()
    con = county.known_on(FIT)
    build_timeline(con, FIT, since=SNAPSHOT - LOOKBACK)
    con.execute(
        "create temp table asked_rows as select student_id, school_id, class_key, 7::bigint as grade, "
        f"date '{SNAPSHOT}' as snapshot from spells"
    )
    planned = Planned(con)
    label(planned, "asked_rows", FIT, RULES)
    assert len(planned.plans) > 15
    assert not [query for query, plan in planned.plans.items() if "BLOCKWISE_NL_JOIN" in plan]
