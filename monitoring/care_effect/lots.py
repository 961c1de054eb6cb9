"""Does being listed keep pupils at school? Where places were drawn by lot, the answer needs no model.

Who left of those offered a place beside those with the usual, each group's leavers over the risks it had on
the night of the draw. Counted is the first night of each round: whoever left since then is in it, whatever
happened on later nights (by intention to treat), and every pupil counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from monitoring.care_effect.effect import FEWEST, NOT_MEASURED, Effect, measured
from risk_model.near_equals import OFFERED, USUAL

STOP = 3.0
"""Standard errors from which a round that still runs is stopped (Haybittle 1971; Peto 1976): looked at every
month, 1.96 would claim an effect too often; so much does not, and costs the last look nothing."""


@dataclass(frozen=True)
class LotEffect(Effect):
    """The effect of being offered a place."""

    stop: bool
    """Whether a round that still runs should end: the effect is beyond doubt, for better or worse."""

    def said(self, language: str) -> str:
        """The honest sentence."""
        return (_said_zh if language == "zh" else _said_en)(self)


def counted_arms(rows: pd.DataFrame, drawn: pd.DataFrame) -> list[dict[str, Any]]:
    """Pupils, leavers and risks by arm, of pairs of whom it is known of both how it ended.

    Parameters
    ----------
    rows : DataFrame
        ``student_id, risk, label`` of the night of the draw.
    drawn : DataFrame
        Its record: ``student_id, school_id, pair, arm``.
    """
    told = drawn[["student_id", "school_id", "pair", "arm"]].merge(
        rows[["student_id", "risk", "label"]], "inner", "student_id"
    )
    known = told[told["label"].notna()]
    whole = known.groupby(["school_id", "pair"])["arm"].transform("size") == 2
    sums = known[whole].groupby("arm")["label"].agg(["size", "sum"])
    risks = known[whole].groupby("arm")["risk"].sum()
    return [
        {"arm": arm, "n": int(sums.at[arm, "size"]), "left": float(sums.at[arm, "sum"]),
         "expected": float(risks[arm])}
        for arm in (OFFERED, USUAL)
        if arm in sums.index
    ]  # fmt: skip


def lot_effect(arms: Sequence[dict[str, Any]]) -> LotEffect:
    """The ratio of leavers of both arms, from the counts of all rounds together."""
    totals = {
        arm: {what: sum(row[what] for row in arms if row["arm"] == arm) for what in ("n", "left", "expected")}
        for arm in (OFFERED, USUAL)
    }
    offered, usual = totals[OFFERED], totals[USUAL]
    left, pupils = int(offered["left"] + usual["left"]), int(offered["n"] + usual["n"])
    if min(offered["left"], usual["left"]) < FEWEST:
        # Nobody left of the offered, and many of the others: that is beyond doubt as well.
        stop = _one_sided(offered["left"], usual["left"])
        return LotEffect(**NOT_MEASURED, left=left, pupils=pupils, stop=stop)
    step = float(np.log(offered["left"] / offered["expected"]) - np.log(usual["left"] / usual["expected"]))
    error = float(np.sqrt(1 / offered["left"] + 1 / usual["left"]))
    stop = abs(step) >= STOP * error
    return LotEffect(**measured(step, error), left=left, pupils=pupils, stop=stop)


def _one_sided(first: float, second: float) -> bool:
    """Whether two counts so far apart are beyond doubt, by the signed root of the likelihood ratio."""
    total = first + second
    if total == 0:
        return False
    terms = sum(count * np.log(2 * count / total) for count in (first, second) if count)
    return bool(np.sqrt(2 * terms) >= STOP)


def _said_en(effect: LotEffect) -> str:
    if effect.effect is None:
        return (
            f"Cannot tell yet: {effect.left} of {effect.pupils:,} pupils drawn by lot left, fewer than "
            f"{FEWEST} on one side."
        )
    assert effect.low is not None
    assert effect.high is not None
    counted = (
        f"Pupils offered a place by lot left {1 + effect.effect:.0%} as often as those who were not (95 % "
        f"interval {1 + effect.low:.0%} to {1 + effect.high:.0%}, 100 % is no effect; {effect.left} left of "
        f"{effect.pupils:,} drawn)"
    )
    if effect.told:
        return f"{counted}. Lots decided alone: that is the effect of being listed at the end of the list."
    return f"Cannot tell: {counted}. An effect smaller than −{effect.detectable:.0%} could not be told."


def _said_zh(effect: LotEffect) -> str:
    if effect.effect is None:
        return f"暂无法判断：抽签的 {effect.pupils} 名学生中离校 {effect.left} 名，其中一侧少于 {FEWEST} 名。"
    assert effect.low is not None
    assert effect.high is not None
    counted = (
        f"抽签入名单者的离校率是未抽中者的 {1 + effect.effect:.0%}（95% 区间 {1 + effect.low:.0%} 至 "
        f"{1 + effect.high:.0%}，100% 表示无效果；{effect.pupils} 人中离校 {effect.left} 人）"
    )
    if effect.told:
        return f"{counted}。仅由抽签决定，即名单末位的入名单效果。"
    return f"无法判断：{counted}。小于 −{effect.detectable:.0%} 的效果无法判断。"
