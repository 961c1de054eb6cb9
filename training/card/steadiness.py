"""How often a small change of input leaves the reasons as they are: for the training's document and card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from risk_model.explanation.stability import steadiness
from risk_model.features.feature import Feature
from training.backtest import Fitted

ROWS = 4000
"""Rows asked of everybody, evenly spaced, and as many of the head of the list."""
HEAD = 0.05
"""The share of pupils with the highest risk: those whose reasons are read."""


def stability(fitted: Fitted, features: Sequence[Feature], count: int) -> list[dict[str, Any]]:
    """Each small change, for everybody it was fitted on and for the 5 % of highest risk.

    ``count`` reasons are told. ``first_stays`` is the weighted share of pupils whose first reason stays.
    """
    x, weight = fitted.fit.x.astype(np.float64), fitted.fit.weight
    risk = fitted.predict(fitted.fit.x)
    order = np.argsort(-risk, kind="stable")
    head = order[np.cumsum(weight[order]) <= HEAD * weight.sum()]

    def explain(rows: Any) -> Any:
        return np.asarray(fitted.booster.predict(rows, pred_contrib=True))[:, :-1] * fitted.calibrator.slope

    found = []
    for of, rows in (("everybody", np.arange(len(x))), ("highest 5 %", head)):
        some = rows[:: max(1, len(rows) // ROWS)]
        measured = steadiness(explain, x[some], features, count, weight[some])
        found += [{"of": of, **one.document()} for one in measured]
    return found
