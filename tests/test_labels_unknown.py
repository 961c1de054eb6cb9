"""Who has no label and why, contract §2, sentence by sentence.

- censored (no label): first suspended, dead, moved abroad, moved to home teaching, graduated in grade 9 or
  12, or transferred with no enrolment in the lake within 30 days; a transfer that is followed stays in.
- already_out (no label, out of fit and test, counted): later learnt to have left on or before `s`.
- matured at `s + H + lag`, and only if the lake's registers reach that day and the school's register covers
  >= 50 % of the window's school days; before that, and for a silent school, unknown, never 0.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.labelled import CLASS, FIT, HORIZON, OTHERS, SNAPSHOT, labelled, ordinary_county
from tests.small_county import AUTUMN, SPRING, UNEXCUSED, SmallCounty

AFTER = [day for day in AUTUMN if day > SNAPSHOT]
WINDOW = [day for day in AFTER if day <= SNAPSHOT + timedelta(days=HORIZON)]
LEFT_ON = AFTER[20]
MATURED_ON = SNAPSHOT + timedelta(days=HORIZON + 28)


@pytest.fixture
def county() -> SmallCounty:
    return ordinary_county()


@pytest.mark.parametrize("reason", ["suspended", "deceased", "moved_abroad"])
def test_suspended_dead_or_moved_abroad_is_censored(county: SmallCounty, reason: str):
    county.close("p1", LEFT_ON, reason)
    row = labelled(county)["p1"]
    assert (row.label, row.state, row.happened_on) == (None, "censored", LEFT_ON)


@pytest.mark.parametrize(("grade", "state"), [(9, "censored"), (12, "censored"), (6, "negative")])
def test_graduated_in_grade_nine_or_twelve_is_censored(county: SmallCounty, grade: int, state: str):
    county.enrol("g", "h", at="A:X", grade=grade)
    county.marks(["g", "h"], AUTUMN)
    county.close("g", AUTUMN[-1], "graduated")
    row = labelled(county, pupils=("g", "h"), horizon_days=100)["g"]
    assert row.state == state


def test_moved_to_home_teaching_is_censored_on_the_first_mark_that_says_so(county: SmallCounty):
    county.marks(["p1"], AFTER[20:], "home_taught")
    row = labelled(county)["p1"]
    assert (row.label, row.state, row.happened_on) == (None, "censored", LEFT_ON)


@pytest.mark.parametrize(("days", "state"), [(HORIZON, "censored"), (HORIZON + 1, "negative")])
def test_moved_to_home_teaching_is_censored_when_the_register_of_pupils_says_so(
    county: SmallCounty, days: int, state: str
):
    county.student("p1", placement="home_teaching", recorded_on=SNAPSHOT + timedelta(days=days))
    county.student("p2", placement="special_school", recorded_on=SNAPSHOT + timedelta(days=days))
    found = labelled(county)
    assert (found["p1"].state, found["p2"].state) == (state, "negative")


@pytest.mark.parametrize(
    ("days", "state"), [(1, "negative"), (30, "negative"), (31, "censored"), (None, "censored")]
)
def test_a_transfer_with_no_enrolment_within_thirty_days_is_censored(
    county: SmallCounty, days: int | None, state: str
):
    county.close("p1", LEFT_ON, "transferred")
    if days is not None:
        county.enrol("p1", at="B:7A", since=LEFT_ON + timedelta(days=days))
    assert labelled(county)["p1"].state == state


def test_a_transfer_that_is_followed_stays_in_and_leaving_there_is_a_one(county: SmallCounty):
    county.close("p1", AFTER[5], "transferred")
    county.enrol("p1", at="B:7A", since=AFTER[6])
    county.close("p1", AFTER[30], "dropped_out")
    row = labelled(county)["p1"]
    assert (row.label, row.happened_on) == (1, AFTER[30])


def test_a_transfer_into_a_spell_that_had_begun_before_is_followed(county: SmallCounty):
    county.enrol("p1", at="B:7A", since=AFTER[0])
    county.rows["enrolments"].append(
        {
            **county.rows["enrolments"][0],
            "ended_on": LEFT_ON,
            "end_reason": "transferred",
            "recorded_on": LEFT_ON,
        }
    )
    assert labelled(county)["p1"].state == "negative"


def test_a_spell_that_was_over_before_follows_no_transfer(county: SmallCounty):
    county.enrol(
        "p1", at="B:6A", grade=6, since=date(2024, 9, 1), ended_on=date(2025, 7, 4), end_reason="promoted"
    )
    county.enrol("p1", at="A:7A")
    county.close("p1", LEFT_ON, "transferred")
    assert labelled(county)["p1"].state == "censored"


@pytest.mark.parametrize("reason", ["other", None])
def test_an_end_for_unknown_reasons_that_nothing_follows_tells_nothing(
    county: SmallCounty, reason: str | None
):
    county.close("p1", LEFT_ON, reason)
    assert labelled(county)["p1"].state == "censored"
    county.enrol("p1", since=LEFT_ON + timedelta(days=3))
    assert labelled(county)["p1"].state == "negative"


def test_the_first_event_decides(county: SmallCounty):
    county.close("p1", AFTER[5], "dropped_out")
    county.enrol("p1", at="B:7A", since=AFTER[10], ended_on=AFTER[30], end_reason="moved_abroad")
    county.close("p2", AFTER[5], "suspended")
    county.enrol("p2", since=AFTER[10], ended_on=AFTER[30], end_reason="dropped_out")
    found = labelled(county)
    assert (found["p1"].state, found["p1"].happened_on) == ("positive", AFTER[5])
    assert (found["p2"].state, found["p2"].happened_on, found["p2"].dropped_out) == (
        "censored",
        AFTER[5],
        False,
    )


@pytest.mark.parametrize("reason", ["dropped_out", "transferred", "suspended", "other"])
def test_later_learnt_to_have_left_on_or_before_the_snapshot_is_already_out(county: SmallCounty, reason: str):
    county.close("p1", SNAPSHOT, reason, recorded_on=AFTER[10])
    row = labelled(county)["p1"]
    assert (row.label, row.state) == (None, "already_out")


def test_already_out_stays_so_when_the_pupil_comes_back_and_leaves_again(county: SmallCounty):
    county.close("p1", SNAPSHOT - timedelta(days=5), "dropped_out", recorded_on=AFTER[10])
    county.enrol("p1", since=AFTER[20], ended_on=AFTER[30], end_reason="dropped_out")
    assert labelled(county)["p1"].state == "already_out"


@pytest.mark.parametrize(("days", "state"), [(100, "negative"), (101, "already_out")])
def test_later_learnt_to_be_promoted_and_enrolled_nowhere_for_too_long_is_already_out(
    county: SmallCounty, days: int, state: str
):
    county.close("p1", AUTUMN[1], "promoted", recorded_on=SPRING[-1])
    row = labelled(county, snapshots=(AUTUMN[1] + timedelta(days=days),), fit=SPRING[-1])["p1"]
    assert row.state == state


def test_on_the_way_between_two_schools_is_not_out(county: SmallCounty):
    county.close("p1", SNAPSHOT - timedelta(days=5), "transferred", recorded_on=AFTER[10])
    county.enrol("p1", at="B:7A", since=SNAPSHOT + timedelta(days=10))
    assert labelled(county)["p1"].state == "negative"


def test_a_spell_that_was_an_error_was_never_in(county: SmallCounty):
    county.rows["enrolments"] = [row for row in county.rows["enrolments"] if row["student_id"] != "p1"]
    assert labelled(county)["p1"].state == "already_out"


def test_a_long_absence_completed_by_the_snapshot_and_learnt_later_is_already_out(county: SmallCounty):
    until_now = [day for day in AUTUMN if day <= SNAPSHOT]
    county.marks(["p1"], until_now[-20:], UNEXCUSED)
    county.marks(["p2"], until_now[-21:-1], UNEXCUSED)
    found = labelled(county)
    assert (found["p1"].state, found["p2"].state) == ("already_out", "negative")


def test_away_since_the_term_began_is_already_out_unless_something_more_happens(county: SmallCounty):
    county.marks(["p1", "p2"], AUTUMN, None)
    county.close("p2", LEFT_ON, "dropped_out")
    found = labelled(county, snapshots=(date(2025, 9, 10),))
    assert (found["p1"].state, found["p2"].state) == ("already_out", "positive")


@pytest.mark.parametrize(("before", "state"), [(1, "unknown"), (0, "positive")])
def test_a_label_matures_a_horizon_and_a_lag_after_the_snapshot(county: SmallCounty, before: int, state: str):
    county.close("p1", LEFT_ON, "dropped_out")
    fit = MATURED_ON - timedelta(days=before)
    county.enrol("new", since=fit)
    found = labelled(county, fit=fit)
    assert found["p1"].state == state
    assert found["p2"].label == (None if before else 0)


def test_a_label_matures_only_if_the_registers_reach_that_day(county: SmallCounty):
    county.marks([*CLASS, *OTHERS], SPRING, None)
    assert {row.state for row in labelled(county).values()} == {"unknown"}
    county.enrol("new", since=MATURED_ON)
    assert {row.state for row in labelled(county).values()} == {"negative"}


def test_the_window_of_a_label_may_lie_in_the_middle_of_history(county: SmallCounty):
    assert {row.state for row in labelled(county, fit=SPRING[-1]).values()} == {"negative"}


@pytest.mark.parametrize(("extra", "state"), [(0, "negative"), (1, "unknown")])
def test_the_schools_register_must_cover_half_of_the_windows_school_days(
    county: SmallCounty, extra: int, state: str
):
    silent = len(WINDOW) // 2 + extra
    county.marks(CLASS, WINDOW[:silent], None)
    assert {row.state for row in labelled(county).values()} == {state}


def test_a_silent_school_is_unknown_whatever_became_of_its_pupils(county: SmallCounty):
    county.marks(CLASS, WINDOW, None)
    county.close("p1", LEFT_ON, "dropped_out")
    county.close("p2", LEFT_ON, "moved_abroad")
    found = labelled(county)
    assert (found["p1"].label, found["p1"].state, found["p1"].dropped_out) == (None, "unknown", True)
    assert (found["p2"].state, found["p3"].state) == ("censored", "unknown")
    assert {row.label for row in labelled(county, pupils=OTHERS, school="B").values()} == {0}


def test_a_school_speaks_when_classes_of_half_of_its_pupils_do(county: SmallCounty):
    county.enrol("r1", "r2", "r3", "r4", at="A:8A", grade=8)
    assert {row.state for row in labelled(county).values()} == {"negative"}
    county.enrol("r5", at="A:8A", grade=8)
    assert {row.state for row in labelled(county).values()} == {"unknown"}


def test_who_moves_to_a_silent_school_is_unknown(county: SmallCounty):
    county.marks(OTHERS, WINDOW, None)
    county.close("p1", AFTER[5], "transferred")
    county.marks(["p1"], AFTER[6:], None)
    county.enrol("p1", at="B:7A", since=AFTER[6])
    found = labelled(county)
    assert (found["p1"].state, found["p2"].state) == ("unknown", "negative")


def test_a_window_without_a_school_day_shows_nobody_staying(county: SmallCounty):
    found = labelled(county, snapshots=(date(2026, 1, 17),), horizon_days=14)
    assert {row.state for row in found.values()} == {"unknown"}


def test_where_attendance_is_never_delivered_leaving_the_school_decides_alone(county: SmallCounty):
    county.absences.clear()
    county.close("p1", LEFT_ON, "dropped_out")
    county.enrol("new", since=FIT)
    found = labelled(county)
    assert {pupil: row.label for pupil, row in found.items()} == {"p1": 1, "p2": 0, "p3": 0, "p4": 0}
