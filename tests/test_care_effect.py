"""Regression discontinuity at the end of the list, on simulated counties with planted effects."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitoring.care_effect.asking import ask_care
from monitoring.care_effect.bins import near_line
from monitoring.care_effect.discontinuity import CareEffect, care_effect
from monitoring.care_effect.lots import LotEffect, counted_arms, lot_effect
from risk_model.near_equals import draw, listed_by_lot
from risk_model.ranking import rank
from risk_model.settings import ComparisonSettings, ListSettings, MonitoringSettings, Settings

RULES = ListSettings(capacity_share=0.05, capacity_per_class=1000, minimum_risk=0.0)
SPREAD = MonitoringSettings().care_slope_spread


def year(seed: int, pupils: int, effect: float, *, windows: int = 4, slope: float = 1.0) -> list[dict]:
    """Bins of the windows of a year: 1.3 % leave in 90 days, the listed ``1 + effect`` times as often.

    ``slope`` is that of the true log-odds on those of the risk, turned about the middle of the list's edge.
    """
    dice = np.random.default_rng(seed)
    bins: list[dict] = []
    for _ in range(windows):
        margin = dice.normal(-5.6, 1.5, pupils)
        risk = 1 / (1 + np.exp(-margin))
        frame = pd.DataFrame(
            {
                "student_id": np.arange(pupils).astype(str),
                "county_id": "K",
                "school_id": dice.integers(0, max(pupils // 600, 1), pupils),
                "class_key": "c",
                "risk": risk,
            }
        )
        listed = rank(frame, RULES)["listed"].to_numpy(dtype=bool)
        truth = 1 / (1 + np.exp(-(slope * (margin + 3.1) - 3.1)))
        left = dice.random(pupils) < truth * np.where(listed, 1 + effect, 1)
        bins += near_line(
            frame.assign(listed=listed, label=left.astype(float), care_affected=listed), bandwidth=1.0
        )
    return bins


def told(effect: CareEffect) -> int:
    return int(effect.told)


@pytest.mark.slow
def test_half_as_many_is_told_from_none_in_a_county_and_nothing_is_claimed_where_nothing_is():
    """57,000 pupils, four windows of 90 days, a hundred seeds each."""
    effects = [care_effect(year(seed, 57_000, -0.5), SPREAD) for seed in range(100)]
    nothing = [care_effect(year(seed, 57_000, 0.0), SPREAD) for seed in range(100, 200)]
    assert sum(map(told, effects)) >= 80
    assert all(effect.effect < 0 for effect in effects if effect.told)
    assert 100 - sum(map(told, nothing)) >= 93
    assert np.median([effect.effect for effect in effects]) == pytest.approx(-0.5, abs=0.08)
    held = [effect.low <= -0.5 <= effect.high for effect in effects]
    assert np.mean(held) >= 0.9
    assert np.median([effect.textbook_ratio for effect in effects]) < 2.0


def test_a_fifth_less_is_told_at_the_size_of_a_province():
    effects = [care_effect(year(seed, 1_000_000, -0.2), SPREAD) for seed in range(3)]
    assert all(effect.told and effect.high < 0 for effect in effects)


def test_a_slope_a_little_off_claims_no_effect():
    """The gate lets a slope of 0.95 pass: at the line that is no step."""
    found = [care_effect(year(seed, 57_000, 0.0, slope=0.95), SPREAD) for seed in range(300, 330)]
    assert sum(map(told, found)) <= 3


def test_a_small_county_cannot_tell_and_says_so_in_words():
    few = care_effect(year(1, 2_000, -0.5, windows=1), SPREAD)
    assert few.effect is None
    assert few.said("en").startswith("Cannot tell: ")
    assert few.said("zh").startswith("无法判断")
    some = care_effect(year(1, 12_000, 0.0, windows=2), SPREAD)
    assert not some.told
    assert some.said("en").startswith("Cannot tell: ")
    assert "could not be told from none" in some.said("en")


def test_who_is_left_off_because_the_class_is_full_is_not_compared():
    rows = pd.DataFrame(
        {
            "school_id": "A", "risk": [0.3, 0.25, 0.2, 0.1], "listed": [True, False, True, False],
            "label": [0.0, 1.0, 0.0, 0.0], "care_affected": False,
        }
    )  # fmt: skip
    bins = near_line(rows, bandwidth=3.0)
    assert sum(row["n"] for row in bins) == 3
    assert sum(row["left"] for row in bins) == 0
    assert {row["listed"] for row in bins if row["x"] > 0} == {True}
    assert {row["listed"] for row in bins if row["x"] < 0} == {False}


def test_care_on_each_side_of_the_line_is_told_beside_the_effect():
    effect = care_effect(year(2, 57_000, -0.5), SPREAD)
    assert (effect.cared_listed, effect.cared_others) == (1.0, 0.0)


# places drawn by lot


def drawn_round(seed: int, pupils: int, effect: float) -> list[dict]:
    """Arms of one round of a made-up county, drawn as a night draws them; the offered leave otherwise."""
    dice = np.random.default_rng(seed)
    risk = 1 / (1 + np.exp(-dice.normal(-5.6, 1.5, pupils)))
    frame = pd.DataFrame(
        {
            "student_id": [f"{seed}-{number}" for number in range(pupils)],
            "county_id": "K",
            "school_id": dice.integers(0, max(pupils // 600, 1), pupils),
            "class_key": "c",
            "risk": risk,
        }
    )
    frame = frame.join(rank(frame, RULES))
    rules = ComparisonSettings(
        share=0.3, band=0.5, seed=f"round {seed}", decided_by="The board", until=date(2026, 7, 1)
    )
    drawn = draw(frame, RULES, rules)
    listed = listed_by_lot(frame["listed"], drawn)
    left = dice.random(pupils) < risk * np.where(listed, 1 + effect, 1)
    return counted_arms(frame.assign(label=left.astype(float)), drawn)


def rounds_of(seed: int, effect: float, *, pupils: int = 57_000, rounds: int = 4) -> LotEffect:
    return lot_effect([arm for n in range(rounds) for arm in drawn_round(1000 * seed + n, pupils, effect)])


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seeds", [20, pytest.param(100, marks=pytest.mark.soak)])
def test_lots_tell_half_as_many_from_none_and_claim_nothing_where_nothing_is(seeds: int):
    """57,000 pupils, four rounds in a year, so many seeds each."""
    effects = [rounds_of(seed, -0.5) for seed in range(seeds)]
    nothing = [rounds_of(seed, 0.0) for seed in range(100, 100 + seeds)]
    assert sum(effect.told for effect in effects) >= 0.8 * seeds
    assert all(effect.effect < 0 for effect in effects if effect.told)
    assert sum(not effect.told for effect in nothing) >= 0.93 * seeds
    assert sum(effect.stop for effect in nothing) <= 1
    assert np.median([effect.effect for effect in effects]) == pytest.approx(-0.5, abs=0.08)
    assert np.mean([effect.low <= -0.5 <= effect.high for effect in effects]) >= 0.9


def test_a_pair_of_whom_one_is_unknown_is_not_counted_and_few_leavers_tell_nothing():
    drawn = pd.DataFrame(
        {"student_id": list("abcd"), "school_id": "A", "pair": [0, 0, 1, 1], "arm": ["offered", "usual"] * 2}
    )
    rows = pd.DataFrame({"student_id": list("abcd"), "risk": 0.1, "label": [1.0, 0.0, 1.0, np.nan]})
    arms = counted_arms(rows, drawn)
    assert {row["arm"]: (row["n"], row["left"]) for row in arms} == {"offered": (1, 1.0), "usual": (1, 0.0)}
    effect = lot_effect(arms)
    assert effect.effect is None
    assert not effect.stop
    assert effect.said("en").startswith("Cannot tell yet: ")
    assert effect.said("zh").startswith("暂无法判断")


def test_a_round_that_runs_is_to_be_stopped_when_its_effect_is_beyond_doubt():
    def arms(offered: float, usual: float) -> dict[str, Any]:
        told = [
            {"arm": "offered", "n": 900, "left": offered, "expected": 60.0},
            {"arm": "usual", "n": 900, "left": usual, "expected": 60.0},
        ]
        lots = {"round": "autumn", "decided_by": "The board", "until": "2026-07-01", "arms": told}
        return {"as_of": "2026-01-05", "state": "mature", "lots": lots}

    def codes(offered: float, usual: float, today: date = date(2026, 6, 1)) -> set[str]:
        _, found = ask_care(Settings(), [arms(offered, usual)], today)
        assert all(one.said("en") and one.said("zh") for one in found)
        return {one.code for one in found}

    assert codes(20, 60) == {"draw_stop"}
    assert codes(60, 20) == {"draw_stop"}, "for worse as well"
    assert codes(0, 40) == {"draw_stop"}, "and where nobody left of the offered"
    assert codes(40, 60) == set()
    assert codes(20, 60, today=date(2026, 8, 1)) == set(), "it is over"
    broken = arms(20, 60)
    broken["lots"] |= {"arms": [], "not_done": "The record is gone."}
    _, found = ask_care(Settings(), [broken], date(2026, 6, 1))
    assert [one.code for one in found] == ["draw_record"]


def test_a_round_counts_once_by_its_first_night():
    def night(as_of: str, left: float) -> dict[str, Any]:
        told = [{"arm": arm, "n": 500, "left": left, "expected": 30.0} for arm in ("offered", "usual")]
        lots = {"round": "autumn", "decided_by": "The board", "until": "2026-07-01", "arms": told}
        return {"as_of": as_of, "state": "mature", "lots": lots}

    part, _ = ask_care(Settings(), [night("2026-02-02", 99.0), night("2026-01-05", 20.0)], date(2026, 8, 1))
    assert part["by_lot"]["left"] == 40
    assert [told["as_of"] for told in part["by_lot"]["rounds"]] == ["2026-01-05"]
