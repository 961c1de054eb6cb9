"""What is kept of a training: its document, its parameters, figures and tags; never a pupil."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from risk_model.features.declared import FEATURES
from risk_model.registry import REPORT
from risk_model.settings import Settings
from training.backtest import SCORERS
from training.card.reasons import top_reasons
from training.card.steadiness import stability
from training.fit import parameters
from training.gate import Gate
from training.looking_back import Past
from training.plots import backtest_figures, shap_summary


def document_of(past: Past, gate: Gate, settings: Settings) -> dict[str, Any]:
    """All that is known of the model before it has a version; kept with the run."""
    return {
        **_about(past),
        "label_settings": settings.labels.model_dump(),
        "gate": gate.document(),
        **_figures(past),
        **_explained(past, settings),
        "regret": past.judgement.regret,
        "search": past.searched.document,
        "not_done": [*past.judgement.not_done, *past.searched.not_done],
        **past.audit.document(),
        "skipped": {day.isoformat(): why for day, why in past.tested.skipped.items()},
    }


def record_of(past: Past, gate: Gate, document: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """What MLflow keeps of the run; numbers and curves, never a pupil."""
    return {
        "params": {
            "as_of": past.as_of,
            "kind": past.candidate.kind,
            "snapshots": len(past.plan.snapshots),
            "tests": len(past.judgement.backtest),
            "labels": settings.labels.model_dump(),
            "training": settings.training.model_dump(),
            "lightgbm": _learner(past, settings),
        },
        "metrics": past.judgement.pooled,
        "figures": _drawn(past, settings),
        "artifacts": {"gate": gate.document(), "backtest": past.judgement.backtest, REPORT: document},
        "tags": _verdict(gate),
        "nested": past.searched.runs,
    }


def _about(past: Past) -> dict[str, Any]:
    return {
        "kind": past.candidate.kind,
        "as_of": past.as_of,
        "why": past.candidate.why,
        "lake_snapshot": past.provenance.lake_snapshot,
        "fit": [day.isoformat() for day in past.candidate.snapshots],
        "calibration": [day.isoformat() for day in past.candidate.calibration_snapshots],
    }


def _figures(past: Past) -> dict[str, Any]:
    return {
        "backtest": past.judgement.backtest,
        "pooled": past.judgement.pooled,
        "labels": past.labels,
        "care": past.judgement.care,
        "calibration_by_place": past.judgement.calibration,
    }


def _explained(past: Past, settings: Settings) -> dict[str, Any]:
    trees = past.candidate.trees
    return {
        "reasons": top_reasons(trees, FEATURES) if trees else [],
        "stability": stability(trees, FEATURES, settings.list.reasons) if trees else [],
    }


def _learner(past: Past, settings: Settings) -> dict[str, Any]:
    """The numbers the trees were fitted with; nothing for the rule."""
    trees = past.candidate.trees
    if trees is None:
        return {}
    learner = parameters(FEATURES, settings.training) | dict(past.searched.changes or {})
    return learner | {"rounds": trees.booster.num_trees()}


def _drawn(past: Past, settings: Settings) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if len(past.judgement.predictions):
        figures |= backtest_figures(past.judgement.predictions, SCORERS)
    trees = past.candidate.trees
    if trees:
        names = [feature.name for feature in FEATURES]
        figures["shap_summary"] = shap_summary(trees.booster, trees.fit.x, names, settings.training.seed)
    return figures


def _verdict(gate: Gate) -> dict[str, str]:
    """Tags by which ``score`` can say why a version was not promoted."""
    if gate.passed:
        return {"gate": "passed"}
    return {"gate": "failed", "failed_checks": ", ".join(check.name for check in gate.failed)}
