"""``models compare``: two versions side by side, from what their trainings recorded."""

from __future__ import annotations

from typing import Any

from risk_model.errors import MissingError
from risk_model.home import Home
from risk_model.registry import Registry
from risk_model.settings import Settings
from training.shadowed import shadow_between

FIGURES = ("roc_auc", "average_precision", "brier_skill", "expected_over_observed", "calibration_slope")
LISTS = ("1%", "2%", "5%", "10%", "capacity")
MADE = ("as_of", "kind", "lake_snapshot", "horizon_days", "label", "code_hash", "settings_hash", "seed")


def compared(home: Home, settings: Settings, version: str, other: str) -> dict[str, Any]:
    """What the two have in common and where they differ.

    Their figures were measured each on its own backtest; where the test snapshots differ the document
    says so, and the figures are not to be set against each other.

    Raises
    ------
    MissingError
        There is no such version.
    BundleError
        One of the two is damaged.
    """
    registry = Registry(home, settings)
    first, second = registry.bundle(version).manifest, registry.bundle(other).manifest
    reports = [_report(registry, version), _report(registry, other)]
    days = [[one["snapshot"] for one in report.get("backtest", [])] for report in reports]
    return {
        "versions": [version, other],
        "same_snapshots": days[0] == days[1] and bool(days[0]),
        "snapshots": days,
        "figures": {name: [_figure(report, name) for report in reports] for name in _names()},
        "failed_checks": [_failed(report) for report in reports],
        "made": {name: [getattr(first, name), getattr(second, name)] for name in MADE},
        "features": {
            "only_first": sorted(set(first.features) - set(second.features)),
            "only_second": sorted(set(second.features) - set(first.features)),
        },
        "shadow": shadow_between(home, settings, version, other, since=max(first.as_of, second.as_of)),
    }


def comparison(document: dict[str, Any]) -> str:
    """The same as text: what differs, and the figures."""
    one, other = document["versions"]
    lines = [f"{'':<28}{one:>14}{other:>14}"]
    lines += [f"{name:<28}{_shown(a):>14}{_shown(b):>14}" for name, (a, b) in document["figures"].items()]
    lines += [
        f"{name:<28}{_told(a):>14}{_told(b):>14}" for name, (a, b) in document["made"].items() if a != b
    ]
    for side, failed in zip(document["versions"], document["failed_checks"], strict=True):
        lines.append(f"Version {side} failed: {', '.join(failed) or 'no check'}.")
    for side, names in zip(document["versions"], document["features"].values(), strict=True):
        lines += [f"Only version {side} uses: {', '.join(names)}."] if names else []
    lines += _unseen(document["shadow"]) if document["shadow"] else []
    if not document["same_snapshots"]:
        lines.append("They were tested on different days: do not set their figures against each other.")
    return "\n".join(lines)


def _unseen(shadow: dict[str, Any]) -> list[str]:
    """The nights one of the two scored beside the other, and who found more leavers."""
    challenger, champion = (", ".join(shadow[role]) for role in ("challengers", "champions"))
    said = (
        f"On {shadow['nights']} nights, {shadow['first']} to {shadow['last']}, {challenger} scored unseen "
        f"beside {champion}; {_share(shadow['mean_churn'])} of the listed would have fallen off."
    )
    if shadow["not_done"]:
        return [said, f"Who was right is not known: {shadow['not_done']}"]
    recall, change = shadow["recall"], shadow["recall_change"]
    bounds = [f"{change[end]:+.3f}" if change[end] is not None else "–" for end in ("mean", "lower", "upper")]
    return [
        said,
        f"Of {shadow['positives']} who left after {shadow['judged_nights']} of these nights the champion's "
        f"list held {recall['champion']:.0%}, the challenger's would have held {recall['challenger']:.0%} "
        f"({bounds[0]}, {bounds[1]} to {bounds[2]}).",
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _names() -> list[str]:
    return [
        *FIGURES,
        *(f"recall_at.{length}" for length in LISTS),
        *(f"precision_at.{length}" for length in LISTS),
    ]


def _report(registry: Registry, version: str) -> dict[str, Any]:
    try:
        return registry.report(version)
    except MissingError:  # imported, or trained before reports were kept
        return {}


def _figure(report: dict[str, Any], name: str) -> float | None:
    found: Any = report.get("pooled", {})
    for key in name.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _failed(report: dict[str, Any]) -> list[str]:
    return [check["name"] for check in report.get("gate", {}).get("checks", []) if not check["passed"]]


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _told(value: Any) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 12 else text[:11] + "…"
