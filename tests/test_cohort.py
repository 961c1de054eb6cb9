"""Who is in the cohort, contract §2 and §1, sentence by sentence.

- As known on `s`, students of grades 1–12 (narrower by configuration) with an open spell,
- or whose last spell ended `promoted`, or `graduated` below grade 9, within 100 days;
- not `home_teaching`; no unexcused streak >= 20 school days at `s`.
- Streaks count only days on which the pupil's class kept a register; a day without a mark neither breaks
  nor counts, any other mark breaks.
- Everybody enrolled still has a row, with `status`: `scored`, `absent_long`, `home_teaching`,
  `no_register`, `between_spells`.
- Two open spells: the pupil is listed under the later `started_on`, then `recorded_on`, then `school_id`.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from risk_model.cohort import build_cohort
from risk_model.settings import LabelSettings
from risk_model.timeline import build_diaries
from tests.small_county import AUTUMN, AUTUMN_START, UNEXCUSED, SmallCounty, rows_of, weekdays

SNAPSHOT = date(2025, 11, 14)
SCHOOL_YEAR_END = date(2026, 7, 4)
DAYS = weekdays(AUTUMN_START, SNAPSHOT)
CLASS = ("p1", "p2", "p3", "p4")


@pytest.fixture
def county() -> SmallCounty:
    """Class 7A of school A, four pupils, a mark for everybody every day."""
    county = SmallCounty()
    county.school("A", stage="junior", township_id="T1")
    county.school("B")
    county.enrol(*CLASS)
    county.marks(CLASS, AUTUMN)
    return county


def cohort(county: SmallCounty, day: date = SNAPSHOT, **settings):
    con = county.known_on(day)
    build_diaries(con, day, since=day - timedelta(days=260))
    build_cohort(con, day, LabelSettings(**settings))
    return con


def statuses(con) -> dict[str, str]:
    return dict(rows_of(con, "SELECT student_id, status FROM cohort"))


def test_a_pupil_with_an_open_spell_is_scored_and_carries_the_spell(county: SmallCounty):
    con = cohort(county)
    assert rows_of(con, "SELECT * FROM cohort WHERE student_id = 'p1'") == [
        ("p1", "C1", "T1", "A", "7A", "A:7A:2025", 7, "junior", AUTUMN_START, None, "scored")
    ]


def test_a_spell_that_ends_on_the_snapshot_is_over(county: SmallCounty):
    county.close("p1", SNAPSHOT, "dropped_out")
    assert "p1" in statuses(cohort(county, SNAPSHOT - timedelta(days=1)))
    assert "p1" not in statuses(cohort(county))


def test_a_spell_that_is_yet_to_start_is_not_open(county: SmallCounty):
    county.enrol("new", since=SNAPSHOT + timedelta(days=1), recorded_on=AUTUMN_START)
    assert "new" not in statuses(cohort(county))


def test_an_end_that_was_not_known_yet_ends_nothing(county: SmallCounty):
    county.close("p1", date(2025, 10, 10), "dropped_out", recorded_on=date(2025, 12, 1))
    assert statuses(cohort(county))["p1"] == "scored"


@pytest.mark.parametrize(
    "reason", ["transferred", "suspended", "dropped_out", "deceased", "moved_abroad", "other"]
)
def test_who_left_for_good_has_no_row(county: SmallCounty, reason: str):
    county.close("p1", SNAPSHOT - timedelta(days=5), reason)
    assert "p1" not in statuses(cohort(county))


@pytest.mark.parametrize(
    ("days", "status"),
    [(1, "scored"), (100, "scored"), (101, "between_spells"), (200, "between_spells"), (201, None)],
)
def test_promoted_pupils_are_awaited_for_a_hundred_days_and_an_open_case_for_two_hundred(
    county: SmallCounty, days: int, status: str | None
):
    county.close("p1", SCHOOL_YEAR_END, "promoted")
    found = statuses(cohort(county, SCHOOL_YEAR_END + timedelta(days=days)))
    assert found.get("p1") == status


@pytest.mark.parametrize(("grade", "status"), [(6, "scored"), (8, "scored"), (9, None), (12, None)])
def test_graduated_below_grade_nine_is_awaited_and_above_is_done(
    county: SmallCounty, grade: int, status: str | None
):
    county.enrol("g", at="B:6A", grade=grade)
    county.close("g", SCHOOL_YEAR_END, "graduated")
    assert statuses(cohort(county, date(2026, 8, 15))).get("g") == status


def test_between_two_spells_the_pupil_is_listed_where_the_last_one_was(county: SmallCounty):
    county.close("p1", SCHOOL_YEAR_END, "promoted")
    county.enrol("p1", at="B:8A", grade=8, since=date(2026, 9, 1))
    query = "SELECT school_id, grade FROM cohort WHERE student_id = 'p1'"
    assert rows_of(cohort(county, date(2026, 8, 15)), query) == [("A", 7)]
    assert rows_of(cohort(county, date(2026, 9, 1)), query) == [("B", 8)]


def test_only_the_last_spell_decides_whether_a_pupil_is_awaited(county: SmallCounty):
    county.close("p1", date(2025, 9, 30), "promoted")
    county.enrol(
        "p1", at="B:7A", since=date(2025, 10, 1), ended_on=date(2025, 11, 3), end_reason="moved_abroad"
    )
    assert "p1" not in statuses(cohort(county))


def test_persuaded_back_is_in_the_cohort_again(county: SmallCounty):
    county.close("p1", date(2025, 9, 30), "dropped_out")
    county.enrol("p1", since=date(2025, 11, 3))
    assert statuses(cohort(county))["p1"] == "scored"


def test_home_teaching_is_enrolled_but_not_scored(county: SmallCounty):
    county.student("p1", placement="home_teaching")
    county.student("p2", placement="special_school")
    found = statuses(cohort(county))
    assert (found["p1"], found["p2"]) == ("home_teaching", "scored")


@pytest.mark.parametrize(("missed", "status"), [(19, "scored"), (20, "absent_long")])
def test_twenty_unexcused_school_days_running_make_a_long_absence(
    county: SmallCounty, missed: int, status: str
):
    county.marks(["p1"], DAYS[-missed:], UNEXCUSED)
    assert statuses(cohort(county))["p1"] == status


def test_a_day_without_a_mark_neither_breaks_a_streak_nor_counts(county: SmallCounty):
    county.marks(["p1"], DAYS[-20:], UNEXCUSED)
    county.marks(["p1"], [DAYS[-10]], None)
    assert statuses(cohort(county))["p1"] == "scored"
    county.marks(["p1"], [DAYS[-21]], UNEXCUSED)
    assert statuses(cohort(county))["p1"] == "absent_long"


@pytest.mark.parametrize("mark", ["present", "late", "absent_sick", "absent_leave", "home_taught"])
def test_any_other_mark_breaks_a_streak(county: SmallCounty, mark: str):
    county.marks(["p1"], DAYS[-30:], UNEXCUSED)
    county.marks(["p1"], [DAYS[-15]], mark)
    assert statuses(cohort(county))["p1"] == "scored"


def test_a_streak_that_is_over_is_forgiven(county: SmallCounty):
    county.marks(["p1"], DAYS[:30], UNEXCUSED)
    assert statuses(cohort(county))["p1"] == "scored"


def test_days_without_a_kept_register_do_not_count_into_a_streak(county: SmallCounty):
    county.calendar(AUTUMN, county_id="C1")
    county.marks(["p1"], DAYS[-20:], UNEXCUSED)
    county.marks(["p2", "p3", "p4"], DAYS[-3:-1], None)
    assert statuses(cohort(county))["p1"] == "scored"


def test_a_class_that_kept_no_register_on_its_last_thirty_days_is_said_to_have_none(county: SmallCounty):
    county.enrol("q1", at="B:7A")
    assert statuses(cohort(county))["q1"] == "no_register"
    county.marks(["q1"], [DAYS[-30]])
    assert statuses(cohort(county))["q1"] == "scored"
    county.marks(["q1"], [DAYS[-30]], None)
    county.marks(["q1"], [DAYS[-31]])
    assert statuses(cohort(county))["q1"] == "no_register"


@pytest.mark.parametrize(("elapsed", "status"), [(9, "scored"), (10, "no_register")])
def test_silence_is_said_after_ten_school_days(county: SmallCounty, elapsed: int, status: str):
    county.enrol("q1", at="B:7A")
    assert statuses(cohort(county, DAYS[elapsed - 1]))["q1"] == status


def test_where_a_county_delivers_no_attendance_everybody_is_scored(county: SmallCounty):
    county.school("Z", county_id="C2")
    county.enrol("z1", at="Z:1A", grade=1)
    county.calendar(AUTUMN)
    assert statuses(cohort(county))["z1"] == "scored"


@pytest.mark.parametrize(
    ("first", "second", "listed"),
    [
        ({"since": date(2025, 9, 8)}, {"since": date(2025, 9, 1)}, "A"),
        ({"recorded_on": date(2025, 9, 2)}, {"recorded_on": date(2025, 9, 5)}, "B"),
        ({}, {}, "B"),
    ],
    ids=["later started_on", "then later recorded_on", "then greater school_id"],
)
def test_two_open_spells_list_the_pupil_once(county: SmallCounty, first: dict, second: dict, listed: str):
    county.enrol("two", at="A:7A", **first)
    county.enrol("two", at="B:7A", **second)
    assert rows_of(cohort(county), "SELECT school_id FROM cohort WHERE student_id = 'two'") == [(listed,)]


def test_the_configuration_narrows_the_grades(county: SmallCounty):
    county.enrol("old", at="B:11A", grade=11)
    assert "old" in statuses(cohort(county))
    assert "old" not in statuses(cohort(county, grades=tuple(range(1, 10))))
