"""Half-delivered registers hold a school back; holidays, exams, trips and a teacher's gap do not."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pandas as pd
import pytest

from risk_model.features.exam_columns import CORE, SAT
from risk_model.quality import Listed, enrolment_kept, judge_enrolment, judge_registers, registers_kept
from risk_model.settings import QualitySettings
from tests.known_registers import make_known
from tests.nights import keep_registers

TODAY = date(2026, 3, 2)
RULES = QualitySettings()
SIZES = {"A": 30, "B": 30, "T": 2}
"""Pupils in each of the six classes of a school; T is tiny."""
PUPILS = pd.DataFrame(
    [
        (f"{school}{grade}{number:02}", school, f"{school}:{grade}A:2025", "K", grade)
        for school, size in SIZES.items()
        for grade in range(1, 7)
        for number in range(size)
    ],
    columns=["student_id", "school_id", "class_key", "county_id", "grade"],
)


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("set threads = 1")
        keep_registers(con, PUPILS, TODAY, silent=set())
        yield con


def judged(con, rules: QualitySettings = RULES) -> dict[str, str]:
    return judge_registers(registers_kept(con, TODAY, rules), rules)


def lose(con, what: str, days: int, *, until: int = 0) -> None:
    """No register of these classes on the last so many school days."""
    con.execute(
        f"update class_days set kept = false, marked = 0 where {what} and day > ? and day <= ?",
        [TODAY - timedelta(days=days + until), TODAY - timedelta(days=until)],
    )


def test_a_third_of_the_classes_missing_for_more_than_a_week_is_half_a_delivery_and_names_them(con):
    lose(con, "class_key in ('A:3A:2025', 'A:5A:2025')", days=6)
    assert list(judged(con)) == ["A"]
    assert "No register of 3A, 5A (33% of the pupils)" in judged(con)["A"]
    assert "Ask the school" in judged(con)["A"]


def test_a_week_away_is_no_fault_of_a_third_of_the_school(con):
    """Exams of the leaving grade, a trip: nobody is there to keep a register."""
    lose(con, "class_key in ('A:3A:2025', 'A:5A:2025')", days=5)
    assert judged(con) == {}


def test_one_class_of_six_whose_teacher_is_ill_is_no_half_delivery(con):
    lose(con, "class_key = 'A:3A:2025'", days=20)
    assert judged(con) == {}


def test_a_class_that_never_sends_registers_is_not_missed(con):
    lose(con, "class_key in ('A:3A:2025', 'A:5A:2025')", days=60)
    assert judged(con) == {}


def test_marks_of_half_of_each_class_are_half_a_delivery(con):
    con.execute("update class_days set marked = 16 where school_id = 'A' and day > ?", [TODAY - timedelta(5)])
    assert list(judged(con)) == ["A"]
    assert "Only 53% of the school's pupils have a mark" in judged(con)["A"]


def test_a_school_that_always_marks_half_of_its_pupils_is_judged_by_what_is_usual_there(con):
    con.execute("update class_days set marked = 16 where school_id = 'A'")
    assert judged(con) == {}


def test_a_holiday_is_no_fault_of_anybody(con):
    """School days are those on which the county had school: on a holiday there are none."""
    for table in ("class_days", "school_days"):
        con.execute(f"delete from {table} where day > ?", [TODAY - timedelta(days=14)])
    assert judged(con) == {}


def test_a_complete_headcount_is_a_register_of_everybody(con):
    con.execute("update class_days set marked = 1, complete = true where school_id = 'A' and day > ?",
                [TODAY - timedelta(6)])  # fmt: skip
    assert judged(con) == {}


def test_the_tiny_school_is_held_back_when_most_of_its_classes_are_missing_and_not_for_one(con):
    lose(con, "class_key = 'T:1A:2025'", days=10)
    assert judged(con) == {}
    lose(con, "school_id = 'T' and class_key < 'T:3'", days=6)
    assert list(judged(con)) == ["T"]


def enrol(con) -> None:
    """Everybody of ``PUPILS`` is in the cohort."""
    con.register("people", PUPILS)
    con.execute("insert into cohort select student_id, school_id, county_id, grade from people")
    con.execute(
        "insert into timeline_pupils select row_number() over (order by student_id), student_id from people"
    )


def examine(con, grades: dict[str, range], back: int = 30, sat: int = SAT | CORE) -> None:
    """An exam in mathematics so many days back, for these grades of each school; scores differ."""
    enrol(con)
    con.execute("insert into subjects values ('math', 0, true)")
    on = (TODAY - timedelta(days=back) - date(1970, 1, 1)).days
    for school, examined in grades.items():
        con.execute(
            "insert into exams select student_no, ?, 0, 0, ?, 4000 + 17 * (student_no % 30) "
            "from timeline_pupils join cohort using (student_id) "
            "where school_id = ? and list_contains(?, grade)",
            [on, sat, school, list(examined)],
        )


ALL = range(1, 7)


def test_results_of_a_third_of_the_grades_that_had_them_elsewhere_are_half_a_delivery(con):
    examine(con, {"A": range(1, 3), "B": ALL, "T": ALL})
    assert list(judged(con)) == ["A"]
    assert "2026-01-31 came for 60 pupils" in judged(con)["A"]


def test_results_may_take_a_fortnight_to_come(con):
    examine(con, {"A": range(1, 3), "B": ALL, "T": ALL}, back=RULES.results_grace_days - 1)
    assert judged(con) == {}


def test_an_exam_of_one_grade_of_the_county_is_no_half_delivery(con):
    examine(con, {"A": range(6, 7), "B": range(6, 7), "T": range(6, 7)})
    assert judged(con) == {}


def test_a_school_that_sends_no_results_is_not_held_back_for_it(con):
    examine(con, {"B": ALL})
    assert judged(con) == {}


def test_exams_nobody_sat_for_sickness_are_results_all_the_same(con):
    examine(con, {"A": ALL, "B": ALL}, sat=2)
    assert judged(con) == {}


LAST = date(2026, 2, 1)


def enrolment(con, now: int, before: int, **ended: int) -> dict[str, str]:
    """So many pupils now and then, and so many spells that ended since, by reason."""
    make_known(
        con,
        enrolments=[
            {"student_id": f"{reason}{number}", "school_id": "A", "started_on": "2025-09-01",
             "ended_on": "2026-02-10", "end_reason": reason, "grade": 9}
            for reason, times in ended.items() for number in range(times)
        ],
    )  # fmt: skip
    kept = enrolment_kept(con, TODAY, {"A": now}, {"A": Listed(before, LAST)})
    return judge_enrolment(kept, RULES)


def test_a_school_that_lost_pupils_nobody_says_have_left_is_held_back(con):
    held = enrolment(con, now=70, before=100, transferred=4)
    assert "70 pupils where its list of 2026-02-01 has 100, and 4 have left since" in held["A"]


@pytest.mark.parametrize(
    ("now", "before", "ended"),
    [
        (67, 100, {"graduated": 33}),
        (40, 100, {"transferred": 58}),
        (85, 100, {}),
        (2, 12, {"transferred": 1}),
        (120, 100, {}),
    ],
    ids=["a year graduates", "a merged school", "fifteen in a hundred", "nine of a tiny school", "grown"],
)
def test_a_school_shrinks_without_fault(con, now, before, ended):
    assert enrolment(con, now, before, **ended) == {}


def test_a_fifth_of_a_school_that_dropped_out_in_a_night_explains_nothing(con):
    assert list(enrolment(con, now=70, before=100, dropped_out=30)) == ["A"]


def test_a_school_gone_from_the_registers_is_held_back(con):
    make_known(con)
    assert list(judge_enrolment(enrolment_kept(con, TODAY, {}, {"A": Listed(50, LAST)}), RULES)) == ["A"]


def test_leavers_told_before_the_last_list_do_not_explain_what_is_missing_now(con):
    make_known(
        con,
        enrolments=[
            {"student_id": f"p{number}", "school_id": "A", "started_on": "2025-09-01",
             "ended_on": "2026-01-10", "end_reason": "transferred"} for number in range(30)
        ],
    )  # fmt: skip
    assert list(judge_enrolment(enrolment_kept(con, TODAY, {"A": 70}, {"A": Listed(100, LAST)}), RULES)) == [
        "A"
    ]
