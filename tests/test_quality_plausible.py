"""Registers that cannot be true hold a school back; sickness, exams, holidays and small numbers do not."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

from risk_model.features.exam_columns import CORE, SAT
from risk_model.quality import judge_registers, registers_kept
from risk_model.settings import QualitySettings
from risk_model.timeline import build_diaries, build_timeline
from tests.nights import keep_registers
from tests.small_county import rows_of
from tests.test_diaries import LAST, SINCE, random_county
from tests.test_quality_half import PUPILS, SIZES, TODAY, enrol

RULES = QualitySettings()
KINDS = ("present", "late", "absent_sick", "absent_leave", "absent_unexcused", "home_taught")
USUAL = {"late": 0.01, "absent_sick": 0.02, "absent_leave": 0.01, "absent_unexcused": 0.01}


@pytest.fixture
def con():
    """Sixty days of marks at three schools, drawn around what is usual."""
    dice = np.random.default_rng(4)
    with duckdb.connect() as con:
        con.execute("set threads = 1")
        keep_registers(con, PUPILS, TODAY, silent=set())
        put(con, [drawn(school, back, dice, USUAL) for school in SIZES for back in range(60)])
        yield con


def drawn(school: str, back: int, dice: np.random.Generator, shares: dict[str, float]) -> dict[str, object]:
    """The marks of a school so many days back: each pupil has one, drawn by these shares, else is present."""
    chances = [shares.get(kind, 0.0) for kind in KINDS]
    chances[0] = 1 - sum(chances)
    counts = dice.multinomial(6 * SIZES[school], chances)
    day = TODAY - timedelta(days=back)
    return {"school_id": school, "day": day, **dict(zip(KINDS, map(int, counts), strict=True))}


def put(con, days: list[dict[str, object]]) -> None:
    """These days instead of those that are there."""
    con.register("new_days", pd.DataFrame(days))
    con.execute(
        "delete from school_marks using new_days n where school_marks.school_id = n.school_id "
        "and school_marks.day = n.day::date"
    )
    con.execute("insert into school_marks by name from new_days")


def lately(con, school: str, days: int, **shares: float) -> dict[str, str]:
    """What is said when the school's last days were like this."""
    if days:
        put(con, [drawn(school, back, np.random.default_rng(back), shares) for back in range(days)])
    return judge_registers(registers_kept(con, TODAY, RULES), RULES)


def test_what_is_usual_is_no_fault(con):
    assert lately(con, "A", 0) == {}


FAULTS = {
    "everybody is absent": (3, {"absent_leave": 1.0}, "100% of the marks of the last 3 days"),
    "nearly everybody is absent": (3, {"absent_sick": 0.85}, "say absent"),
    "one mark is repeated": (3, {"late": 0.97}, "'late'"),
    "all are taught at home overnight": (3, {"home_taught": 1.0}, "'home_taught'"),
    "a third is absent without excuse": (3, {"absent_unexcused": 0.4}, "without excuse"),
    "nobody was absent for a fortnight": (10, {}, "Not one absence on the last 10 days"),
}


@pytest.mark.parametrize(("days", "shares", "said"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_is_told_of_the_school_alone_with_what_to_do(con, days, shares, said):
    held = lately(con, "A", days, **shares)
    assert list(held) == ["A"]
    assert said in held["A"]
    assert held["A"].endswith("score again.")


NO_FAULTS = {
    "a wave of sickness": ("A", 10, {"absent_sick": 0.55, "absent_leave": 0.1}),
    "two days of flood": ("A", 2, {"absent_leave": 1.0}),
    "a week of exams to which everybody comes": ("A", 5, {}),
    "the days after a long holiday": ("A", 3, {"absent_unexcused": 0.12}),
    "a tiny school with two families away": ("T", 5, {"absent_unexcused": 0.3}),
    "a tiny school where nobody is ever ill": ("T", 40, {}),
}


@pytest.mark.parametrize(("school", "days", "shares"), NO_FAULTS.values(), ids=NO_FAULTS)
def test_what_happens_at_schools_is_no_fault(con, school, days, shares):
    assert lately(con, school, days, **shares) == {}


def test_a_school_whose_pupils_are_always_late_or_taught_at_home_is_believed(con):
    for mark_of_all in ("late", "home_taught"):
        assert lately(con, "A", 60, **{mark_of_all: 0.95, "absent_sick": 0.02}) == {}


def test_a_school_without_a_past_is_judged_by_what_nobody_believes_alone(con):
    con.execute("delete from school_marks where school_id = 'A'")
    assert lately(con, "A", 3, absent_unexcused=0.4) == {}
    assert list(lately(con, "A", 3, absent_unexcused=0.9)) == ["A"]


def test_marks_after_the_day_of_the_list_are_not_looked_at(con):
    lately(con, "A", 3, absent_leave=1.0)
    before = TODAY - timedelta(days=3)
    assert judge_registers(registers_kept(con, before, RULES), RULES) == {}


def examine(con, subject: str, score: str, where: str, what: int) -> None:
    """Scores (hundredths of a percent) of the pupils ``where``; the subject is new if it is not yet there."""
    if not con.execute("select count(*) from cohort").fetchone()[0]:
        enrol(con)
    no = con.execute("select count(*) from subjects").fetchone()[0]
    con.execute("insert into subjects values (?, ?, ?)", [subject, no, bool(what & CORE)])
    on = (TODAY - timedelta(days=10) - date(1970, 1, 1)).days
    con.execute(
        f"insert into exams select student_no, {on}, {no}, 0, {what}, {score} from timeline_pupils "
        f"join cohort using (student_id) where {where}"
    )


DIFFERENT = "4000 + 17 * (student_no % 30)"


def said(con) -> dict[str, str]:
    return judge_registers(registers_kept(con, TODAY, RULES), RULES)


@pytest.mark.parametrize(("score", "told"), [("0", "(0% of the points)"), ("8000", "(80% of the points)")])
def test_a_grade_with_one_score_in_a_core_subject_is_not_believed(con, score, told):
    examine(con, "chinese", DIFFERENT, "true", SAT | CORE)
    examine(con, "math", score, "school_id = 'A' and grade = 5", SAT | CORE)
    assert list(said(con)) == ["A"]
    assert "All 30 scores of grade 5 in math of 2026-02-20 are the same" in said(con)["A"]
    assert told in said(con)["A"]


def test_full_marks_of_a_tiny_class_are_believed(con):
    examine(con, "math", "10000", "school_id = 'T'", SAT | CORE)
    assert said(con) == {}


def test_a_subject_one_passes_or_fails_is_believed_beside_others_and_not_alone(con):
    examine(con, "sport", "10000", "school_id = 'A'", SAT)
    assert list(said(con)) == ["A"]
    examine(con, "chinese", DIFFERENT, "true", SAT | CORE)
    examine(con, "art", DIFFERENT, "true", SAT)
    assert said(con) == {}


def test_an_exam_nobody_sat_is_no_score_of_zero(con):
    examine(con, "math", "0", "school_id = 'A'", CORE)
    assert said(con) == {}


@pytest.mark.parametrize("seed", range(3))
def test_the_marks_of_a_school_are_those_of_its_pupils_on_kept_days(seed: int):
    con = random_county(seed).known_on(LAST)
    build_timeline(con, LAST, since=SINCE)
    counted = ", ".join(f"count(*) filter (mark = '{kind}') as {kind}" for kind in KINDS)
    rows = rows_of(
        con,
        f"select school_id, day, {counted} from pupil_days where mark is not null group by all order by all",
    )
    build_diaries(con, LAST, since=SINCE)
    columns = ", ".join(("school_id", "day", *KINDS))
    assert rows_of(con, f"select {columns} from school_marks order by all") == rows
    assert len(rows) > 40
