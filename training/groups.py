"""The model's figures by stage, grade, county and care; a group too small to tell has none and says so."""

from __future__ import annotations

from typing import Any

import pandas as pd

from risk_model.evaluation.metrics import metrics
from risk_model.settings import FairnessSettings
from training.care import GROUPS

FIGURES = ("roc_auc", "average_precision", "expected_over_observed", "brier_skill")
AT_CAPACITY = ("recall_at_capacity", "precision_at_capacity")
STAGES = {**dict.fromkeys(range(1, 7), "primary"), **dict.fromkeys(range(7, 10), "junior")}
"""By grade; the rest is senior. Of pupils, not of schools: a nine-year school teaches two stages."""


def by_group(known: pd.DataFrame, settings: FairnessSettings, model: str = "model") -> dict[str, Any]:
    """``stage``, ``grade``, ``county`` and ``care``: for each value the figures of its pupils' rows.

    Parameters
    ----------
    known : DataFrame
        Judged rows: ``grade, county_id, care_affected, label, <model>, listed_<model>``.
    """
    columns = {
        "stage": known["grade"].map(lambda grade: STAGES.get(grade, "senior")),
        "grade": known["grade"],
        "county": known["county_id"],
        "care": known["care_affected"].astype(bool).map(GROUPS),
    }
    return {
        name: {
            str(value): _figures(rows, settings, model)
            for value, rows in known.groupby(column, sort=True, observed=True)
        }
        for name, column in columns.items()
    }


def _figures(rows: pd.DataFrame, settings: FairnessSettings, model: str) -> dict[str, Any]:
    listed = rows[f"listed_{model}"].astype(bool)
    left = int((rows["label"] == 1).sum())
    counts = {"students": len(rows), "positives": left, "listed": int(listed.sum())}
    if len(rows) < settings.minimum_group or left < settings.minimum_positives:
        few = f"too few to tell ({len(rows)} rows, {left} of them left)"
        return {
            **counts,
            **dict.fromkeys((*FIGURES, *AT_CAPACITY)),
            "said": few,
        }
    found = metrics(rows["label"], rows[model].astype(float), listed)
    return {
        **counts,
        **{name: found[name] for name in FIGURES},
        "recall_at_capacity": found["recall_at"]["capacity"],
        "precision_at_capacity": found["precision_at"]["capacity"],
        "said": None,
    }
