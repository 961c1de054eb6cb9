"""Who did not come back when a term began, contract §2:

- `non_return` (dated on a term's first school day: the class kept a register on >= 10 of the first 15 school
  days and the pupil has no mark but `absent_unexcused` on them).

The winter break within a spell first, then the summer between two.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.labelled import CLASS, OTHERS, labelled, ordinary_county
from tests.small_county import (
    AUTUMN,
    NEXT_AUTUMN,
    NEXT_START,
    SPRING,
    SPRING_START,
    UNEXCUSED,
    SmallCounty,
)

WINTER, WINTER_FIT = date(2026, 1, 10), date(2026, 5, 29)
SUMMER, SUMMER_FIT = date(2026, 7, 10), date(2026, 12, 31)
PROMOTED_ON = date(2026, 7, 4)


def in_winter(county: SmallCounty, **more):
    return labelled(county, snapshots=(WINTER,), **{"fit": WINTER_FIT, **more})


def in_summer(county: SmallCounty, **more):
    return labelled(county, snapshots=(SUMMER,), **{"fit": SUMMER_FIT, **more})


@pytest.fixture
def winter() -> SmallCounty:
    """p1 was last seen before the winter break."""
    county = ordinary_county()
    county.marks(["p1"], SPRING, None)
    return county


@pytest.fixture
def summer() -> SmallCounty:
    """Everybody is promoted; all but p1 are enrolled in grade 8 and present from the first day."""
    county = ordinary_county()
    for pupil in (*CLASS, *OTHERS):
        county.close(pupil, PROMOTED_ON, "promoted")
    county.enrol(*CLASS[1:], at="A:8A", grade=8, since=NEXT_START)
    county.enrol(*OTHERS, at="B:8A", grade=8, since=NEXT_START)
    county.calendar(NEXT_AUTUMN, county_id="C1")
    county.marks([*CLASS[1:], *OTHERS], NEXT_AUTUMN)
    return county


def test_no_mark_on_the_first_fifteen_days_is_a_non_return_dated_on_the_terms_first_day(winter: SmallCounty):
    row = in_winter(winter)["p1"]
    assert (row.label, row.non_return, row.happened_on) == (1, True, SPRING_START)


def test_unexcused_absence_on_those_days_is_a_non_return_too(winter: SmallCounty):
    winter.marks(["p1"], SPRING[:15], UNEXCUSED)
    winter.marks(["p1"], SPRING[15:], "present")
    row = in_winter(winter)["p1"]
    assert (row.label, row.long_absence, row.happened_on) == (1, False, SPRING_START)


@pytest.mark.parametrize("mark", ["present", "late", "absent_sick", "absent_leave"])
def test_any_other_mark_on_one_of_those_days_is_a_return(winter: SmallCounty, mark: str):
    winter.marks(["p1"], [SPRING[14]], mark)
    assert in_winter(winter)["p1"].label == 0


def test_a_mark_after_the_first_fifteen_days_comes_too_late(winter: SmallCounty):
    winter.marks(["p1"], SPRING[15:], "present")
    assert in_winter(winter)["p1"].label == 1


@pytest.mark.parametrize(("kept", "label", "state"), [(10, 1, "positive"), (9, None, "unknown")])
def test_the_class_must_have_kept_its_register_on_ten_of_the_first_fifteen_days(
    winter: SmallCounty, kept: int, label: int | None, state: str
):
    winter.marks(CLASS, SPRING[kept:15], None)
    row = in_winter(winter)["p1"]
    assert (row.label, row.state) == (label, state)


def test_a_badly_kept_term_start_is_no_question_once_the_pupil_is_seen(winter: SmallCounty):
    winter.marks(CLASS, SPRING[:6], None)
    winter.marks(["p1"], SPRING[20:], "present")
    assert in_winter(winter)["p1"].label == 0


def test_a_mark_on_a_badly_kept_day_is_a_sign_of_return_all_the_same(winter: SmallCounty):
    winter.marks(CLASS, SPRING[:1], None)
    winter.marks(["p1"], SPRING[:1], "present")
    assert in_winter(winter)["p1"].label == 0


def test_a_term_that_starts_after_the_window_is_not_asked(winter: SmallCounty):
    early = SPRING_START - timedelta(days=91)
    assert labelled(winter, snapshots=(early,), fit=WINTER_FIT)["p1"].label == 0
    assert labelled(winter, snapshots=(early + timedelta(days=1),), fit=WINTER_FIT)["p1"].label == 1


def test_a_class_whose_first_fifteen_days_are_not_over_decides_nothing(winter: SmallCounty):
    """Only with a short reporting lag can a label be asked for so early."""
    found = labelled(
        winter, snapshots=(date(2025, 12, 10),), fit=SPRING[12], horizon_days=83, reporting_lag_days=0
    )
    assert {pupil: row.state for pupil, row in found.items()} == {
        "p1": "unknown",
        "p2": "negative",
        "p3": "negative",
        "p4": "negative",
    }


def test_who_left_for_elsewhere_in_the_first_days_is_not_waited_for(winter: SmallCounty):
    winter.close("p1", SPRING[5], "moved_abroad")
    row = in_winter(winter)["p1"]
    assert (row.state, row.non_return, row.happened_on) == ("censored", False, SPRING[5])


def test_a_school_that_sends_only_absences_names_those_who_did_not_return(winter: SmallCounty):
    winter.marks(CLASS, SPRING, None)
    winter.headcounts("A:7A", SPRING)
    winter.marks(["p1"], SPRING[:15], UNEXCUSED)
    found = in_winter(winter)
    assert (found["p1"].non_return, found["p2"].label) == (True, 0)


def test_with_the_component_disabled_a_missing_register_at_term_start_is_no_question(winter: SmallCounty):
    winter.marks(CLASS, SPRING[9:15], None)
    assert in_winter(winter, components=("dropped_out", "long_absence"))["p1"].label == 0


def test_promoted_and_enrolled_nowhere_is_asked_for_in_the_class_of_the_old_classmates(summer: SmallCounty):
    found = in_summer(summer)
    assert (found["p1"].label, found["p1"].happened_on) == (1, NEXT_START)
    assert [found[pupil].label for pupil in CLASS[1:]] == [0, 0, 0]


def test_enrolled_in_the_next_grade_and_never_seen_there_did_not_return(summer: SmallCounty):
    summer.enrol("p1", at="A:8A", grade=8, since=NEXT_START)
    assert in_summer(summer)["p1"].non_return


def test_enrolled_late_and_present_within_the_first_days_did_return(summer: SmallCounty):
    summer.enrol("p1", at="B:8A", grade=8, since=NEXT_AUTUMN[12])
    summer.marks(["p1"], NEXT_AUTUMN[12:])
    assert in_summer(summer)["p1"].label == 0


def test_enrolled_late_and_never_seen_did_not_return_by_the_register_of_that_class(summer: SmallCounty):
    summer.enrol("p1", at="B:8A", grade=8, since=NEXT_AUTUMN[12])
    assert in_summer(summer)["p1"].non_return
    summer.marks(OTHERS, NEXT_AUTUMN[:6], None)
    assert not in_summer(summer)["p1"].non_return


def test_a_spell_closed_late_on_the_first_days_of_term_is_still_last_years_class(summer: SmallCounty):
    for row in summer.rows["enrolments"]:
        if row["student_id"] == "p1" and row.get("ended_on"):
            row |= {"ended_on": NEXT_AUTUMN[2], "recorded_on": NEXT_AUTUMN[2]}
    assert in_summer(summer)["p1"].non_return


def test_seen_at_school_though_enrolled_nowhere_is_a_return(summer: SmallCounty):
    summer.marks(["p1"], NEXT_AUTUMN[3:])
    assert in_summer(summer)["p1"].label == 0


def test_with_no_classmate_to_follow_the_register_of_the_old_school_tells(summer: SmallCounty):
    summer.enrol("lone", at="A:7B")
    summer.marks(["lone"], [*AUTUMN, *SPRING])
    summer.close("lone", PROMOTED_ON, "promoted")
    row = in_summer(summer, pupils=("lone",))["lone"]
    assert (row.label, row.happened_on) == (1, NEXT_START)


@pytest.fixture
def leavers() -> SmallCounty:
    """Grade 6 of primary P graduates into grade 7 of the junior schools A and, one of them, B; not k1."""
    county = ordinary_county()
    county.school("P")
    six = ("k1", "k2", "k3", "k4")
    county.enrol(*six, at="P:6A", grade=6)
    county.enrol("l1", "l2", at="P:5A", grade=5)
    county.marks([*six, "l1", "l2"], [*AUTUMN, *SPRING])
    for pupil in six:
        county.close(pupil, PROMOTED_ON, "graduated")
    county.enrol("k2", "k3", at="A:7A", since=NEXT_START)
    county.enrol("k4", at="B:7A", since=NEXT_START)
    county.calendar(NEXT_AUTUMN, county_id="C1")
    county.marks([*CLASS, *OTHERS, "k2", "k3", "k4", "l1", "l2"], NEXT_AUTUMN)
    return county


def after_grade_six(county: SmallCounty):
    return in_summer(county, pupils=("k1", "k2", "k3", "k4"), school="P")


def test_from_grade_six_to_seven_who_arrives_is_a_zero_and_who_does_not_a_one(leavers: SmallCounty):
    found = after_grade_six(leavers)
    assert {pupil: row.label for pupil, row in found.items()} == {"k1": 1, "k2": 0, "k3": 0, "k4": 0}
    assert found["k1"].happened_on == NEXT_START


def test_who_should_be_at_a_silent_junior_school_is_unknown_though_the_primary_school_speaks(
    leavers: SmallCounty,
):
    leavers.marks([*CLASS, "k2", "k3"], NEXT_AUTUMN, None)
    found = after_grade_six(leavers)
    assert {pupil: row.state for pupil, row in found.items()} == {
        "k1": "unknown",
        "k2": "unknown",
        "k3": "unknown",
        "k4": "negative",
    }


def test_a_village_school_that_closes_over_the_summer_hides_nobody(leavers: SmallCounty):
    for pupil in ("l1", "l2"):
        leavers.close(pupil, PROMOTED_ON, "promoted")
        leavers.enrol(pupil, at="A:6A", grade=6, since=NEXT_START)
    assert after_grade_six(leavers)["k1"].label == 1
