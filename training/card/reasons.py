"""Which features move the model most, and which way: for the card, over everybody it was fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from risk_model.features.feature import Feature
from training.backtest import Fitted

ROWS = 4000
"""Rows explained, evenly spaced."""
TOP = 12
WAYS = {1: "more of it, more risk", -1: "more of it, less risk", 0: "either way"}


def top_reasons(fitted: Fitted, features: Sequence[Feature]) -> list[dict[str, Any]]:
    """The features with the largest mean share in the log-odds, largest first, with their constraint."""
    step = max(1, len(fitted.fit.x) // ROWS)
    x, weight = fitted.fit.x[::step], fitted.fit.weight[::step]
    parts = np.asarray(fitted.booster.predict(x, pred_contrib=True))[:, :-1] * fitted.calibrator.slope
    size = np.average(np.abs(parts), axis=0, weights=weight)
    order = [column for column in np.argsort(-size, kind="stable")[:TOP] if size[column] > 0]
    return [
        {
            "feature": features[column].name,
            "family": features[column].family,
            "text": features[column].text_en.replace("{value}", "…"),
            "mean_contribution": float(size[column]),
            "direction": WAYS[features[column].direction],
        }
        for column in order
    ]
