"""Who is listed: by risk, within what the staff of a school can look at, ties by a salted hash."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_model.ranking import capacity, places, rank
from risk_model.settings import ListSettings

UNCAPPED = ListSettings(capacity_per_class=10_000, minimum_risk=0.0, capacity_share=0.2)


def pupils(risks, schools=None, classes=None, counties=None) -> pd.DataFrame:
    count = len(risks)
    return pd.DataFrame(
        {
            "student_id": [f"P{number:03d}" for number in range(count)],
            "county_id": counties or ["C"] * count,
            "school_id": schools or ["A"] * count,
            "class_key": classes or ["7A"] * count,
            "risk": np.array(risks, dtype=float),
        }
    )


county = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.sampled_from(["7A", "7B", None]),
        st.one_of(st.just(float("nan")), st.sampled_from([0.0, 0.005, 0.02, 0.1, 0.1, 0.3, 0.9])),
    ),
    min_size=1,
    max_size=80,
).map(lambda rows: pupils([r for _, _, r in rows], [s for s, _, _ in rows], [c for _, c, _ in rows]))


@given(county)
@settings(max_examples=80, deadline=None)
def test_nobody_left_out_of_a_school_has_a_higher_risk_than_anybody_on_its_list(frame):
    ranked = frame.join(rank(frame, UNCAPPED)).dropna(subset=["risk"])
    for _, school in ranked.groupby("school_id"):
        on, off = school[school["listed"]], school[~school["listed"]]
        assert len(on) == int(np.ceil(round(len(school) * 0.2, 9)))
        assert off["risk"].max() <= on["risk"].min() or off.empty


@given(county, st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_with_a_cap_only_a_full_class_or_a_low_risk_explains_who_is_passed_over(frame, cap):
    rules = ListSettings(capacity_per_class=cap, capacity_share=0.3)
    ranked = frame.join(rank(frame, rules)).dropna(subset=["risk"]).fillna({"class_key": "none"})
    for _, school in ranked.groupby("school_id"):
        on, off = school[school["listed"]], school[~school["listed"]]
        assert (on["risk"] >= rules.minimum_risk).all()
        assert len(on) <= np.ceil(round(len(school) * 0.3, 9))
        full = on["class_key"].value_counts()
        assert (full <= cap).all()
        passed = off[off["risk"] > on["risk"].min()] if len(on) else off[off["risk"] >= rules.minimum_risk]
        assert all(full.get(name, 0) == cap for name in passed["class_key"])


@given(county)
@settings(max_examples=50, deadline=None)
def test_ranks_run_from_one_to_n_by_falling_risk_in_county_school_and_class(frame):
    ranked = frame.fillna({"class_key": "none"}).join(rank(frame, ListSettings()))
    for column, unit in (
        ("rank", ["county_id"]),
        ("rank_in_school", ["school_id"]),
        ("rank_in_class", ["school_id", "class_key"]),
    ):
        for _, group in ranked.dropna(subset=["risk"]).groupby(unit):
            by_rank = group.sort_values(column)
            assert by_rank[column].tolist() == list(range(1, len(group) + 1))
            assert all(higher >= lower for higher, lower in pairwise(by_rank["risk"]))


@given(county, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_arrival_changes_no_rank(frame, random):
    shuffled = frame.sample(frac=1, random_state=random.randint(0, 2**31))
    pd.testing.assert_frame_equal(rank(frame, UNCAPPED), rank(shuffled, UNCAPPED).sort_index())


def test_pupils_without_a_score_are_open_cases_outside_the_capacity():
    frame = pupils([0.5, np.nan, 0.4, np.nan])
    ranked = rank(frame, ListSettings(capacity_share=0.5))
    assert ranked["listed"].tolist() == [True, True, False, True]
    assert ranked["rank"].tolist() == [1, pd.NA, 2, pd.NA]
    assert capacity(frame, ListSettings(capacity_share=0.5)).tolist() == [True, False, False, False]


def test_ties_are_broken_by_the_salt_and_not_by_the_identifier():
    frame = pupils([0.2] * 40)
    first = rank(frame, ListSettings(salt="one"))["rank"].tolist()
    assert first == rank(frame, ListSettings(salt="one"))["rank"].tolist()
    assert first != rank(frame, ListSettings(salt="two"))["rank"].tolist()
    assert first != sorted(first)


def test_when_a_class_is_full_the_next_pupil_of_another_class_takes_the_place():
    frame = pupils([0.9, 0.8, 0.7, 0.2], classes=["7A", "7A", "7A", "7B"])
    ranked = rank(frame, ListSettings(capacity_share=0.75, capacity_per_class=2))
    assert ranked["listed"].tolist() == [True, True, False, True]


@pytest.mark.parametrize(("pupils_in_school", "places"), [(1, 1), (20, 1), (21, 2), (60, 3), (140, 7)])
def test_a_school_lists_five_percent_of_its_pupils_rounded_up(pupils_in_school, places):
    frame = pupils(np.linspace(0.1, 0.9, pupils_in_school), classes=[str(n) for n in range(pupils_in_school)])
    assert rank(frame, ListSettings())["listed"].sum() == places


def test_the_places_of_schools_are_counted_without_the_noise_of_floating_point():
    rules = ListSettings(capacity_share=0.07)
    assert places(np.array([0, 1, 100, 101]), rules).tolist() == [0, 1, 7, 8]


def test_a_class_name_used_by_two_schools_is_two_classes():
    frame = pupils([0.9, 0.8], schools=["A", "B"])
    assert rank(frame, ListSettings())["rank_in_class"].tolist() == [1, 1]


def test_an_empty_cohort_is_ranked_without_complaint():
    assert rank(pupils([]), ListSettings()).empty
