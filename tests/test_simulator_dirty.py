"""What ``--dirty`` adds to the registers: every kind of mess, none beyond what an import may refuse."""

from __future__ import annotations

import pytest

from risk_model.registers.declared import REGISTERS
from tests.simulator_rig import UNTIL, one, plan_of, registers_of, value
from training.simulator.dirty import SILENT_DAYS, absence_only_schools, silent_schools
from training.simulator.places import found_schools

PLAN = plan_of(2_100, years=2, dirty=True)
TINY = plan_of(300, years=1, dirty=True)


@pytest.fixture(scope="module")
def dirty():
    return registers_of(PLAN)


@pytest.fixture(scope="module")
def clean():
    return registers_of(plan_of(2_100, years=2))


def school_of(plan, number: int) -> str:
    return found_schools(plan, plan.township(0)).ids[number]


def test_some_days_arrive_weeks_late(dirty, clean):
    late = "SELECT avg((recorded_on - day > 9)::INT) FROM attendance"
    assert value(clean, late) == 0
    assert 0.01 < value(dirty, late) < 0.08


def test_some_marks_are_corrected_by_a_later_row(dirty, clean):
    corrected = (
        "SELECT count(*) FROM (SELECT 1 FROM attendance GROUP BY student_id, day"
        " HAVING count(DISTINCT mark) > 1 AND count(DISTINCT recorded_on) > 1)"
    )
    assert value(clean, corrected) == 0
    assert 0.002 < value(dirty, corrected) / value(dirty, "SELECT count(*) FROM attendance") < 0.02


def test_some_rows_are_sent_twice(dirty, clean):
    for register in ("attendance", "results", "families"):
        twice = f"SELECT count(*) FROM (SELECT 1 FROM {register} GROUP BY ALL HAVING count(*) > 1)"
        twice = twice.replace("SELECT 1", "SELECT *, count(*) AS n").replace(
            "HAVING count(*) > 1", "HAVING n > 1"
        )
        assert value(clean, twice) == 0
        assert value(dirty, twice) > 0


def test_a_few_rows_contradict_each_other_and_fewer_than_an_import_refuses(dirty):
    contradicting = value(
        dirty,
        "SELECT sum(n) FROM (SELECT count(*) AS n FROM attendance GROUP BY student_id, day, recorded_on"
        " HAVING count(DISTINCT mark) > 1)",
    )
    assert 0 < contradicting < 0.01 * value(dirty, "SELECT count(*) FROM attendance")


def test_some_rows_name_a_pupil_nobody_knows_at_most_one_in_a_hundred(dirty, clean):
    unknown = "SELECT avg((student_id NOT IN (SELECT student_id FROM students))::INT) FROM attendance"
    assert value(clean, unknown) == 0
    assert 0 < value(dirty, unknown) <= 0.01


@pytest.mark.parametrize(
    ("register", "column"),
    [("students", "home_latitude"), ("students", "birth_date"), ("families", "guardian"),
     ("travel", "distance_km"), ("enrolments", "boarding"), ("aid", "amount")],
)  # fmt: skip
def test_cells_are_missing_but_no_required_one(dirty, clean, register, column):
    missing = f"SELECT avg(({column} IS NULL)::INT) FROM {register}"
    assert value(clean, missing) == 0
    assert 0 < value(dirty, missing) < 0.2
    assert not REGISTERS[register].column(column).required


def test_some_pupils_have_two_open_spells(dirty, clean):
    two = (
        "SELECT count(*) FROM (SELECT student_id FROM enrolments GROUP BY student_id, school_id, started_on"
        " HAVING count(ended_on) = 0) GROUP BY student_id HAVING count(*) > 1"
    )
    assert clean.execute(two).fetchall() == []
    assert dirty.execute(two).fetchall()


def test_identifiers_change_and_an_alias_says_so(dirty):
    aliases = value(dirty, "SELECT count(*) FROM student_aliases")
    assert aliases >= 5
    both = "SELECT count(*) FROM student_aliases a JOIN students s ON s.student_id = a."
    assert value(dirty, both + "old_student_id") == aliases
    assert value(dirty, both + "student_id") == aliases
    early, late = one(
        dirty,
        "SELECT count(*) FILTER (t.student_id = a.student_id AND t.recorded_on < a.recorded_on),"
        " count(*) FILTER (t.student_id = a.old_student_id AND t.recorded_on >= a.recorded_on)"
        " FROM attendance t JOIN student_aliases a ON t.student_id IN (a.student_id, a.old_student_id)",
    )
    assert (early, late) == (0, 0)


@pytest.mark.parametrize("plan", [PLAN, TINY], ids=["county", "tiny"])
def test_a_school_sends_only_absences_and_counts_the_others(plan):
    con = registers_of(plan)
    school = school_of(plan, absence_only_schools(plan.township(0))[0])
    present, absent = one(
        con,
        "SELECT count(*) FILTER (mark = 'present'), count(*) FILTER (mark LIKE 'absent%') FROM attendance"
        f" WHERE school_id = '{school}'",
    )
    assert present == 0
    assert absent > 50
    classes, complete, average = one(
        con, f"SELECT count(*), bool_and(complete), avg(present) FROM headcounts WHERE school_id = '{school}'"
    )
    assert classes > 500
    assert complete
    assert 12 < average < 45


@pytest.mark.parametrize("plan", [PLAN, TINY], ids=["county", "tiny"])
def test_a_school_falls_silent_before_the_end(plan):
    con = registers_of(plan)
    school = school_of(plan, silent_schools(plan.township(0))[0])
    last = f"SELECT DATE '{UNTIL}' - max(day) FROM attendance WHERE school_id "
    assert value(con, last + f"= '{school}'") >= SILENT_DAYS
    assert value(con, last + f"<> '{school}'") < 5


def test_the_mess_does_not_touch_the_truth(dirty, clean):
    every_week = "SELECT student_id, monday, hazard, leaves FROM hazard ORDER BY ALL"
    assert dirty.execute(every_week).fetchall() == clean.execute(every_week).fetchall()


def test_no_dirty_row_lies_beyond_the_end_or_before_its_event(dirty):
    for register, event in (("attendance", "day"), ("results", "assessed_on"), ("enrolments", "ended_on")):
        assert one(
            dirty,
            f"SELECT count(*) FILTER ({event} > recorded_on), count(*) FILTER (recorded_on > DATE '{UNTIL}')"
            f" FROM {register}",
        ) == (0, 0)
