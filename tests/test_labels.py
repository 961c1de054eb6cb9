"""What becomes of a cohort: the components of the label, contract §2, sentence by sentence.

- Label 1 when an enabled component happens in the window `(s, s+H]`:
- `dropped_out` (a spell ends so, on `ended_on`);
- `long_absence` (20 school days running of `absent_unexcused`, completed in the window; a day without a
  mark neither breaks nor counts, any other mark breaks);
- `non_return`: see test_labels_returns.py;
- optional `transferred_nowhere`.
- Each component is also reported alone.

Who has no label, and when one is known: test_labels_unknown.py.
"""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from tests.labelled import CLASS, FIT, HORIZON, SNAPSHOT, labelled, ordinary_county
from tests.small_county import AUTUMN, AUTUMN_START, SPRING, UNEXCUSED, SmallCounty

AFTER = [day for day in AUTUMN if day > SNAPSHOT]


@pytest.fixture
def county() -> SmallCounty:
    return ordinary_county()


def test_who_stays_is_a_zero(county: SmallCounty):
    found = labelled(county)
    assert {(row.label, row.state) for row in found.values()} == {(0, "negative")}


@pytest.mark.parametrize(
    ("days", "label"), [(0, None), (1, 1), (HORIZON, 1), (HORIZON + 1, 0)], ids=["s", "s+1", "s+H", "s+H+1"]
)
def test_dropped_out_counts_on_the_day_it_ended_in_the_window(
    county: SmallCounty, days: int, label: int | None
):
    ended_on = SNAPSHOT + timedelta(days=days)
    county.close("p1", ended_on, "dropped_out")
    row = labelled(county)["p1"]
    assert row.label == label
    assert row.happened_on == (ended_on if label else None)


def test_a_dropout_learnt_by_the_day_of_the_fit_counts_on_the_day_it_happened(county: SmallCounty):
    county.close("p1", SNAPSHOT + timedelta(days=80), "dropped_out", recorded_on=FIT)
    assert labelled(county)["p1"].label == 1


def test_labels_for_a_fit_use_only_rows_recorded_by_then(county: SmallCounty):
    county.close("p1", SNAPSHOT + timedelta(days=80), "dropped_out", recorded_on=FIT + timedelta(days=1))
    assert labelled(county)["p1"].label == 0


def test_a_long_absence_is_dated_on_the_day_it_is_completed(county: SmallCounty):
    county.marks(["p1"], AFTER[:20], UNEXCUSED)
    row = labelled(county)["p1"]
    assert (row.label, row.long_absence, row.happened_on) == (1, True, AFTER[19])


def test_nineteen_days_are_no_long_absence(county: SmallCounty):
    county.marks(["p1"], AFTER[:19], UNEXCUSED)
    assert labelled(county)["p1"].label == 0


def test_a_long_absence_begun_before_the_snapshot_counts_when_completed_after_it(county: SmallCounty):
    begun = AUTUMN.index(AFTER[0]) - 19
    county.marks(["p1"], AUTUMN[begun : begun + 20], UNEXCUSED)
    row = labelled(county)["p1"]
    assert (row.label, row.happened_on) == (1, AFTER[0])


def test_a_long_absence_completed_after_the_window_does_not_count(county: SmallCounty):
    end = SNAPSHOT + timedelta(days=HORIZON)
    inside = [day for day in AUTUMN if day <= end]
    beyond = [day for day in AUTUMN if day > end]
    county.marks(["p1"], [*inside[-19:], *beyond[:1]], UNEXCUSED)
    assert labelled(county)["p1"].label == 0


def test_a_day_without_a_mark_neither_breaks_a_long_absence_nor_counts(county: SmallCounty):
    county.marks(["p1"], AFTER[:21], UNEXCUSED)
    county.marks(["p1"], [AFTER[10]], None)
    assert labelled(county)["p1"].happened_on == AFTER[20]


@pytest.mark.parametrize("mark", ["present", "late", "absent_sick", "absent_leave"])
def test_any_other_mark_breaks_a_long_absence(county: SmallCounty, mark: str):
    county.marks(["p1"], AFTER[:39], UNEXCUSED)
    county.marks(["p1"], [AFTER[19]], mark)
    assert labelled(county)["p1"].label == 0


def test_a_second_run_counts_anew_after_the_mark_that_broke_the_first(county: SmallCounty):
    county.marks(["p1"], AFTER[:40], UNEXCUSED)
    county.marks(["p1"], [AFTER[5]], "late")
    assert labelled(county)["p1"].happened_on == AFTER[25]


def test_weeks_without_a_register_are_silence_and_not_an_absence(county: SmallCounty):
    county.marks(CLASS, AFTER[:25], None)
    assert not any(row.long_absence or row.label for row in labelled(county).values())


def test_days_without_a_kept_register_do_not_count_into_a_long_absence(county: SmallCounty):
    county.marks(["p1"], AFTER[:20], UNEXCUSED)
    county.marks(["p2", "p3", "p4"], AFTER[:1], None)
    assert labelled(county)["p1"].label == 0


def test_a_complete_headcount_without_a_row_breaks_a_long_absence(county: SmallCounty):
    """Schools that send only absences say present by saying nothing."""
    county.marks(["p1"], AFTER[:21], UNEXCUSED)
    county.marks(["p1"], [AFTER[10]], None)
    county.headcounts("A:7A", [AFTER[10]])
    assert labelled(county)["p1"].label == 0


def test_long_absences_agree_with_counting_by_hand(county: SmallCounty):
    """Forty pupils of one class, mostly absent, here and there another mark or none."""
    chance = random.Random(7)
    pupils = tuple(f"r{number:02}" for number in range(40))
    county.enrol(*pupils, at="A:9A", grade=9)
    marks = {pupil: random_marks(chance, AUTUMN) for pupil in pupils}
    for pupil, own in marks.items():
        for day, mark in own.items():
            county.marks([pupil], [day], mark)
    found = {pupil: row.happened_on for pupil, row in labelled(county, pupils=pupils).items()}
    assert found == {pupil: completed_by_hand(own) for pupil, own in marks.items()}
    assert 5 < sum(day is not None for day in found.values()) < 35


def random_marks(chance: random.Random, days: list[date]) -> dict[date, str | None]:
    """Mostly absent; one day in twenty-five another mark, one in ten none."""
    others = ["present", "late", "absent_sick", "absent_leave"]
    kinds = [UNEXCUSED, None, chance.choice(others)]
    return {day: chance.choices(kinds, [86, 10, 4])[0] for day in days}


def completed_by_hand(marks: dict[date, str | None]) -> date | None:
    """The first day in the window on which the 20th absence of a run falls."""
    run = 0
    for day, mark in marks.items():
        if mark is not None:
            run = run + 1 if mark == UNEXCUSED else 0
        if run == 20 and mark is not None and 0 < (day - SNAPSHOT).days <= HORIZON:
            return day
    return None


def test_a_transfer_to_nowhere_is_a_one_where_the_component_is_enabled(county: SmallCounty):
    left_on = SNAPSHOT + timedelta(days=20)
    county.close("p1", left_on, "transferred")
    row = labelled(county, components=("transferred_nowhere",))["p1"]
    assert (row.label, row.happened_on) == (1, left_on)
    row = labelled(county)["p1"]
    assert (row.label, row.state, row.transferred_nowhere) == (None, "censored", True)


def test_a_transfer_whose_thirty_days_are_not_over_is_not_yet_one_to_nowhere(county: SmallCounty):
    county.close("p1", date(2026, 1, 8), "transferred")
    county.enrol("new", since=date(2026, 2, 6))
    row = labelled(county, fit=date(2026, 2, 6), components=("transferred_nowhere",))["p1"]
    assert (row.label, row.state, row.transferred_nowhere) == (None, "censored", False)


def test_each_component_is_reported_alone(county: SmallCounty):
    county.marks(["p1"], AFTER[:20], UNEXCUSED)
    county.close("p1", AFTER[30], "dropped_out")
    row = labelled(county)["p1"]
    assert (row.dropped_out, row.long_absence, row.non_return, row.transferred_nowhere) == (
        True,
        True,
        False,
        False,
    )
    assert row.happened_on == AFTER[19]


def test_a_component_that_is_not_enabled_is_reported_but_labels_nobody(county: SmallCounty):
    county.marks(["p1"], AFTER[:20], UNEXCUSED)
    row = labelled(county, components=("dropped_out",))["p1"]
    assert (row.label, row.long_absence) == (0, True)


def test_persuaded_back_is_a_one_before_and_a_zero_after(county: SmallCounty):
    county.close("p1", AFTER[5], "dropped_out")
    back = AFTER[20]
    county.enrol("p1", since=back)
    found = labelled(county, snapshots=(SNAPSHOT, back), fit=date(2026, 5, 29), every_row=True)
    assert {row.snapshot: row.label for row in found if row.student_id == "p1"} == {SNAPSHOT: 1, back: 0}


def test_two_open_spells_are_one_row(county: SmallCounty):
    county.enrol("p1", at="B:7A", since=date(2025, 9, 15))
    rows = labelled(county, every_row=True)
    assert [row.label for row in rows if row.student_id == "p1"] == [0]


def test_the_label_follows_a_pupil_whose_identifier_changes(county: SmallCounty):
    """The cohort was written down with the old identifier; every register of today has the newest."""
    county.rows["student_aliases"] += [
        {"old_student_id": "first", "student_id": "second"},
        {"old_student_id": "second", "student_id": "p1"},
    ]
    county.close("p1", AFTER[0], "dropped_out")
    row = labelled(county, pupils=("first", "p2"))["first"]
    assert (row.label, row.happened_on) == (1, AFTER[0])


def test_all_snapshots_are_labelled_in_one_pass_as_one_by_one(county: SmallCounty):
    county.close("p1", AFTER[30], "dropped_out")
    county.marks(["p2"], AFTER[:20], UNEXCUSED)
    days = tuple(AUTUMN_START + timedelta(days=n) for n in (9, 29, 49, 69))
    together = labelled(county, snapshots=days, fit=SPRING[-1], every_row=True)
    apart = [
        row for day in days for row in labelled(county, snapshots=(day,), fit=SPRING[-1], every_row=True)
    ]
    assert sorted(together) == sorted(apart)
    assert {row.label for row in together} >= {0, 1}
