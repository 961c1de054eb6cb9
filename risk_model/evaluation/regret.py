"""Choosing over time, not by the last split: how far each scorer stays behind the best of every snapshot."""

from __future__ import annotations

from typing import Any

import pandas as pd


def regret(recalls: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Recall each scorer gives away against the best one of each snapshot.

    Regret of a rule that picks scorers over time (Ackermann et al. 2018, "Deploying machine learning
    models for public policy"): what counts is not who won once but who never loses much.

    Parameters
    ----------
    recalls : DataFrame
        One row per snapshot, one column per scorer, 0–1; snapshots on which one is unknown do not count.

    >>> regret(pd.DataFrame({"model": [0.5, 0.4], "rule": [0.3, 0.5]}))["model"]["worst"]
    0.1
    """
    known = recalls.dropna()
    behind = known.rsub(known.max(axis=1), axis=0)
    return {
        str(name): {
            "mean": round(float(column.mean()), 12) if len(column) else None,
            "worst": round(float(column.max()), 12) if len(column) else None,
            "snapshots": len(column),
        }
        for name, column in behind.items()
    }
