"""What the card says, from the training's own document and the bundle's manifest; no figure is made here."""

from __future__ import annotations

from typing import Any

from risk_model.features.declared import FEATURES
from risk_model.model.manifest import Manifest
from training.card.plot import plot
from training.care import care_said

EVENTS = {
    "dropped_out": "the register says the pupil dropped out",
    "long_absence": "twenty school days running without an excuse",
    "non_return": "not seen in the first three weeks of a term",
    "transferred_nowhere": "transferred, and enrolled nowhere since",
}
COMPONENTS = {
    "dropped_out": "dropped out by the register",
    "long_absence": "long absence",
    "non_return": "no return after a holiday",
    "transferred_nowhere": "transferred nowhere",
}
BASELINES = {
    "school_rule": "the school's own rule (absence of 10 % or a failed core subject)",
    "logistic": "a logistic regression on the same features",
    "additive": "an additive glass-box model",
    "school_only": "school and grade alone",
}
LIMITS = (
    "It cannot see what no register holds: a quarrel at home, a job offer, a friend who has left.",
    "A pupil in the first weeks of turning away looks like any other.",
    "Where a class keeps no register, nothing can be said of its pupils; the list names them as open cases.",
    "It was judged on pupils nobody had yet helped because of it; where help works, they come less true.",
    "It learns what the registers say. Where they are wrong for one group, it is wrong for that group.",
    "Its risks are of the past's size. After a change of policy, a closed school or an epidemic they are too "
    "high or too low until it is trained again.",
    "Two pupils whose risks are almost equal are in no order: places near the end of a list are partly luck.",
)


def content(document: dict[str, Any], manifest: Manifest, version: str) -> dict[str, Any]:
    """All that both renderings show; what the training could not judge is there with its reason."""
    pooled = document.get("pooled") or {}
    at_list = (pooled.get("precision_at") or {}).get("capacity")
    found = (pooled.get("recall_at") or {}).get("capacity")
    audit = document.get("fairness") or {}
    return {
        "version": version,
        "kind": manifest.kind,
        "why": document.get("why") or "",
        "as_of": manifest.as_of,
        "horizon": manifest.horizon_days,
        "events": [EVENTS.get(name, name) for name in manifest.label],
        "lake_snapshot": manifest.lake_snapshot,
        "assumed": manifest.recorded_on_assumed,
        "absent": manifest.absent_registers,
        "fit": manifest.trained_snapshots,
        "calibrated": manifest.calibration_snapshots,
        "tests": [test["snapshot"] for test in document.get("backtest", [])],
        "gate": document.get("gate") or {"passed": False, "checks": []},
        "right_of_100": None if at_list is None else round(100 * at_list),
        "found_of_100": None if found is None else round(100 * found),
        "rule_found_of_100": _rule_found(pooled),
        "positives": pooled.get("positives", 0),
        "students": pooled.get("students", 0),
        "rows": _rows(pooled),
        "figures": _figures(pooled),
        "calibration": document.get("calibration_by_place") or [],
        "labels": document.get("labels") or {},
        "care": _care(document),
        "fairness": _fairness(audit),
        "findings": audit.get("findings", []),
        "not_done": [*(document.get("not_done") or []), *audit.get("not_done", [])],
        "reasons": document.get("reasons") or [],
        "bound": _bound(manifest),
        "steady": [one for one in document.get("stability") or [] if one["of"] == "highest 5 %"],
        "features": len(manifest.features),
        "windows": document.get("label_settings") or {},
        "groups": _groups(pooled),
        "proxies": _proxies(audit),
        "plot": plot(document.get("calibration_by_place") or []),
        "limits": LIMITS,
        "search": (document.get("search") or {}).get("says", ""),
        "hashes": {name: getattr(manifest, f"{name}_hash") for name in ("code", "settings", "lock")},
    }


def _care(document: dict[str, Any]) -> dict[str, Any]:
    """Care-affected rows: what they counted for, and how many of the listed who stayed they were."""
    counts = document.get("care") or {}
    groups = ((document.get("pooled") or {}).get("groups") or {}).get("care") or {}
    return {
        "labelled": (document.get("labels") or {}).get("care_affected", 0),
        "weight": counts.get("weight", 1.0),
        "said": care_said(counts),
        "groups": [{"name": name, **figures} for name, figures in groups.items()] if len(groups) > 1 else [],
    }


def _rule_found(pooled: dict[str, Any]) -> int | None:
    rule = (pooled.get("baselines") or {}).get("school_rule") or {}
    found = (rule.get("recall_at") or {}).get("capacity")
    return None if found is None else round(100 * found)


def _rows(pooled: dict[str, Any]) -> list[dict[str, Any]]:
    """The model and every baseline: share of leavers found at each length of the list."""
    if not pooled.get("positives"):
        return []
    told = [{"name": "this model", **pooled["recall_at"]}]
    return told + [
        {"name": BASELINES.get(name, name), **measured["recall_at"]}
        for name, measured in pooled["baselines"].items()
    ]


def _bound(manifest: Manifest) -> dict[str, list[str]]:
    """Features that may move the risk one way only."""
    used = [feature for feature in FEATURES if feature.name in manifest.features]
    return {
        way: [feature.name for feature in used if feature.direction == direction]
        for way, direction in (("up", 1), ("down", -1))
    }


def _groups(pooled: dict[str, Any]) -> list[dict[str, Any]]:
    """Stage, grade, county, and each component of the label alone; care has a table of its own."""
    groups = {kind: values for kind, values in (pooled.get("groups") or {}).items() if kind != "care"}
    kinds = {**groups, "leaving as": pooled.get("components") or {}}
    return [
        {"kind": kind, "group": COMPONENTS.get(name, name), **figures}
        for kind, values in kinds.items()
        for name, figures in values.items()
    ]


def _proxies(audit: dict[str, Any]) -> list[dict[str, Any]]:
    """How well the features tell each attribute that is no predictor."""
    return [
        {"attribute": name.replace("_", " "), **attribute["proxy"]}
        for name, attribute in (audit.get("attributes") or {}).items()
        if attribute.get("proxy")
    ]


FIGURES = {
    "roc_auc": "ROC-AUC: chance that a leaver ranks above one who stayed",
    "average_precision": "PR-AUC",
    "expected_over_observed": "Expected over observed leavers",
    "expected_over_observed_top5": "The same in the top 5 %",
    "calibration_slope": "Calibration slope (1 is perfect)",
    "calibration_intercept": "Calibration intercept (0 is perfect)",
    "brier": "Brier score",
    "brier_skill": "Brier skill",
    "log_loss": "Log-loss",
    "ece": "ECE",
}
AT_LIST = {
    "recall_at": "Share of leavers on the list, at the staff's capacity",
    "precision_at": "Share of the listed who left, at the staff's capacity",
}


def _figures(pooled: dict[str, Any]) -> list[dict[str, Any]]:
    intervals = pooled.get("intervals") or {}
    at_list = [
        {
            "name": said,
            "value": pooled[key]["capacity"],
            "interval": (intervals.get(key) or {}).get("capacity"),
        }
        for key, said in AT_LIST.items()
        if (pooled.get(key) or {}).get("capacity") is not None
    ]
    return at_list + [
        {"name": said, "value": pooled[key], "interval": intervals.get(key)}
        for key, said in FIGURES.items()
        if pooled.get(key) is not None
    ]


def _fairness(audit: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "attribute": name.replace("_", " "),
            "group": value,
            "largest": value == attribute.get("reference"),
            **figures,
        }
        for name, attribute in (audit.get("attributes") or {}).items()
        for value, figures in attribute["groups"].items()
    ]
