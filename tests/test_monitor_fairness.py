"""A group found less and less over the cohorts is told; one found as before, or too few, is not."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitoring.fairness.at_list import GROUPS, found_by_group
from monitoring.fairness.over_time import judge_trends, trends
from monitoring.performance.cohorts import disjoint
from risk_model.settings import Settings

SETTINGS = Settings()
HORIZON = 90
FIRST = date(2025, 1, 6)
SCHOOLS = 60


def made_up_cohort(
    number: int, recalls: dict[str, float], leavers: dict[str, int], seed: int = 1
) -> dict[str, Any]:
    """A mature cohort: of each sex so many leave, and so large a share of them was listed."""
    dice = np.random.default_rng((seed, number))
    parts = []
    for sex, recall in recalls.items():
        left, stayed = leavers[sex], 20 * leavers[sex]
        school = dice.integers(0, SCHOOLS, left + stayed)
        label = np.r_[np.ones(left), np.zeros(stayed)]
        seen = np.clip(recall + dice.normal(0, 0.05, SCHOOLS)[school], 0, 1)  # schools differ
        listed = dice.random(left + stayed) < np.where(label == 1, seen, 0.03)
        parts.append(pd.DataFrame({"sex": sex, "school_id": school, "label": label, "listed": listed}))
    rows = pd.concat(parts, ignore_index=True).assign(risk=0.1)
    rows = rows.assign(**{name: "same" for name in GROUPS if name != "sex"})
    as_of = FIRST + timedelta(days=HORIZON * number)
    return {"as_of": as_of.isoformat(), "state": "mature", "groups": found_by_group(rows, SETTINGS)}


def cohorts_of(
    girls: list[float], leavers: int = 150, seed: int = 1, boys: float = 0.5
) -> list[dict[str, Any]]:
    found = [
        made_up_cohort(number, {"F": recall, "M": boys}, {"F": leavers, "M": 2 * leavers}, seed)
        for number, recall in enumerate(girls)
    ]
    return disjoint(found, HORIZON)


def test_a_group_whose_leavers_are_found_less_and_less_is_told_with_its_window_and_how_many():
    found = trends(cohorts_of([0.55, 0.45, 0.36, 0.28]), SETTINGS)
    (told,) = judge_trends(found, HORIZON)
    assert told.unit == "group:sex=F"
    assert (told.cause, told.level, told.owner) == ("fairness", "investigate", "responsible")
    assert told.window == "2025-01-06..2025-10-03 + 90 days"
    assert told.n == 4 * 150
    assert told.figures["before"] == pytest.approx(1.1, abs=0.25)
    assert told.figures["now"] == pytest.approx(0.56, abs=0.15)
    assert "600 leavers" in told.said("en")
    assert "600 名离校学生" in told.said("zh")


def test_a_group_found_as_before_is_not_told_however_often_it_is_asked():
    """One in a hundred groups by chance at most, and of those few fall by as much as a fifth."""
    claims = [
        list(judge_trends(trends(cohorts_of([0.5] * 4, leavers=60, seed=seed), SETTINGS), HORIZON))
        for seed in range(50)
    ]
    assert sum(map(bool, claims)) <= 1
    assert trends(cohorts_of([0.5] * 4), SETTINGS)[0].cohorts == 4


def test_what_befalls_everybody_is_no_trend_of_a_group():
    found = [
        made_up_cohort(number, {"F": recall, "M": recall}, {"F": 150, "M": 300})
        for number, recall in enumerate([0.6, 0.5, 0.4, 0.3])
    ]
    assert not any(one.falls for one in trends(disjoint(found, HORIZON), SETTINGS))


def test_a_group_that_was_always_found_less_often_has_no_trend():
    """That is told of each cohort by itself."""
    assert not any(one.falls for one in trends(cohorts_of([0.25] * 4), SETTINGS))


def test_small_cells_make_no_line_and_stand_nowhere():
    found = trends(cohorts_of([0.6, 0.4, 0.2, 0.1], leavers=9), SETTINGS)
    assert found == []
    shown = cohorts_of([0.6], leavers=9)[0]["groups"]["sex"]["groups"]["F"]
    assert (shown["positives"], shown["recall"], shown["recall_ratio"]) == (None, None, None)


def test_two_cohorts_are_no_trend_nor_are_windows_that_overlap():
    assert trends(cohorts_of([0.6, 0.2]), SETTINGS) == []
    monthly = [
        {**made_up_cohort(number, {"F": recall, "M": 0.5}, {"F": 150, "M": 300}),
         "as_of": (FIRST + timedelta(days=28 * number)).isoformat()}
        for number, recall in enumerate([0.6, 0.45, 0.3, 0.2])
    ]  # fmt: skip
    assert trends(disjoint(monthly, HORIZON), SETTINGS) == []


def test_a_group_nobody_of_whom_is_found_any_more_is_told():
    found = trends(cohorts_of([0.6, 0.4, 0.2, 0.0]), SETTINGS)
    assert [one.group for one in found if one.falls] == ["F"]
