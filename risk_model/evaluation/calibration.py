"""Was a risk of 40 % right four times in ten? Expected and observed by place on the list."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd

EDGES = (0.0, 0.01, 0.02, 0.05, 0.10, 0.25, 1.0)
"""Shares of each snapshot, by falling risk: nearly everybody at risk stands in the first few."""


def calibration_table(known: pd.DataFrame, scorer: str) -> list[dict[str, Any]]:
    """Mean risk and share who left, by place on the list of each snapshot.

    Parameters
    ----------
    known : DataFrame
        Judged rows: ``snapshot, label, <scorer>``.

    >>> rows = pd.DataFrame({"snapshot": 1, "label": [1.0, 0.0], "model": [0.8, 0.1]})
    >>> calibration_table(rows, "model")[-1]["observed"]
    0.5
    """
    place = known.groupby("snapshot")[scorer].rank(ascending=False, method="first", pct=True)
    bands = pd.cut(place, list(EDGES), labels=[f"{low:.0%}–{high:.0%}" for low, high in _pairs()])
    return [
        {
            "band": str(band),
            "students": len(rows),
            "expected": float(rows[scorer].mean()),
            "observed": float(rows["label"].mean()),
        }
        for band, rows in known.groupby(bands, observed=True)
    ]


def _pairs() -> list[tuple[float, float]]:
    return list(pairwise(EDGES))
