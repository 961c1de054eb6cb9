"""Challenger against champion: on the same pupils and days, at the same list lengths.

The champion may be judged only on days on or after its own ``as_of``: of earlier ones it has seen the
labels. A model imported from another county has seen none of this county's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from risk_model.evaluation.judged import Judged
from risk_model.evaluation.paired import paired_difference
from risk_model.features.declared import FEATURES
from risk_model.model.bundle import Bundle
from risk_model.ranking import capacity, rank
from risk_model.settings import Settings
from training.backtest import MODEL
from training.snapshots import Snapshots

CHAMPION = "champion"


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
    """Share of the champion's listed pupils of the latest snapshot who would fall off."""
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
            "not_done": self.not_done,
        }


def challenge(
    told: pd.DataFrame,
    snapshots: Snapshots,
    version: str,
    champion: Bundle,
    settings: Settings,
    *,
    imported: bool = False,
) -> Comparison:
    """Let the champion score the backtest's days it has not seen, and count who finds more leavers.

    Parameters
    ----------
    told : DataFrame
        Judged rows of the backtest, all pupils: ``label`` NaN where it is not known, ``listed_model``.
    """
    days = _unseen(told, champion, imported)
    missing = sorted(set(champion.features) - {feature.name for feature in FEATURES})
    if missing:
        return Comparison(version, not_done=f"The champion needs a feature no longer made: {missing[0]}")
    if not days:
        why = f"No test day lies on or after the champion's own day, {champion.manifest.as_of}"
        return Comparison(version, not_done=why)
    both = pd.concat([_on(told, day, snapshots, champion, settings) for day in days])
    known = both[both["label"].notna()]
    latest = both[both["snapshot"] == both["snapshot"].max()]
    return Comparison(
        version,
        tuple(days),
        int((known["label"] == 1).sum()),
        _recall_change(known, settings),
        _churn(latest),
    )


def _unseen(told: pd.DataFrame, champion: Bundle, imported: bool) -> list[date]:
    days = sorted(set(pd.to_datetime(told["snapshot"]).dt.date))
    return [day for day in days if imported or day >= champion.manifest.as_of]


def _on(
    told: pd.DataFrame, day: date, snapshots: Snapshots, champion: Bundle, settings: Settings
) -> pd.DataFrame:
    """The rows of one day with the champion's risk and its list, school by school as long as the model's."""
    everybody = snapshots.everybody(day)
    names = [feature.name for feature in FEATURES]
    columns = [names.index(name) for name in champion.features]
    risk = champion.predict(everybody.x[:, columns].astype(np.float64), threads=1)
    said = pd.DataFrame({"student_id": everybody.pupils["student_id"], CHAMPION: risk})
    rows = told[told["snapshot"] == pd.Timestamp(day)].merge(said, on="student_id", validate="one_to_one")
    listed = capacity(rows.assign(risk=rows[MODEL]), settings.list)
    places = rows["school_id"].map(pd.Series(listed, rows.index).groupby(rows["school_id"]).sum())
    position = rank(rows.assign(risk=rows[CHAMPION]), settings.list)["rank_in_school"]
    return rows.assign(**{f"listed_{CHAMPION}": (position <= places).to_numpy(dtype=bool)})


def _recall_change(known: pd.DataFrame, settings: Settings) -> tuple[float, float, float] | None:
    if not (known["label"] == 1).any():
        return None
    draws: dict[str, int] = {"samples": settings.training.bootstrap_samples, "seed": settings.training.seed}
    found = paired_difference(_judged(known, MODEL), _judged(known, CHAMPION), **draws)["capacity"]
    if found["lower"] is None:
        return None
    return found["difference"], found["lower"], found["upper"]


def _judged(known: pd.DataFrame, scorer: str) -> Judged:
    return Judged(
        y=known["label"].to_numpy(dtype=np.float64),
        risk=known[scorer].to_numpy(dtype=np.float64),
        school=known["school_id"],
        snapshot=known["snapshot"],
        capacity=known[f"listed_{scorer}"].to_numpy(dtype=bool),
    )


def _churn(rows: pd.DataFrame) -> float | None:
    theirs = rows[f"listed_{CHAMPION}"].to_numpy(dtype=bool)
    ours = rows[f"listed_{MODEL}"].to_numpy(dtype=bool)
    return float((theirs & ~ours).sum() / theirs.sum()) if theirs.any() else None
