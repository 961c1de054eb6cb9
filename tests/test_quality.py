"""May tonight's list of a school be trusted: silence and missing marks hold it back, absence does not."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pandas as pd
import pytest

from risk_model.quality import Finding, judge_registers, judge_size, registers_kept, two_open_spells
from risk_model.settings import QualitySettings
from tests.known_registers import make_known
from tests.nights import keep_registers

TODAY = date(2026, 3, 2)
RULES = QualitySettings()
CLASSES = pd.DataFrame(
    {
        "class_key": [key for key in ("A:7A", "A:7B", "B:7A", "B:7B") for _ in range(20)],
        "school_id": [school for school in ("A", "A", "B", "B") for _ in range(20)],
        "county_id": "K",
    }
)


@pytest.fixture
def con():
    with duckdb.connect() as con:
        keep_registers(con, CLASSES, TODAY, silent=set())
        yield con


def silence(con, what: str, since: int, until: int = 0) -> None:
    """No marks and no kept register between so many days back."""
    first, last = TODAY - timedelta(days=since), TODAY - timedelta(days=until)
    con.execute(
        f"update class_days set kept = false, marked = 0 where {what} and day between ? and ?", [first, last]
    )


def judged(con, day: date = TODAY) -> dict[str, str]:
    return judge_registers(registers_kept(con, day, RULES), RULES)


def test_schools_that_keep_their_registers_are_published(con):
    assert judged(con) == {}


def test_a_school_silent_on_the_last_five_school_days_is_held_back(con):
    silence(con, "school_id = 'A'", since=4)
    assert list(judged(con)) == ["A"]
    assert "2026-02-25" in judged(con)["A"]


def test_four_silent_days_are_not_yet_silence(con):
    con.execute(
        "update class_days set kept = false where school_id = 'A' and day > ?", [TODAY - timedelta(4)]
    )
    assert judged(con) == {}


def test_a_school_that_never_sends_attendance_is_not_held_back_for_it(con):
    silence(con, "school_id = 'A'", since=400)
    assert judged(con) == {}


def test_a_school_with_less_than_half_of_its_usual_marks_is_held_back(con):
    silence(con, "class_key = 'A:7A'", since=4)
    con.execute(
        "update class_days set marked = 15 where class_key = 'A:7B' and day >= ?", [TODAY - timedelta(4)]
    )
    assert "15 marks a day where 40 are usual" in judged(con)["A"]


def test_two_thirds_of_the_usual_marks_are_enough_while_the_leaving_grade_is_at_its_exams(con):
    con.execute(
        "update class_days set marked = 14 where school_id = 'A' and day >= ?", [TODAY - timedelta(days=4)]
    )
    assert judged(con) == {}


def test_a_complete_headcount_counts_for_every_pupil_of_the_class(con):
    con.execute("update class_days set marked = 1, complete = true where day >= ?", [TODAY - timedelta(4)])
    assert judged(con) == {}


def test_marks_after_the_day_of_the_list_do_not_count(con):
    silence(con, "school_id = 'A'", since=30, until=10)
    assert list(judged(con, TODAY - timedelta(days=12))) == ["A"]


def calendar(con, *days_after: int) -> None:
    """A calendar that names school days so many days after the last register."""
    for school in "AB":
        for after in days_after:
            con.execute("insert into school_days values (?, ?)", [school, TODAY + timedelta(days=after)])


@pytest.mark.parametrize(("days", "held"), [(1, []), (75, []), (76, ["A", "B"])])
def test_without_a_calendar_a_silent_county_may_be_on_holiday_but_not_longer_than_a_summer(con, days, held):
    judged_late = judged(con, TODAY + timedelta(days=days))
    assert list(judged_late) == held
    assert all("2026-03-02" in why and "76 days" in why for why in judged_late.values())


def test_a_calendar_tells_a_long_holiday_from_registers_that_ended(con):
    calendar(con, 120)
    assert judged(con, TODAY + timedelta(days=100)) == {}
    calendar(con, *range(80, 85))
    assert list(judged(con, TODAY + timedelta(days=100))) == ["A", "B"]


def test_a_school_silent_for_more_than_sixty_school_days_is_still_held_back(con):
    calendar(con, *range(1, 101))
    assert list(judged(con, TODAY + timedelta(days=100))) == ["A", "B"]


def test_registers_that_ended_before_the_days_looked_at_hold_back_the_schools_that_had_sent_some(con):
    make_known(
        con,
        enrolments=[
            {"student_id": f"p{school}", "school_id": school, "started_on": "2023-09-01"} for school in "AB"
        ],
        attendance=[{"student_id": "pA", "day": "2024-05-06", "mark": "present"}],
    )
    con.execute("delete from class_days")
    con.execute("delete from school_days")
    con.execute("insert into cohort values ('pA', 'A', 'unknown', 7), ('pB', 'B', 'unknown', 7)")
    assert list(judged(con)) == ["A"]
    assert "2024-05-06" in judged(con)["A"]


def test_that_is_judged_county_by_county_whoever_else_sends_registers(con):
    """Or it would depend on the parts into which a night is cut."""
    make_known(
        con,
        schools=[{"school_id": name, "name": name, "county_id": f"of {name}"} for name in "CD"],
        enrolments=[
            {"student_id": f"p{school}", "school_id": school, "started_on": "2023-09-01"} for school in "CD"
        ],
        attendance=[{"student_id": "pC", "day": "2024-05-06", "mark": "present"}],
    )
    assert judged(con) == {}
    con.execute("insert into cohort values ('pC', 'C', 'of C', 7), ('pD', 'D', 'of D', 7)")
    assert list(judged(con)) == ["C"]


def test_a_county_that_never_sent_attendance_is_not_held_back(con):
    make_known(con, enrolments=[{"student_id": "pA", "school_id": "A", "started_on": "2023-09-01"}])
    con.execute("delete from class_days")
    con.execute("delete from school_days")
    assert judged(con) == {}


def test_a_run_over_nobody_is_refused_and_says_so():
    [reason] = judge_size({}, {}, RULES)
    assert "empty" in reason


@pytest.mark.parametrize(("pupils", "refused"), [(90, False), (89, True), (120, False)])
def test_a_run_over_fewer_than_nine_in_ten_of_the_last_runs_pupils_is_refused(pupils, refused):
    assert bool(judge_size({"K": pupils}, {"K": 60, "L": 40}, RULES)) is refused


def test_the_first_run_has_nothing_to_be_smaller_than():
    assert judge_size({"K": 3}, {}, RULES) == ()


def test_a_pupil_with_two_open_spells_is_found_and_one_who_moved_is_not():
    spells = [
        ("twice", "A", "2025-09-01", None),
        ("twice", "B", "2026-01-10", None),
        ("moved", "A", "2025-09-01", "2026-01-09"),
        ("moved", "B", "2026-01-10", None),
        ("comes later", "A", "2025-09-01", None),
        ("comes later", "B", "2026-09-01", None),
    ]
    with duckdb.connect() as con:
        con.execute("create table spells (student_id text, school_id text, started_on date, ended_on date)")
        con.executemany("insert into spells values (?, ?, ?, ?)", spells)
        assert two_open_spells(con, TODAY) == [Finding("two_open_spells", "twice", ("A", "B"))]
