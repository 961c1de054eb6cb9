"""How a run's list did: at its real length, beside the school's rule, with intervals over schools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.evaluation.by_school import school_intervals
from risk_model.evaluation.calibration import calibration_table
from risk_model.evaluation.judged import Judged
from risk_model.evaluation.paired import paired_difference
from risk_model.evaluation.pooled import pooled
from risk_model.ranking import rank
from risk_model.settings import ListSettings, MonitoringSettings, Settings

STAGES = {**dict.fromkeys(range(1, 7), "primary"), **dict.fromkeys(range(7, 10), "junior")}
TOLD = ("roc_auc", "brier", "ece", "expected_over_observed", "calibration_slope", "recall_at", "precision_at")


def measure(rows: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    """Figures of one cohort.

    Parameters
    ----------
    rows : DataFrame
        ``student_id, school_id, county_id, class_key, grade, risk, listed, label`` (NaN = unknown),
        ``care_affected`` and, where the values of the night are kept, ``flags``: how many of the two
        conditions of the school's rule the pupil met.

    Returns
    -------
    dict
        ``counts``, ``expected_precision`` and, once somebody left, ``precision``, ``recall``,
        ``expected_over_observed`` (each with ``_interval``), ``calibration``, ``gain``, ``rule``, ``groups``.
    """
    known = rows[rows["label"].notna()]
    listed = known["listed"].to_numpy(dtype=bool)
    counts = {
        "pupils": len(rows), "known": len(known), "listed": int(listed.sum()),
        "positives": int((known["label"] == 1).sum()), "found": int((known["label"][listed] == 1).sum()),
        "unknown_share": float((rows["state"] == "unknown").mean()) if len(rows) else None,
    }  # fmt: skip
    expected = float(known["risk"][listed].mean()) if listed.any() else None
    found: dict[str, Any] = {"counts": counts, "expected_precision": expected}
    if counts["positives"] == 0 or counts["listed"] == 0:
        return found
    judged = _judged(known, known["risk"].to_numpy(), listed)
    training = settings.training
    figures = pooled(judged, samples=0)
    intervals = school_intervals(judged, samples=training.bootstrap_samples, seed=training.seed)
    return {
        **found,
        "precision": figures["precision_at"]["capacity"],
        "precision_interval": intervals["precision_at_capacity"],
        "recall": figures["recall_at"]["capacity"],
        "recall_interval": intervals["recall_at_capacity"],
        **{name: figures[name] for name in TOLD},
        "expected_over_observed_interval": intervals["expected_over_observed"],
        "calibration": calibration_table(
            known.assign(snapshot=0), "risk", samples=training.bootstrap_samples
        ),
        "rule": _beside_rule(known, judged, settings) if "flags" in known else None,
        "groups": by_group(known, settings.monitoring),
    }


def _judged(known: pd.DataFrame, risk: NDArray[np.float64], listed: NDArray[np.bool_]) -> Judged:
    return Judged(known["label"].to_numpy(dtype=np.float64), risk, known["school_id"], capacity=listed)


def _beside_rule(known: pd.DataFrame, ours: Judged, settings: Settings) -> dict[str, Any]:
    """The school's rule with as many places in every school; pupils it holds equal count by chance."""
    risk = known["flags"].to_numpy(dtype=np.float64) / 2
    listed = _as_long(known, risk, settings.list)
    rule = _judged(known, risk, listed)
    figures = pooled(rule, samples=0)
    training = settings.training
    gain = paired_difference(ours, rule, samples=training.bootstrap_samples, seed=training.seed)["capacity"]
    model = pooled(ours, samples=0)["recall_at"]["capacity"]
    recall = figures["recall_at"]["capacity"]
    return {
        "recall": recall,
        "precision": figures["precision_at"]["capacity"],
        "recall_at": figures["recall_at"],
        "lift": model / recall if recall else None,
        "recall_gain": gain["difference"],
        "recall_gain_interval": None if gain["lower"] is None else [gain["lower"], gain["upper"]],
    }


def _as_long(known: pd.DataFrame, risk: NDArray[np.float64], rules: ListSettings) -> NDArray[np.bool_]:
    places = known["school_id"].map(known.groupby("school_id")["listed"].sum())
    position = rank(known.assign(risk=risk), rules)["rank_in_school"]
    mask: NDArray[np.bool_] = (position <= places).to_numpy(dtype=bool)
    return mask


def by_group(known: pd.DataFrame, rules: MonitoringSettings) -> dict[str, dict[str, Any]]:
    """Precision and recall at the list by stage, county and care; small cells are None."""
    columns = {
        "stage": known["grade"].map(lambda grade: STAGES.get(grade, "senior")),
        "county": known["county_id"],
        "care": np.where(known["care_affected"].astype(bool), "cared for", "not cared for"),
    }
    return {
        name: {str(value): at_list(rows, rules) for value, rows in known.groupby(column)}
        for name, column in columns.items()
    }


def at_list(rows: pd.DataFrame, rules: MonitoringSettings) -> dict[str, Any]:
    """Of some pupils: how many are listed, how many left, and both; None where a cell is small."""
    left, listed = rows["label"] == 1, rows["listed"].astype(bool)
    counts = {"pupils": len(rows), "positives": int(left.sum()), "listed": int(listed.sum())}
    shown: dict[str, Any] = {
        name: count if count == 0 or count >= rules.smallest_cell else None for name, count in counts.items()
    }
    hits = int((left & listed).sum())
    enough_left = counts["positives"] >= rules.smallest_cell
    enough_listed = counts["listed"] >= rules.smallest_cell
    return {
        **shown,
        "recall": hits / counts["positives"] if enough_left else None,
        "precision": hits / counts["listed"] if enough_listed else None,
        "expected_precision": float(rows["risk"][listed].mean()) if enough_listed else None,
    }
