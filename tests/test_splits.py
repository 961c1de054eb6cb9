"""Time is cut so that no model sees a label that was not complete on the day it was made."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.splits import plan, snapshot_days, split_at

FIRST = date(2022, 9, 1)
GAP = 118


def on(day: int) -> date:
    return FIRST + timedelta(days=day)


histories = st.integers(0, 1500)
gaps = st.integers(20, 400)
steps = st.integers(7, 90)


@given(histories, gaps, steps)
def test_the_latest_snapshot_has_just_matured_and_the_first_comes_after_the_warm_up(history, gap, every):
    days = snapshot_days(FIRST, on(history), every, gap)
    assert list(days) == sorted(set(days))
    if days:
        assert days[-1] == on(history - gap)
        assert days[0] >= on(30)
        assert days[0] - timedelta(days=every) < on(30)
    else:
        assert history - gap < 30


@given(histories, gaps, steps, st.integers(1, 12))
def test_no_split_uses_a_label_before_it_is_complete(history, gap, every, tests):
    whole = plan(snapshot_days(FIRST, on(history), every, gap), on(history), gap, tests)
    for split in (*whole.tests, *([whole.final] if whole.final else [])):
        assert split.fit
        assert split.calibration
        assert split.calibration[-1] + timedelta(days=gap) <= split.known_on


@given(histories, gaps, steps, st.integers(1, 12))
def test_fit_and_calibration_never_overlap_and_keep_the_gap(history, gap, every, tests):
    whole = plan(snapshot_days(FIRST, on(history), every, gap), on(history), gap, tests)
    for split in whole.tests:
        assert split.fit[-1] + timedelta(days=gap) <= split.calibration[0]
        assert list(split.days) == sorted(set(split.days))
        assert set(split.days) <= set(whole.snapshots)


@given(histories, gaps, steps, st.integers(1, 12))
def test_tests_are_the_latest_snapshots_in_order_and_never_more_than_asked_for(history, gap, every, tests):
    whole = plan(snapshot_days(FIRST, on(history), every, gap), on(history), gap, tests)
    days = [split.known_on for split in whole.tests]
    assert len(days) <= tests
    assert tuple(days) == whole.snapshots[len(whole.snapshots) - len(days) :]


@given(st.lists(st.integers(0, 1500), max_size=40), st.integers(0, 1800))
def test_the_order_in_which_snapshots_are_named_does_not_matter(days, known_on):
    snapshots = [on(day) for day in days]
    assert split_at(on(known_on), snapshots, GAP) == split_at(on(known_on), snapshots[::-1], GAP)


@pytest.mark.parametrize("years", [3, 4, 6])
def test_three_years_give_at_least_three_tests_each_calibrated_over_its_own_season(years):
    as_of = on(365 * years)
    whole = plan(snapshot_days(FIRST, as_of, 30, GAP), as_of, GAP, 6)
    assert len(whole.tests) == 6
    for split in whole.tests:
        assert split.seasonal
        assert any(abs((split.known_on - day).days - 365) <= 15 for day in split.calibration)


def test_with_just_enough_history_there_is_a_final_split_but_no_backtest():
    whole = plan(snapshot_days(FIRST, on(312), 30, GAP), on(312), GAP, 6)
    assert whole.tests == ()
    assert whole.final is not None
    assert not whole.final.seasonal


def test_with_less_there_is_nothing_to_fit_on():
    assert plan(snapshot_days(FIRST, on(250), 30, GAP), on(250), GAP, 6).final is None


def test_a_year_of_calibration_is_not_bought_with_the_last_fitting_snapshots():
    """Where the season a year ago would leave two snapshots to the trees, the latest third is used."""
    days = [on(day) for day in range(30, 450, 30)]
    split = split_at(on(560), days, GAP)
    assert split is not None
    assert not split.seasonal
    assert split.calibration == tuple(days[-4:])
