"""A label is care-affected when somebody cared for the pupil within the window and before the event."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.labelled import FIT, HORIZON, SNAPSHOT, labelled, ordinary_county

UNTIL = SNAPSHOT + timedelta(days=HORIZON)
BEFORE, INSIDE, AFTER = date(2025, 9, 20), date(2025, 11, 5), UNTIL + timedelta(days=1)

CASES = {
    "opened in the window": ([(INSIDE, "opened")], True),
    "opened before and never closed": ([(BEFORE, "opened")], True),
    "closed before the window": ([(BEFORE, "opened"), (date(2025, 9, 30), "closed")], False),
    "closed on the snapshot": ([(BEFORE, "opened"), (SNAPSHOT, "closed")], False),
    "closed on the window's first day": ([(BEFORE, "opened"), (SNAPSHOT + timedelta(1), "closed")], True),
    "a closing whose opening nobody wrote down": ([(INSIDE, "closed")], True),
    "reopened by a contact": ([(BEFORE, "opened"), (SNAPSHOT, "closed"), (INSIDE, "contact")], True),
    "a plan on the last day": ([(UNTIL, "plan")], True),
    "only after the window": ([(AFTER, "opened")], False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_case_open_or_touched_within_the_window_affects_the_label(name):
    steps, affected = CASES[name]
    county = ordinary_county()
    county.care("p1", *steps)
    rows = labelled(county)
    assert rows["p1"].care_affected is affected
    assert rows["p1"].state == "negative", "the flag changes no label"
    assert not rows["p2"].care_affected


def test_care_that_came_after_the_pupil_had_left_did_not_affect_the_leaving():
    left_on = date(2025, 11, 10)
    for opened, affected in ((left_on - timedelta(days=1), True), (left_on, False)):
        county = ordinary_county()
        county.close("p1", left_on, "dropped_out")
        county.care("p1", (opened, "opened"))
        row = labelled(county)["p1"]
        assert (row.label, row.care_affected) == (1, affected)


def test_only_care_recorded_by_the_day_of_the_fit_counts():
    county = ordinary_county()
    county.care("p1", (INSIDE, "opened"), recorded_on=FIT + timedelta(days=1))
    county.care("p2", (INSIDE, "opened"), recorded_on=FIT)
    rows = labelled(county)
    assert (rows["p1"].care_affected, rows["p2"].care_affected) == (False, True)


def test_care_is_found_under_the_identifier_of_today():
    county = ordinary_county()
    county.rows["student_aliases"].append({"old_student_id": "old", "student_id": "p1"})
    county.care("p1", (INSIDE, "contact"))
    assert labelled(county, pupils=("old",))["old"].care_affected


def test_two_cases_are_told_apart():
    county = ordinary_county()
    county.care("p1", (BEFORE, "opened"), case="K1")
    county.care("p1", (date(2025, 9, 30), "closed"), case="K2")
    assert labelled(county)["p1"].care_affected, "the closing of another case leaves this one open"
