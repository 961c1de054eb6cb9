"""The model's figures by stage, grade, county, care and component of the label, with intervals over schools.

A group too small to tell has no figures and says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from risk_model.evaluation.by_school import school_intervals
from risk_model.evaluation.judged import Judged
from risk_model.evaluation.pooled import pooled
from risk_model.settings import Settings
from training.care import GROUPS

FIGURES = (
    "roc_auc", "average_precision", "brier", "brier_skill", "log_loss", "ece", "expected_over_observed",
    "expected_over_observed_top5", "calibration_slope", "calibration_intercept",
)  # fmt: skip
AT_CAPACITY = ("recall_at_capacity", "precision_at_capacity")
STAGES = {**dict.fromkeys(range(1, 7), "primary"), **dict.fromkeys(range(7, 10), "junior")}
"""By grade; the rest is senior. Of pupils, not of schools: a nine-year school teaches two stages."""


def by_group(known: pd.DataFrame, settings: Settings, model: str = "model") -> dict[str, Any]:
    """``stage``, ``grade``, ``county`` and ``care``: for each value the figures of its pupils' rows.

    Parameters
    ----------
    known : DataFrame
        Judged rows: ``snapshot, school_id, grade, county_id, care_affected, label, <model>,
        listed_<model>``.
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


def by_component(known: pd.DataFrame, settings: Settings, model: str = "model") -> dict[str, Any]:
    """The model judged by each enabled component of the label alone; who is without it counts as stayed."""
    return {name: _figures(known, settings, model, outcome=name) for name in settings.labels.components}


def _figures(rows: pd.DataFrame, settings: Settings, model: str, outcome: str = "label") -> dict[str, Any]:
    left = int((rows[outcome] == 1).sum())
    counts = {"students": len(rows), "positives": left, "listed": int(rows[f"listed_{model}"].sum())}
    limits = settings.fairness
    if len(rows) < limits.minimum_group or left < limits.minimum_positives:
        few = f"too few to tell ({len(rows)} rows, {left} of them left)"
        nothing = dict.fromkeys((*FIGURES, *AT_CAPACITY, "recall_at", "precision_at", "intervals"))
        return {**counts, **nothing, "said": few}
    training = settings.training
    judged = _judged(rows, model, outcome)
    found = pooled(judged, samples=0)
    intervals = school_intervals(judged, samples=training.bootstrap_samples, seed=training.seed)
    return {
        **counts,
        **{name: found[name] for name in (*FIGURES, "recall_at", "precision_at")},
        "recall_at_capacity": found["recall_at"]["capacity"],
        "precision_at_capacity": found["precision_at"]["capacity"],
        "intervals": intervals,
        "said": None,
    }


def _judged(rows: pd.DataFrame, model: str, outcome: str) -> Judged:
    return Judged(
        y=(rows[outcome] == 1).to_numpy(dtype=np.float64),
        risk=rows[model].to_numpy(dtype=np.float64),
        school=rows["school_id"],
        snapshot=rows["snapshot"],
        capacity=rows[f"listed_{model}"].to_numpy(dtype=bool),
    )
