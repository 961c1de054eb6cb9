"""Every feature, worked out by hand for pupils of the small town of :mod:`tests.town`."""

from __future__ import annotations

from math import sqrt

import duckdb
import pandas as pd
import pytest

from risk_model.features.compute import compute_features
from risk_model.features.declared import FEATURE_NAMES
from risk_model.settings import Settings
from tests.known_registers import make_known
from tests.town import DAY, town

# Lan's 7 last school days: present, late, sick, (no mark), three days without excuse. Of the last 30 (from
# 26 September) she also missed 9 October on leave; of the 30 before (16–30 June, 1–25 September) one day
# sick and two without excuse. There are 49 days in the term and 21 in June, all of them within the last 90.
KM = 6371.0088 * 0.01745329251994329577
"""Kilometres of one degree of latitude."""

EXPECTED: dict[str, dict[str, float | None]] = {
    "absence_7": {"lan": 4 / 6, "ming": 0, "xin": None, "gap": None},
    "absence_14": {"lan": 4 / 13},
    "absence_30": {"lan": 5 / 29, "c01": 1 / 30, "xin": None},
    "absence_90": {"lan": 8 / 69, "c01": 1 / 70},
    "absence_term": {"lan": 7 / 48, "e01": 0},
    "unexcused_7": {"lan": 3 / 6, "ming": 0},
    "unexcused_14": {"lan": 3 / 13},
    "unexcused_30": {"lan": 3 / 29, "c01": 0},
    "unexcused_90": {"lan": 5 / 69},
    "unexcused_term": {"lan": 5 / 48},
    "sick_7": {"lan": 1 / 6},
    "sick_14": {"lan": 1 / 13},
    "sick_30": {"lan": 1 / 29, "c01": 1 / 30},
    "sick_90": {"lan": 2 / 69},
    "sick_term": {"lan": 1 / 48},
    "leave_7": {"lan": 0},
    "leave_14": {"lan": 0},
    "leave_30": {"lan": 1 / 29},
    "leave_90": {"lan": 1 / 69},
    "leave_term": {"lan": 1 / 48},
    "late_30": {"lan": 1 / 29, "ming": 0},
    "late_90": {"lan": 1 / 69},
    "absence_change_30": {"lan": 5 / 29 - 3 / 30, "c01": 1 / 30, "xin": None},
    "unexcused_change_30": {"lan": 3 / 29 - 2 / 30},
    "absence_longest": {"lan": 4, "c01": 1, "ming": 0, "xin": None},
    "absence_current": {"lan": 4, "c01": 0},
    "unexcused_longest": {"lan": 3, "c01": 0},
    "unexcused_current": {"lan": 3},
    "days_since_present": {"lan": 5, "ming": 0, "xin": 15, "gap": 0},
    "absence_episodes": {"lan": 4, "c01": 1, "ming": 0},
    "beside_weekend_share": {"lan": 4 / 8, "c01": None},
    "after_holiday_share": {"lan": 1 / 8, "ming": None},
    "register_coverage_30": {"lan": 29 / 30, "ming": 1, "xin": 0},
    "never_seen": {"lan": 0, "xin": 1, "gap": 0},
    # Class: 0 (Ming, c07–c10), 1/30 (c01–c06), 5/29: the middle is 1/30. With three more zeros in 7B it is 0.
    "absence_30_over_class": {"lan": 5 / 29 - 1 / 30, "e01": None, "xin": None},
    "absence_30_over_school": {"lan": 5 / 29, "e01": 0},
    "unexcused_30_over_class": {"lan": 3 / 29},
    "register_coverage_30_over_class": {"lan": -1 / 30, "xin": -1},
    # November: mathematics 20 where the mean is 50 and the variance 150; history 70 where the mean is 160/3
    # and the variance 1250/9, that is √2; Chinese missed. June: 40, mean 50, variance 20. January: 60, mean
    # 50, variance 50/3.
    "z_all_latest": {"lan": (-30 / sqrt(150) + sqrt(2)) / 2, "e01": None},
    "z_all_mean": {"lan": (-30 / sqrt(150) + sqrt(2) - 10 / sqrt(20)) / 3},
    "z_core_latest": {"lan": -30 / sqrt(150), "ming": 30 / sqrt(150), "c01": 0},
    "z_core_mean": {"lan": (-30 / sqrt(150) - 10 / sqrt(20)) / 2},
    "score_latest": {"lan": 0.45, "ming": 0.70, "e01": None},
    "z_change": {"lan": (-30 / sqrt(150) + sqrt(2)) / 2 + 10 / sqrt(20)},
    # Terms 0, 1, 2, 2: n = 4, Σt = 5, Σt² = 9.
    "z_trend": {
        "lan": (
            4 * (-10 / sqrt(20) + 2 * (-30 / sqrt(150) + sqrt(2)))
            - 5 * (10 / sqrt(50 / 3) - 10 / sqrt(20) - 30 / sqrt(150) + sqrt(2))
        )
        / (4 * 9 - 5 * 5)
    },
    "failed_latest": {"lan": 1, "ming": 0, "c01": 2, "c06": 1, "e01": None},
    "failed_core_latest": {"lan": 1, "ming": 0, "c01": 1},
    "failed_share": {"lan": 2 / 3, "ming": 1 / 4},
    "missed_latest": {"lan": 1, "ming": 0, "e01": None},
    "missed_share": {"lan": 1 / 4, "ming": 0},
    # c01–c05 have lower results, c06–c10 and Ming higher ones.
    "class_percentile": {"lan": 5 / 11, "ming": 1, "c01": 0, "e01": None},
    # Lan is 14 years and 5 months old on 1 September; the oldest regular pupils of grade 7 are 12 years 11.
    "months_over_age": {"lan": 18, "ming": 0, "c01": None},
    "repeated_grades": {"lan": 1, "ming": 0, "xin": 0},
    "guardian_nobody": {"lan": 0, "ming": 1, "c03": None},
    "guardian_grandparents": {"lan": 1, "ming": 0},
    "guardian_relatives": {"lan": 0, "c01": 1},
    "guardian_one_parent": {"lan": 0, "c02": 1},
    "poverty_lifted": {"lan": 0, "c01": 1, "c03": None},
    "poverty_monitored": {"lan": 0, "ming": 1},
    "poverty_minimum_living": {"lan": 1, "ming": 0},
    "aid_gap": {"lan": 1, "ming": 0, "c01": 0, "c03": None},
    "orphan": {"lan": 0, "ming": 1, "c01": None},
    "parent_illness": {"lan": 1, "ming": 0, "c01": None},
    "relocated": {"lan": 1, "ming": 0, "c01": None},
    "migrant": {"lan": 0, "ming": 1, "c01": None},
    "parents_away": {"lan": 2, "ming": None},
    "siblings": {"lan": 1, "ming": None},
    "mother_schooling": {"lan": 5.5, "ming": None},
    "father_schooling": {"lan": 9, "ming": None},
    "sibling_left": {"lan": 1, "ming": 0, "c01": None},
    "school_moves": {"lan": 1, "xin": 1, "ming": 0},
    "returned": {"lan": 1, "ming": 0},
    # Lan's way is given; Ming's is the straight line; Xin's was given for the school before this one.
    "travel_km": {"lan": 14.5, "ming": 0.018 * KM, "c01": 2, "xin": None},
    "travel_minutes": {"lan": 70, "ming": None, "c01": 25, "xin": None},
    "day_pupil_km": {"lan": 14.5, "ming": 0, "xin": None},
    "boarding": {"lan": 0, "ming": 1, "xin": None},
    "nearest_school_km": {"lan": 0.045 * KM, "ming": 0.018 * KM, "c01": None},
    "detour_km": {"lan": 0.045 * KM, "ming": 0},
    "school_closed": {"lan": 1, "xin": 0, "ming": 0},
    "travel_km_over_school": {"lan": 12.5, "c01": 0, "e01": None},
    "school_days_ahead": {"lan": 10 + 23 + 11},
    "weeks_in_term": {"lan": 74 / 7, "tall": 74 / 7},
    "weeks_in_year": {"lan": 74 / 7},
    "grade_level": {"lan": 7, "gap": 6, "tall": 10},
    "between_spells": {"lan": 0, "gap": 1},
    "junior_stage": {"lan": 1, "gap": 0, "tall": 0},
    "senior_stage": {"lan": 0, "tall": 1},
    "first_year_of_stage": {"lan": 1, "gap": 0, "tall": 1},
}
CASES = [(feature, pupil) for feature, values in EXPECTED.items() for pupil in values]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    with duckdb.connect() as con:
        make_known(con, **town())
        return compute_features(con, DAY, Settings()).set_index("student_id")


def test_every_feature_has_an_example_worked_out_by_hand():
    assert sorted(EXPECTED) == sorted(FEATURE_NAMES)
    assert all(any(value is not None for value in values.values()) for values in EXPECTED.values())


@pytest.mark.parametrize(("feature", "pupil"), CASES)
def test_a_feature_has_the_value_worked_out_by_hand(frame, feature, pupil):
    expected = EXPECTED[feature][pupil]
    value = frame.loc[pupil, feature]
    if expected is None:
        assert pd.isna(value)
    else:
        # z-scores are kept as whole millionths.
        assert value == pytest.approx(expected, abs=1e-6)


def test_everybody_of_the_cohort_has_one_row_sorted_by_identifier(frame):
    assert frame.index.is_unique
    assert frame.index.is_monotonic_increasing
    assert {"lan", "xin", "gap", "tall"} <= set(frame.index)
    assert "sister" not in frame.index
    assert (frame[list(FEATURE_NAMES)].dtypes == "float64").all()
