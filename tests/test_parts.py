"""A night in parts is the same night: pupils who moved between counties bring all of their history along."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from risk_model.dealing import DEALT, deal_out, dealt_to
from risk_model.features.declared import FEATURES
from risk_model.features.snapshot import snapshot_frame, told_to_others
from risk_model.features.sources import LAKE, Sources
from risk_model.lake.known import narrow_views
from risk_model.lake.reading import Lake
from risk_model.parts import Part, counties_of, left_by_movers, plan, take_over
from risk_model.settings import Settings
from risk_model.state import StateExams, StateMarks, bring_forward, sources_on
from tests.provinces import COUNTIES, open_registers, province_home  # noqa: F401

pytestmark = pytest.mark.usefixtures("all_processors")

AUTUMN, SUMMER = date(2025, 11, 20), date(2025, 8, 20)


def handed_over(
    lake: Lake, day: date, parts: tuple[Part, ...], folder: Path, sources: tuple[Sources, ...] = ()
) -> dict[str, list[str]]:
    """What the parts tell each other, as files."""
    import pyarrow.parquet as pq

    files: dict[str, list[str]] = {"kept": [], "norms": []}
    for number, part in enumerate(parts):
        told = told_to_others(lake, day, Settings(), part, sources[number] if sources else LAKE)
        for (name, kept), table in zip(files.items(), told, strict=True):
            pq.write_table(table, folder / f"{name}{number}.parquet")
            kept.append(str(folder / f"{name}{number}.parquet"))
    return files


def in_parts(lake: Lake, day: date, most: int, folder: Path) -> tuple[list[pd.DataFrame], int]:
    lake.known_on(day)
    parts = plan(counties_of(lake.con, day), most)
    take_over(lake.con, **handed_over(lake, day, parts, folder))
    return [snapshot_frame(lake, day, Settings(), part) for part in parts], len(parts)


def movers(lake: Lake) -> int:
    """Pupils with marks under two counties within the days looked back."""
    found = lake.con.execute("""
        SELECT count(*) FROM (
            SELECT t.student_no FROM timeline_stays t JOIN timeline_classes c USING (class_no)
            GROUP BY t.student_no HAVING count(DISTINCT c.county_id) > 1)""").fetchall()
    return int(found[0][0])


@pytest.mark.parametrize("day", [AUTUMN, SUMMER], ids=["autumn", "summer"])
@pytest.mark.parametrize("most", [1, 700], ids=["county by county", "some counties at a time"])
def test_parts_add_up_to_the_night_to_the_last_bit(lake, tmp_path, day, most):
    whole = snapshot_frame(lake, day, Settings())
    assert movers(lake) >= (50 if day == AUTUMN else 1)
    frames, parts = in_parts(lake, day, most, tmp_path)
    assert parts == COUNTIES if most == 1 else 1 < parts < COUNTIES
    together = pd.concat(frames).sort_values("student_id", ignore_index=True).astype(whole.dtypes)
    pd.testing.assert_frame_equal(together, whole, check_exact=True)
    assert whole["county_id"].nunique() == COUNTIES
    features = whole.select_dtypes("float64")
    assert (features.notna().sum() > 0).mean() > 0.9


@pytest.mark.parametrize("day", [AUTUMN, SUMMER], ids=["autumn", "summer"])
def test_parts_that_read_what_was_dealt_out_to_them_say_the_same(lake, tmp_path, day):
    whole = snapshot_frame(lake, day, Settings())
    lake.known_on(day)
    parts = plan(counties_of(lake.con, day), 1)
    dealt = tmp_path / "dealt"
    dealt.mkdir()
    deal_out(lake.con, day, parts, dealt)
    parts = tuple(replace(part, sources=dealt_to(dealt, at)) for at, part in enumerate(parts))
    assert all(set(part.sources) == {"pupils", *DEALT} for part in parts)
    take_over(lake.con, **handed_over(lake, day, parts, tmp_path))
    frames = [snapshot_frame(lake, day, Settings(), part) for part in parts]
    together = pd.concat(frames).sort_values("student_id", ignore_index=True).astype(whole.dtypes)
    pd.testing.assert_frame_equal(together, whole, check_exact=True)
    assert lake.con.execute("SELECT count(*) FROM known.results").fetchall()[0][0] > 0


def test_parts_that_read_the_state_of_their_own_counties_say_the_same(home, lake, tmp_path):
    """Marks and exams out of the state, all else as it was dealt out; so do those who hand over."""
    tonight = lake.latest_recorded_on()
    whole = snapshot_frame(lake, tonight, Settings())
    assert movers(lake) > 0
    assert bring_forward(home, Settings(), lake).done in ("built", "unchanged")
    lake.known_on(tonight)
    parts = plan(counties_of(lake.con, tonight), 1)
    dealt = tmp_path / "dealt"
    dealt.mkdir()
    deal_out(lake.con, tonight, parts, dealt, exams_kept=True)
    parts = tuple(replace(part, sources=dealt_to(dealt, at)) for at, part in enumerate(parts))
    assert all(set(part.sources) == {"pupils", *DEALT} - {"results"} for part in parts)
    sources = tuple(sources_on(home, lake, tonight, part) for part in parts)
    assert all(isinstance(source.marks, StateMarks) for source in sources)
    assert all(isinstance(source.exams, StateExams) for source in sources)
    take_over(lake.con, **handed_over(lake, tonight, parts, tmp_path, sources))
    frames = [snapshot_frame(lake, tonight, Settings(), *of) for of in zip(parts, sources, strict=True)]
    together = pd.concat(frames).sort_values("student_id", ignore_index=True).astype(whole.dtypes)
    pd.testing.assert_frame_equal(together, whole, check_exact=True)


def test_without_what_the_others_tell_a_pupil_who_moved_would_come_out_otherwise(lake, tmp_path):
    """The test above could tell: it is not equal by itself."""
    whole = snapshot_frame(lake, AUTUMN, Settings())
    lake.known_on(AUTUMN)
    take_over(lake.con)
    parts = plan(counties_of(lake.con, AUTUMN), 1)
    alone = pd.concat([snapshot_frame(lake, AUTUMN, Settings(), part) for part in parts])
    alone = alone.sort_values("student_id", ignore_index=True)
    different = (alone != whole) & ~(alone.isna() & whole.isna())
    differs = {feature.family for feature in FEATURES if different[feature.name].any()}
    assert {"attendance", "learning"} <= differs


def test_only_counties_that_pupils_came_from_have_something_to_hand_over(lake):
    lake.known_on(AUTUMN)
    assert left_by_movers(lake.con, AUTUMN) == set(counties_of(lake.con, AUTUMN))
    lake.con.execute("""
        CREATE TEMP TABLE others AS SELECT student_id FROM known.enrolments EXCEPT
            SELECT e.student_id FROM known.enrolments e JOIN known.schools s USING (school_id)
            WHERE s.county_id = 'C1'""")
    narrow_views(lake.con, "others")
    assert "C1" not in left_by_movers(lake.con, AUTUMN)


def test_no_enrolment_known_is_no_part(lake):
    lake.known_on(date(2000, 1, 1))
    assert plan(counties_of(lake.con, date(2000, 1, 1)), 100) == ()
