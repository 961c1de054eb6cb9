"""Invented flat tables: numbers with nulls, categories, and who left."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def flat_table(rows: int = 600, seed: int = 1) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Pupils with days missed, points, way to school and grade; more days missed, more leave."""
    return flat_table_and_truth(rows, seed)[:2]


def flat_table_and_truth(rows: int, seed: int) -> tuple[pd.DataFrame, NDArray[np.intp], NDArray[np.float64]]:
    """As :func:`flat_table`, with the risk each pupil left by; nulls hide some of what made it."""
    dice = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "missed": dice.gamma(1.5, 4.0, rows).round(),
            "points": dice.normal(60, 15, rows),
            "way": dice.choice(["bus", "foot", "bicycle"], rows, p=[0.4, 0.4, 0.2]),
            "grade": pd.Categorical(dice.integers(7, 10, rows), categories=[6, 7, 8, 9]),
        }
    )
    log_odds = -2.5 + 0.2 * table["missed"] - 0.03 * (table["points"] - 60) + 0.8 * (table["way"] == "foot")
    risk = (1 / (1 + np.exp(-log_odds))).to_numpy()
    left = (dice.random(rows) < risk).astype(np.intp)
    table.loc[dice.random(rows) < 0.1, "points"] = np.nan
    table.loc[dice.random(rows) < 0.1, "way"] = None
    return table, left, risk
