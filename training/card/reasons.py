"""Which features move the model most, and which way: for the card, over everybody it was fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.features.feature import Feature
from training.backtest import Fitted

Floats = NDArray[np.floating[Any]]
ROWS = 4000
"""Rows explained, evenly spaced."""
TOP = 12
WAYS = {1: "more of it, more risk", -1: "more of it, less risk"}
SEEN = {1: "not bound; here mostly more of it, more risk", -1: "not bound; here mostly more of it, less risk"}
EITHER = "not bound; here now one way, now the other"
CLEAR = 0.3
"""Rank correlation of value and contribution above which a way is told."""


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
            "direction": _way(features[column], x[:, column], parts[:, column]),
        }
        for column in order
    ]


def _way(feature: Feature, values: Floats, parts: Floats) -> str:
    """Which way the feature moves the risk: as bound by its declaration, else as seen."""
    if feature.direction:
        return WAYS[feature.direction]
    from scipy.stats import spearmanr

    known = ~np.isnan(values)
    if known.sum() < 3 or len(np.unique(values[known])) < 2 or len(np.unique(parts[known])) < 2:
        return EITHER
    found = float(spearmanr(values[known], parts[known]).statistic)
    return SEEN[1 if found > 0 else -1] if abs(found) >= CLEAR else EITHER
