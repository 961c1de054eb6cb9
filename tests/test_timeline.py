"""School days and kept registers, contract §2, sentence by sentence.

- School days. From `calendar`; without it, days on which at least half of a county's pupils have a mark;
- a term starts with the county's first school day after >= 14 days without one.
- A gap at one school is silence, not holiday.
- Streaks, rates and "days since" count only days on which the pupil's class kept a register (a mark for
  >= half of it, or a complete headcount).
- Two open spells: the pupil is listed under the later started_on, then recorded_on, then school_id (§1).
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from risk_model.timeline import build_timeline
from tests.small_county import (
    AUTUMN,
    AUTUMN_START,
    SPRING,
    SPRING_START,
    SmallCounty,
    rows_of,
    weekdays,
)

LAST = date(2025, 9, 30)
DAYS = weekdays(AUTUMN_START, LAST)
TUESDAY = date(2025, 9, 9)
FOUR = ("p1", "p2", "p3", "p4")


@pytest.fixture
def county() -> SmallCounty:
    """School A with class 7A of four pupils, school B with class 7A of four others."""
    county = SmallCounty()
    county.school("A")
    county.school("B")
    county.enrol(*FOUR, at="A:7A")
    county.enrol("q1", "q2", "q3", "q4", at="B:7A")
    return county


def timeline(county: SmallCounty, day: date = LAST, since: date = date(2025, 7, 1)):
    con = county.known_on(day)
    build_timeline(con, day, since=since)
    return con


def school_days(con, school: str = "A") -> list[date]:
    return [
        day for (day,) in rows_of(con, "SELECT day FROM school_days WHERE school_id = ? ORDER BY day", school)
    ]


def kept_days(con, class_key: str = "A:7A:2025") -> list[date]:
    query = "SELECT day FROM class_days WHERE class_key = ? AND kept ORDER BY day"
    return [day for (day,) in rows_of(con, query, class_key)]


def marks_of(con, pupil: str) -> dict[date, str | None]:
    return dict(rows_of(con, "SELECT day, mark FROM pupil_days WHERE student_id = ?", pupil))


def test_school_days_come_from_the_calendar(county: SmallCounty):
    county.calendar(DAYS, county_id="C1")
    county.marks(FOUR, [date(2025, 9, 6)])
    assert school_days(timeline(county)) == DAYS


def test_the_calendar_reaches_beyond_today(county: SmallCounty):
    county.calendar(DAYS, county_id="C1")
    con = timeline(county, day=date(2025, 9, 10))
    assert school_days(con)[-1] == LAST
    assert rows_of(con, "SELECT max(day) FROM class_days") == [(date(2025, 9, 10),)]


def test_a_calendar_row_of_the_school_goes_before_the_countys_and_that_before_everybodys(county: SmallCounty):
    monday, tuesday, wednesday = DAYS[:3]
    county.calendar([monday, tuesday, wednesday])
    county.calendar([tuesday], school_day=False, county_id="C1")
    county.calendar([wednesday], school_day=False, county_id="C1")
    county.calendar([wednesday], school_id="A")
    con = timeline(county)
    assert school_days(con, "A") == [monday, wednesday]
    assert school_days(con, "B") == [monday]


def test_a_calendar_says_nothing_about_the_school_years_it_does_not_name(county: SmallCounty):
    county.calendar([date(2025, 3, 3), date(2026, 9, 1)], county_id="C1")
    county.marks([*FOUR, "q1", "q2", "q3", "q4"], DAYS)
    found = school_days(timeline(county, since=date(2025, 2, 1)))
    assert found == [date(2025, 3, 3), *DAYS, date(2026, 9, 1)]


def test_without_a_calendar_a_day_is_a_school_day_when_half_of_the_countys_pupils_have_a_mark(
    county: SmallCounty,
):
    half, less = DAYS[:2]
    county.marks(FOUR, [half], "absent_sick")
    county.marks(FOUR[:3], [less])
    assert school_days(timeline(county)) == [half]


def test_the_other_countys_pupils_do_not_make_a_school_day(county: SmallCounty):
    county.school("Z", county_id="C2")
    county.enrol("z1", at="Z:1A", grade=1)
    county.marks(["z1"], DAYS)
    con = timeline(county)
    assert school_days(con, "Z") == DAYS
    assert school_days(con, "A") == []


def test_a_complete_headcount_marks_its_pupils_for_the_school_day(county: SmallCounty):
    county.headcounts("A:7A", DAYS)
    assert school_days(timeline(county)) == DAYS


@pytest.mark.parametrize(("without", "starts"), [(14, True), (13, False)])
def test_a_term_starts_after_fourteen_days_without_a_school_day(
    county: SmallCounty, without: int, starts: bool
):
    last = AUTUMN[-1]
    first = last + timedelta(days=without + 1)
    county.calendar([*AUTUMN, first, first + timedelta(days=1)], county_id="C1")
    con = timeline(county, day=date(2026, 3, 1))
    found = rows_of(con, "SELECT DISTINCT term_start FROM school_days WHERE day >= ?", first)
    assert found == [(first if starts else AUTUMN_START,)]


def test_no_term_start_is_claimed_where_nobody_looked_fourteen_days_back(county: SmallCounty):
    county.calendar(DAYS, county_id="C1")
    con = timeline(county, since=AUTUMN_START - timedelta(days=13))
    assert rows_of(con, "SELECT DISTINCT term_start FROM school_days") == [(None,)]


def test_a_gap_at_one_school_is_silence_not_holiday(county: SmallCounty):
    county.marks(FOUR, [*AUTUMN, *SPRING])
    county.marks(["q1", "q2", "q3", "q4"], [day for day in [*AUTUMN, *SPRING] if not 9 < day.month < 12])
    con = timeline(county, day=SPRING[-1])
    assert school_days(con, "B") == school_days(con, "A") == [*AUTUMN, *SPRING]
    terms = rows_of(con, "SELECT DISTINCT term_start FROM school_days WHERE school_id = 'B' ORDER BY 1")
    assert terms == [(AUTUMN_START,), (SPRING_START,)]
    silent = date(2025, 10, 15)
    assert silent in kept_days(con, "A:7A:2025")
    assert silent not in kept_days(con, "B:7A:2025")


def test_school_days_are_numbered_without_gaps(county: SmallCounty):
    county.calendar([*AUTUMN, *SPRING], county_id="C1")
    numbers = rows_of(timeline(county), "SELECT day_no FROM school_days WHERE school_id = 'A' ORDER BY day")
    assert [number for (number,) in numbers] == list(range(1, len(AUTUMN) + len(SPRING) + 1))


def test_a_class_keeps_its_register_with_a_mark_for_half_of_it(county: SmallCounty):
    county.calendar(DAYS, county_id="C1")
    county.marks(["p1", "p2"], [DAYS[0]])
    county.marks(["p1"], [DAYS[1]])
    assert kept_days(timeline(county)) == [DAYS[0]]


def test_a_class_keeps_its_register_with_a_complete_headcount(county: SmallCounty):
    county.calendar(DAYS, county_id="C1")
    county.headcounts("A:7A", [DAYS[0]])
    county.headcounts("A:7A", [DAYS[1]], complete=False)
    con = timeline(county)
    assert kept_days(con) == [DAYS[0]]
    assert kept_days(con, "B:7A:2025") == []


def test_a_complete_headcount_of_the_school_is_one_of_each_of_its_classes(county: SmallCounty):
    county.enrol("p5", at="A:8A", grade=8)
    county.calendar(DAYS, county_id="C1")
    county.headcounts("A", [DAYS[0]])
    con = timeline(county)
    assert kept_days(con, "A:7A:2025") == kept_days(con, "A:8A:2025") == [DAYS[0]]


def test_on_a_complete_headcount_pupils_without_a_row_were_present(county: SmallCounty):
    county.headcounts("A:7A", [TUESDAY])
    county.marks(["p1"], [TUESDAY], "absent_sick")
    con = timeline(county)
    assert marks_of(con, "p1") == {TUESDAY: "absent_sick"}
    assert marks_of(con, "p2") == {TUESDAY: "present"}


def test_a_pupil_without_a_mark_on_a_kept_day_is_neither_present_nor_absent(county: SmallCounty):
    county.calendar(DAYS, county_id="C1")
    county.marks(["p1", "p2", "p3"], [TUESDAY])
    con = timeline(county)
    assert marks_of(con, "p4") == {TUESDAY: None}
    assert marks_of(con, "p1") == {TUESDAY: "present"}


def test_a_day_on_which_the_class_kept_no_register_is_no_day_of_its_pupils(county: SmallCounty):
    county.calendar(DAYS, county_id="C1")
    county.marks(["p1"], [TUESDAY])
    assert marks_of(timeline(county), "p1") == {}


def test_days_after_today_are_not_looked_at(county: SmallCounty):
    county.marks([*FOUR, "q1", "q2", "q3", "q4"], DAYS)
    con = county.known_on(LAST)
    build_timeline(con, TUESDAY, since=AUTUMN_START)
    assert max(marks_of(con, "p1")) == max(school_days(con)) == TUESDAY


def test_a_class_id_means_another_class_in_another_school_year(county: SmallCounty):
    county.enrol("p9", at="A:7A", since=date(2024, 9, 1), ended_on=date(2025, 7, 4), end_reason="promoted")
    keys = rows_of(
        timeline(county), "SELECT student_id, class_key FROM spells WHERE student_id IN ('p1', 'p9')"
    )
    assert sorted(keys) == [("p1", "A:7A:2025"), ("p9", "A:7A:2024")]


def test_pupils_without_a_class_id_are_a_class_by_grade(county: SmallCounty):
    county.school("V")
    county.enrol("v1", "v2", at="V", grade=3)
    county.enrol("v3", at="V", grade=4)
    con = timeline(county)
    found = dict(rows_of(con, "SELECT student_id, class_key FROM spells WHERE school_id = 'V'"))
    assert found["v1"] == found["v2"] != found["v3"]


def test_a_school_no_register_places_belongs_to_the_unknown_county(county: SmallCounty):
    county.enrol("x1", at="X:1A", grade=1)
    found = rows_of(timeline(county), "SELECT county_id FROM spells WHERE student_id = 'x1'")
    assert found == [("unknown",)]


def test_of_two_open_spells_the_later_started_one_counts_and_the_other_after_it_ends(county: SmallCounty):
    county.calendar(DAYS, county_id="C1")
    county.enrol("p1", at="B:7A", since=DAYS[5], ended_on=DAYS[9], end_reason="transferred")
    county.marks([*FOUR, "q1", "q2", "q3", "q4"], DAYS)
    con = timeline(county)
    found = dict(rows_of(con, "SELECT day, school_id FROM pupil_days WHERE student_id = 'p1'"))
    assert [found[day] for day in DAYS] == ["A"] * 5 + ["B"] * 5 + ["A"] * (len(DAYS) - 10)


def test_marks_follow_a_pupil_who_moves_to_another_school(county: SmallCounty):
    county.calendar(DAYS, county_id="C1")
    county.close("p1", DAYS[9], "transferred")
    county.enrol("p1", at="B:7A", since=DAYS[10])
    county.marks([*FOUR, "q1", "q2", "q3", "q4"], DAYS)
    con = timeline(county)
    assert set(marks_of(con, "p1")) == set(DAYS)
    sizes = dict(rows_of(con, "SELECT day, expected FROM class_days WHERE class_key = 'B:7A:2025'"))
    assert (sizes[DAYS[9]], sizes[DAYS[10]]) == (4, 5)


def test_registers_that_are_absent_leave_an_empty_timeline(county: SmallCounty):
    con = timeline(county)
    assert rows_of(con, "SELECT count(*) FROM school_days") == [(0,)]
    assert rows_of(con, "SELECT count(*) FROM pupil_days") == [(0,)]
    assert rows_of(con, "SELECT count(*) FROM spells") == [(8,)]


NINTH = "A:9A:2025"
TWELVE = tuple(f"l{number:02}" for number in range(12))


@pytest.fixture
def long_spells(county: SmallCounty) -> SmallCounty:
    """Twelve pupils with one spell since 2023, moved up in place to class 9A, and a newcomer in it."""
    since, moved_up = date(2023, 9, 1), date(2025, 9, 1)
    county.enrol(*TWELVE, at="A:7A", grade=7, since=since)
    county.enrol(*TWELVE, at="A:9A", grade=9, since=since, recorded_on=moved_up)
    county.enrol("new", at="A:9A", grade=9, since=moved_up)
    return county


def class_keys(con, pupils: tuple[str, ...]) -> set[str]:
    return {key for (key,) in rows_of(con, "SELECT class_key FROM spells WHERE student_id IN ?", pupils)}


def test_pupils_moved_up_in_place_share_the_class_of_the_newcomer(long_spells: SmallCounty):
    con = timeline(long_spells)
    assert class_keys(con, (*TWELVE, "new")) == {NINTH}
    long_spells.marks((*TWELVE, "new"), DAYS)
    assert rows_of(
        timeline(long_spells), "SELECT DISTINCT expected FROM class_days WHERE class_key = ?", NINTH
    ) == [(13,)]


def test_the_year_of_an_open_spells_class_turns_on_the_first_of_august(long_spells: SmallCounty):
    assert class_keys(timeline(long_spells, date(2025, 7, 31)), TWELVE) == {"A:7A:2024"}
    assert class_keys(timeline(long_spells, date(2025, 8, 1)), TWELVE) == {"A:7A:2025"}


def test_registers_of_earlier_years_count_for_those_who_were_classmates_then(long_spells: SmallCounty):
    autumn = weekdays(date(2023, 9, 4), date(2023, 9, 29))
    long_spells.marks(TWELVE, autumn)
    con = timeline(long_spells, since=date(2023, 8, 1))
    assert set(autumn) <= set(kept_days(con, NINTH))
    assert set(marks_of(con, "l00")) == set(autumn)


@pytest.mark.parametrize(
    ("ended", "reason", "key"),
    [
        (date(2025, 7, 10), "promoted", "A:6A:2024"),
        (date(2025, 8, 31), "promoted", "A:6A:2024"),
        (date(2025, 9, 1), "promoted", "A:6A:2024"),
        (date(2025, 8, 31), "transferred", "A:6A:2024"),
        (date(2025, 9, 20), "transferred", "A:6A:2025"),
    ],
)
def test_an_ended_spell_keeps_the_class_of_its_last_school_year(county: SmallCounty, ended, reason, key):
    county.enrol("p9", at="A:6A", grade=6, since=date(2024, 9, 1))
    county.close("p9", ended, reason)
    assert class_keys(timeline(county), ("p9",)) == {key}
