"""Challenger against champion: on the same pupils and days, at the same list lengths.

The champion may be judged only on days on or after its own ``as_of``: of earlier ones it has seen the
labels. A model imported from another county has seen none of this county's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.evaluation.paired import paired_difference
from risk_model.features.declared import FEATURES
from risk_model.model.bundle import Bundle
from risk_model.settings import Settings
from training.backtest import MODEL
from training.fairness_change import FairnessChange, fairness_change
from training.listing import as_judged, lists_as_long
from training.snapshots import Everybody, Snapshots

CHAMPION = "champion"


@dataclass(frozen=True)
class Opponent:
    """The champion a candidate must stand against."""

    version: str
    bundle: Bundle
    imported: bool = False
    """Made by another county: it has seen no label of this one."""

    def unknown_features(self) -> list[str]:
        """Features it needs which are no longer made."""
        return sorted(set(self.bundle.features) - {feature.name for feature in FEATURES})


@dataclass(frozen=True)
class Comparison:
    """What the gate asks of it; None each where it could not be told."""

    champion: str | None
    """Version; None where there was none."""
    snapshots: tuple[date, ...] = ()
    positives: int = 0
    recall_change: tuple[float, float, float] | None = None
    """Recall at capacity above the champion's: as counted, and the ends of the paired 95 % interval."""
    churn: float | None = None
    """Share of the champion's listed pupils of the latest snapshot who would fall off. Asked of days the
    champion has seen, too: it needs no label."""
    fairness: FairnessChange = field(default_factory=FairnessChange)
    not_done: str | None = None

    def document(self) -> dict[str, Any] | None:
        """As ``train --json`` prints it; null without a champion."""
        if self.champion is None:
            return None
        names = ("mean", "lower", "upper")
        change = self.recall_change
        return {
            "champion": self.champion,
            "snapshots": [day.isoformat() for day in self.snapshots],
            "positives": self.positives,
            "recall_change": None if change is None else dict(zip(names, change, strict=True)),
            "churn": self.churn,
            "fairness": self.fairness.document(),
            "not_done": self.not_done,
        }


def challenge(
    told: pd.DataFrame,
    snapshots: Snapshots,
    champion: Opponent,
    settings: Settings,
    protected: pd.DataFrame,
) -> Comparison:
    """Let the champion score the backtest's days it has not seen, and count who finds more leavers.

    Parameters
    ----------
    told : DataFrame
        Judged rows of the backtest, all pupils: ``label`` NaN where it is not known, ``listed_model``.
    protected : DataFrame
        Of :func:`risk_model.protected.protected_on`, for the comparison by group.
    """
    version, bundle = champion.version, champion.bundle
    missing = champion.unknown_features()
    if missing:
        return Comparison(version, not_done=f"The champion needs a feature no longer made: {missing[0]}")
    if told.empty:
        return Comparison(version, not_done="No day of the past could judge the candidate")
    days, unseen = _days(told), _unseen(told, champion)
    churn = _churn(_on(told, days[-1], snapshots, bundle, settings))
    if not unseen:
        why = f"No test day lies on or after the champion's own day, {bundle.manifest.as_of}"
        return Comparison(version, churn=churn, not_done=why)
    both = pd.concat([_on(told, day, snapshots, bundle, settings) for day in unseen])
    known = both[both["label"].notna()]
    return Comparison(
        version,
        tuple(unseen),
        int((known["label"] == 1).sum()),
        _recall_change(known, settings),
        churn,
        fairness_change(known, protected, settings, challenger=MODEL, champion=CHAMPION),
    )


def _days(told: pd.DataFrame) -> list[date]:
    return sorted(set(pd.to_datetime(told["snapshot"]).dt.date))


def _unseen(told: pd.DataFrame, champion: Opponent) -> list[date]:
    since = champion.bundle.manifest.as_of
    return [day for day in _days(told) if champion.imported or day >= since]


def _on(
    told: pd.DataFrame, day: date, snapshots: Snapshots, champion: Bundle, settings: Settings
) -> pd.DataFrame:
    """The rows of one day with the champion's risk and its list, school by school as long as the model's."""
    everybody = snapshots.everybody(day)
    risk = champion_risk(everybody, champion)
    said = pd.DataFrame({"student_id": everybody.pupils["student_id"], CHAMPION: risk})
    rows = told[told["snapshot"] == pd.Timestamp(day)].merge(said, on="student_id", validate="one_to_one")
    return lists_as_long(rows, MODEL, (CHAMPION,), settings.list)


def champion_risk(everybody: Everybody, champion: Bundle) -> NDArray[np.float64]:
    """The champion's risk (n,) of everybody of a day; its features may be fewer and in another order."""
    names = [feature.name for feature in FEATURES]
    columns = [names.index(name) for name in champion.features]
    return champion.predict(everybody.x[:, columns].astype(np.float64), threads=1)


def _recall_change(known: pd.DataFrame, settings: Settings) -> tuple[float, float, float] | None:
    if not (known["label"] == 1).any():
        return None
    draws: dict[str, int] = {"samples": settings.training.bootstrap_samples, "seed": settings.training.seed}
    found = paired_difference(as_judged(known, MODEL), as_judged(known, CHAMPION), **draws)["capacity"]
    if found["lower"] is None:
        return None
    return found["difference"], found["lower"], found["upper"]


def _churn(rows: pd.DataFrame) -> float | None:
    theirs = rows[f"listed_{CHAMPION}"].to_numpy(dtype=bool)
    ours = rows[f"listed_{MODEL}"].to_numpy(dtype=bool)
    return float((theirs & ~ours).sum() / theirs.sum()) if theirs.any() else None
