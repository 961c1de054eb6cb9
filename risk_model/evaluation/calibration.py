"""Was a risk of 40 % right four times in ten? Expected and observed by place on the list."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from risk_model.evaluation.resampling import interval

EDGES = (0.0, 0.01, 0.02, 0.05, 0.10, 0.25, 1.0)
"""Shares of each snapshot, by falling risk: nearly everybody at risk stands in the first few."""


def calibration_table(
    known: pd.DataFrame, scorer: str, *, samples: int = 200, seed: int = 0
) -> list[dict[str, Any]]:
    """Mean risk and share who left, by place on the list of each snapshot.

    Parameters
    ----------
    known : DataFrame
        Judged rows: ``snapshot, school_id, label, <scorer>``.

    Returns
    -------
    list of dict
        ``band``, ``students``, ``expected``, ``observed`` and ``observed_interval``: 95 %, by bootstrap over
        schools, None where it cannot be told.

    >>> rows = pd.DataFrame({"snapshot": 1, "label": [1.0, 0.0], "model": [0.8, 0.1], "school_id": "A"})
    >>> calibration_table(rows, "model")[-1]["observed"]
    0.5
    """
    place = known.groupby("snapshot")[scorer].rank(ascending=False, method="first", pct=True)
    bands = pd.cut(place, list(EDGES), labels=[f"{low:.0%}–{high:.0%}" for low, high in _pairs()])
    schools = pd.Series(pd.factorize(known["school_id"])[0], known.index)
    count = int(schools.max()) + 1 if len(schools) else 0
    dice = np.random.default_rng(seed)
    draws = dice.multinomial(count, np.full(count, 1 / count), samples) if count else np.zeros((0, 0))
    return [
        {
            "band": str(band),
            "students": len(rows),
            "expected": float(rows[scorer].mean()),
            "observed": float(rows["label"].mean()),
            "observed_interval": _interval(schools[rows.index], rows["label"], draws),
        }
        for band, rows in known.groupby(bands, observed=True)
    ]


def _interval(schools: pd.Series, left: pd.Series, draws: np.ndarray[Any, Any]) -> list[float] | None:
    """Ends of the share who left when schools are drawn as ``draws`` (samples, schools) say."""
    count = draws.shape[1]
    top = draws @ np.bincount(schools, left, minlength=count)
    bottom = draws @ np.bincount(schools, minlength=count)
    shares = np.divide(top, bottom, out=np.full(len(draws), np.nan), where=bottom > 0)
    bounds = interval(shares.tolist())
    return None if bounds is None else list(bounds)


def _pairs() -> list[tuple[float, float]]:
    return list(pairwise(EDGES))
