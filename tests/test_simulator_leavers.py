"""Leavers of the simulated county: what the truth says of them stands in the registers."""

from __future__ import annotations

import pytest

from tests.simulator_rig import one, plan_of, registers_of, value


@pytest.fixture(scope="module")
def county():
    return registers_of(plan_of(6_300, seed=6))


def test_a_recorded_leaver_has_a_spell_that_ends_on_the_day(county):
    assert value(
        county,
        "SELECT count(*) FROM leavers l WHERE path = 'dropped_out' AND day < DATE '2026-03-01' AND"
        " NOT EXISTS (FROM"
        " enrolments e WHERE e.student_id = l.student_id AND end_reason = 'dropped_out' AND"
        " e.ended_on = l.day)",
    ) == 0  # fmt: skip


def test_a_hidden_leaver_has_nothing_but_unexcused_marks_for_weeks(county):
    marks, unexcused = one(
        county,
        "SELECT count(*), avg((mark = 'absent_unexcused')::INT) FROM leavers l JOIN attendance a"
        " ON a.student_id = l.student_id AND a.day BETWEEN l.day AND l.day + 38 WHERE path = 'hidden'",
    )
    assert marks > 200
    assert unexcused == 1


def test_a_hidden_leaver_of_early_term_is_absent_for_twenty_school_days_running(county):
    days = value(
        county,
        "SELECT min(n) FROM (SELECT count(*) AS n FROM leavers l JOIN attendance a ON a.student_id ="
        " l.student_id"
        " AND a.day BETWEEN l.day AND l.day + 41 WHERE path = 'hidden' AND month(l.day) IN (3, 11)"
        " AND l.day < '2026-04-01'"
        " GROUP BY l.student_id, l.day)",
    )
    assert days >= 15


def test_who_does_not_return_has_no_presence_in_the_first_weeks_of_term(county):
    present, pupils = one(
        county,
        "SELECT count(a.day) FILTER (mark <> 'absent_unexcused'), count(DISTINCT l.student_id) FROM leavers l"
        " LEFT JOIN attendance a ON a.student_id = l.student_id AND a.day BETWEEN l.day AND l.day + 25"
        " WHERE path = 'non_return'",
    )
    assert present == 0
    assert pupils > 10


def test_some_promoted_to_grade_7_are_enrolled_nowhere(county):
    nowhere = value(
        county,
        "SELECT count(*) FROM leavers l WHERE path = 'non_return' AND grade = 7 AND NOT EXISTS (FROM"
        " enrolments e"
        " WHERE e.student_id = l.student_id AND e.started_on BETWEEN l.monday AND l.day)",
    )
    assert 0 < nowhere < value(county, "SELECT count(*) FROM leavers WHERE path = 'non_return' AND grade = 7")


def test_absence_climbs_before_a_disengaged_pupil_leaves(county):
    before, usual = one(
        county,
        "SELECT avg((mark = 'absent_unexcused')::INT) FILTER (a.day >= l.day - 21),"
        " avg((mark = 'absent_unexcused')::INT) FILTER (a.day < l.day - 90)"
        " FROM leavers l JOIN attendance a ON a.student_id = l.student_id AND a.day < l.day WHERE"
        " ramp_weeks >= 3",
    )
    assert before > 0.15 > 3 * usual


def test_who_leaves_suddenly_gives_no_such_sign(county):
    before = value(
        county,
        "SELECT avg((mark = 'absent_unexcused')::INT) FROM leavers l JOIN attendance a ON"
        " a.student_id = l.student_id"
        " AND a.day BETWEEN l.day - 21 AND l.day - 1 WHERE ramp_weeks = 0",
    )
    assert before < 0.08
