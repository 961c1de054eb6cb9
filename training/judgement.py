"""How right the models of the past were, by labels as known today, beside every baseline.

At capacity a baseline gets lists of the same length, school by school, as the model's own: the question
is who finds more leavers with the same number of places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from risk_model.evaluation.calibration import calibration_table
from risk_model.evaluation.judged import Judged
from risk_model.evaluation.metrics import metrics
from risk_model.evaluation.paired import paired_difference
from risk_model.evaluation.pooled import pooled
from risk_model.evaluation.regret import regret
from risk_model.evaluation.ties import tie_ranges
from risk_model.settings import Settings
from training.backtest import BASELINES, MODEL, SCORERS
from training.care import care_counts, care_not_judged
from training.gate import CALIBRATION, Evidence, Gain, Measured
from training.groups import by_component, by_group
from training.listing import as_judged, lists_as_long
from training.snapshots import COMPONENTS

LISTS = ("1%", "2%", "5%", "10%", "capacity")
UNKNOWN: dict[str, Any] = {
    **dict.fromkeys(("roc_auc", "average_precision", "brier", "ece", "expected_over_observed")),
    "precision_at": dict.fromkeys(LISTS),
    "recall_at": dict.fromkeys(LISTS),
}
NOBODY: dict[str, Any] = {
    "students": 0,
    "positives": 0,
    "snapshots": 0,
    **UNKNOWN,
    "intervals": {},
    "baselines": {name: {**UNKNOWN, "model_gains": {}} for name in BASELINES},
    "components": {},
    "groups": {},
}
"""The figures over all where no model of the past could be judged: the same keys, nothing in them."""


@dataclass(frozen=True)
class Judgement:
    """The figures of one training."""

    predictions: pd.DataFrame
    """The backtest's rows with ``label`` (NaN = not known), components and ``listed_<scorer>``."""
    backtest: list[dict[str, Any]]
    """One document per test snapshot, ascending."""
    pooled: dict[str, Any]
    """The same keys over all test snapshots, with intervals; empty without a backtest."""
    evidence: Evidence
    calibration: list[dict[str, Any]]
    """Expected and observed by place on the list."""
    regret: dict[str, Any]
    care: dict[str, Any]
    """Care-affected rows among the judged (:mod:`training.care`)."""
    not_done: list[dict[str, str]]
    """What could not be judged, and why."""


def judge(predictions: pd.DataFrame, labels: pd.DataFrame, settings: Settings) -> Judgement:
    """Join what was said and what became of it, and count.

    Parameters
    ----------
    predictions : DataFrame
        Of :func:`training.backtest.backtest`.
    labels : DataFrame
        All columns of the temp table ``labels`` as known today, of the test days at least.
    """
    told = _listed(_joined(predictions, labels), settings)
    known = told[told["label"].notna()]
    snapshots = [_one(day, rows) for day, rows in known.groupby("snapshot", sort=True)]
    over_all = _over_all(known, settings) if len(known) else dict(NOBODY)
    evidence = _evidence(len(snapshots), over_all)
    care = care_counts(known, settings.training.care_weight)
    return Judgement(
        predictions=told,
        backtest=snapshots,
        pooled=over_all,
        evidence=evidence,
        calibration=_calibration(known, settings) if len(known) else [],
        regret=_regret(snapshots),
        care=care,
        not_done=[*_not_done(snapshots, settings), *_groups_not_judged(care, over_all["groups"])],
    )


def _calibration(known: pd.DataFrame, settings: Settings) -> list[dict[str, Any]]:
    training = settings.training
    return calibration_table(known, MODEL, samples=training.bootstrap_samples, seed=training.seed)


def _regret(snapshots: list[dict[str, Any]]) -> dict[str, Any]:
    """Of every scorer at capacity, over the test snapshots."""
    rows = [
        {MODEL: one["recall_at"]["capacity"]}
        | {name: one["baselines"][name]["recall_at"]["capacity"] for name in BASELINES}
        for one in snapshots
    ]
    return regret(pd.DataFrame(rows, columns=list(SCORERS), dtype=float))


def _not_done(snapshots: list[dict[str, Any]], settings: Settings) -> list[dict[str, str]]:
    asked = settings.training.test_snapshots
    if len(snapshots) >= asked:
        return []
    why = (
        f"{asked} test snapshots are asked for and {len(snapshots)} could be judged; a test day needs "
        f"about {2 * settings.training.minimum_history_days} days of history behind it"
    )
    return [{"what": "backtest" if not snapshots else "rolling origin", "why": why}]


def _groups_not_judged(care: dict[str, Any], groups: dict[str, Any]) -> list[dict[str, str]]:
    """Counties and care-affected rows without figures of their own; nothing where no day was judged."""
    if not groups:
        return []
    counties = [
        {"what": f"county {name}", "why": figures["said"]}
        for name, figures in groups["county"].items()
        if figures["said"]
    ]
    return counties + care_not_judged(care, groups)


def _joined(predictions: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    told = labels[["snapshot", "student_id", "label", "state", *COMPONENTS, "care_affected"]]
    told = told.astype({"snapshot": "datetime64[us]", "label": "float64"})
    days = predictions.astype({"snapshot": "datetime64[us]"})
    return days.merge(told, on=["snapshot", "student_id"], how="left", validate="one_to_one")


def _listed(told: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Who would have been on the list of each scorer; a column ``listed_<scorer>`` each."""
    parts = [
        lists_as_long(rows, MODEL, BASELINES, settings.list)
        for _, rows in told.groupby("snapshot", sort=True)
    ]
    return pd.concat(parts) if parts else told.assign(**{f"listed_{name}": False for name in SCORERS})


def _one(day: Any, known: pd.DataFrame) -> dict[str, Any]:
    measured = {
        name: metrics(known["label"], known[name].astype(float), known[f"listed_{name}"], known["school_id"])
        for name in SCORERS
    }
    baselines = {name: measured[name] for name in BASELINES}
    ranges = tie_ranges(as_judged(known, MODEL))
    return {"snapshot": day.date().isoformat(), **measured[MODEL], **ranges, "baselines": baselines}


def _over_all(known: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    training = settings.training
    draws: dict[str, int] = {"samples": training.bootstrap_samples, "seed": training.seed}
    model = as_judged(known, MODEL)
    baselines = {name: as_judged(known, name) for name in BASELINES}
    found = pooled(model, **draws)
    return {
        **found,
        **tie_ranges(model),
        "baselines": {
            name: _beside(found, pooled(judged, samples=0), judged)
            | {"model_gains": paired_difference(model, judged, **draws)}
            for name, judged in baselines.items()
        },
        "groups": by_group(known, settings),
        "components": by_component(known, settings),
    }


def _beside(model: dict[str, Any], measured: dict[str, Any], judged: Judged) -> dict[str, Any]:
    """A baseline's figures, the luck in them, and how many times as precise the model's lists are."""
    lift = {
        name: ours / theirs if ours is not None and theirs else None
        for name, ours in model["precision_at"].items()
        for theirs in (measured["precision_at"][name],)
    }
    return {**measured, **tie_ranges(judged), "lift_at": lift}


def _evidence(tests: int, over_all: dict[str, Any]) -> Evidence:
    gains = {
        name: _gain(measured["model_gains"]["capacity"])
        for name, measured in over_all["baselines"].items()
        if measured["model_gains"]
    }
    return Evidence(
        tests=tests,
        positives=over_all.get("positives", 0),
        roc_auc=over_all.get("roc_auc"),
        gains=gains,
        calibration={name: _measured(over_all, name) for name in CALIBRATION},
    )


def _measured(over_all: dict[str, Any], name: str) -> Measured:
    bounds = over_all.get("intervals", {}).get(name)
    return Measured(over_all.get(name), None if bounds is None else (bounds[0], bounds[1]))


def _gain(measured: dict[str, float | None]) -> Gain | None:
    mean, lower, upper = (measured[key] for key in ("difference", "lower", "upper"))
    if mean is None or lower is None or upper is None:
        return None
    return mean, lower, upper
