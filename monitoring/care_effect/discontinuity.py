"""Does being listed keep pupils at school? Regression discontinuity at the end of the list.

Two pupils with nearly the same risk, one just on the list and one just off it, differ in little but the list.
The number who left near the line is Poisson, its logarithm that of the risks, a level, a slope in the
distance from the line that is near 0 (the model is calibrated: ``care_slope_spread``), and a step at the
line: the effect. The step is the effect of being *listed* (Hahn, Todd & van der Klaauw 2001; Imbens & Lemieux
2008); of care itself only as far as the listed are cared for and the others are not, which is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.care_effect.effect import FEWEST, NOT_MEASURED, Effect, measured

STEPS = 50


@dataclass(frozen=True)
class CareEffect(Effect):
    """The effect of being listed on leaving, from the pupils near the line."""

    textbook_ratio: float | None
    """Width of the interval over that of a plain ratio of two counts: what the slope costs."""
    cared_listed: float | None
    cared_others: float | None

    def said(self, language: str) -> str:
        """The honest sentence."""
        return _said_zh(self) if language == "zh" else _said_en(self)


def care_effect(bins: Sequence[dict[str, Any]], slope_spread: float) -> CareEffect:
    """The step at the line, from the bins of cohorts whose windows do not overlap."""
    told = np.array(
        [(row["x"], row["listed"], row["left"], row["expected"], row["n"], row["cared"]) for row in bins],
        dtype=np.float64,
    ).reshape(-1, 6)
    x, listed, left, expected, n, cared = told.T
    on = listed == 1
    pupils, leavers = int(n.sum()), int(left.sum())
    shares = [float(cared[side].sum() / n[side].sum()) if n[side].sum() else None for side in (on, ~on)]
    told_of = {"left": leavers, "pupils": pupils, "cared_listed": shares[0], "cared_others": shares[1]}
    if min(left[on].sum(), left[~on].sum()) < FEWEST:
        return CareEffect(**NOT_MEASURED, textbook_ratio=None, **told_of)
    design = np.column_stack([np.ones(len(x)), x, listed])
    beta, covariance = _fitted(design, left, expected, slope_spread)
    step, error = float(beta[2]), float(np.sqrt(covariance[2, 2]))
    textbook = float(np.sqrt(1 / left[on].sum() + 1 / left[~on].sum()))
    return CareEffect(**measured(step, error), textbook_ratio=error / textbook, **told_of)


def _fitted(
    design: NDArray[np.float64], left: NDArray[np.float64], expected: NDArray[np.float64], spread: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients and their covariance, by Newton's method; the slope is held near 0 as ``spread`` says."""
    prior = np.diag([0.0, 1 / spread**2, 0.0])
    beta = np.array([np.log(left.sum() / expected.sum()), 0.0, 0.0])
    for _ in range(STEPS):
        mean = expected * np.exp(design @ beta)
        curvature = design.T @ (mean[:, None] * design) + prior
        step = np.linalg.solve(curvature, design.T @ (left - mean) - prior @ beta)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    mean = expected * np.exp(design @ beta)
    return beta, np.linalg.inv(design.T @ (mean[:, None] * design) + prior)


def _said_en(effect: CareEffect) -> str:
    if effect.effect is None:
        return (
            f"Cannot tell: {effect.left} pupils near the end of the list left, fewer than {FEWEST} on one "
            "side. A larger county, or more terms, could."
        )
    assert effect.low is not None
    assert effect.high is not None
    counted = (
        f"Pupils just on the list left {1 + effect.effect:.0%} as often as those just off it (95 % interval "
        f"{1 + effect.low:.0%} to {1 + effect.high:.0%}, 100 % is no effect; {effect.left} left of "
        f"{effect.pupils:,} near the line)"
    )
    if effect.told:
        return f"{counted}. That is the effect of being listed here, not of care elsewhere."
    return (
        f"Cannot tell: {counted}. An effect smaller than −{effect.detectable:.0%} could not be told from "
        "none with so few."
    )


def _said_zh(effect: CareEffect) -> str:
    if effect.effect is None:
        return (
            f"无法判断：名单末位附近仅有 {effect.left} 名学生离校，其中一侧少于 {FEWEST} 名。"
            "需要更大的县或更多学期。"
        )
    assert effect.low is not None
    assert effect.high is not None
    counted = (
        f"刚入名单的学生的离校率是刚未入名单者的 {1 + effect.effect:.0%}（95% 区间 {1 + effect.low:.0%} 至 "
        f"{1 + effect.high:.0%}，100% 表示无效果；末位附近 {effect.pupils} 人中离校 {effect.left} 人）"
    )
    if effect.told:
        return f"{counted}。这是入名单在此处的效果。"
    return f"无法判断：{counted}。人数太少，小于 −{effect.detectable:.0%} 的效果无法与无效果区分。"
