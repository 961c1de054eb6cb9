"""``models list`` and ``models show``: the registry as documents and text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from risk_model.home import Home
from risk_model.promotions import CHALLENGER, CHAMPION
from risk_model.registry import Registry, Version
from risk_model.settings import Settings
from training.shadowed import shadow_of

SHOWN = ("roc_auc", "recall_at.capacity", "precision_at.capacity", "expected_over_observed")

HELD = {CHAMPION: "promoted", CHALLENGER: "made challenger"}


def listed(home: Home, settings: Settings) -> list[dict[str, Any]]:
    """One document per version, oldest first."""
    return [_short(version) for version in Registry(home, settings).versions()]


def listing(versions: list[dict[str, Any]]) -> str:
    """The versions as lines."""
    if not versions:
        return "No model is registered yet. Run `dropout-risk train`."
    return "\n".join(
        f"{found['version']:>4}  {found['kind']:<8}  {found['created_at']:%Y-%m-%d %H:%M}  "
        f"AUC {_figure(found['metrics'].get('roc_auc'))}  {', '.join(found['aliases'])}".rstrip()
        for found in versions
    )


def described(home: Home, settings: Settings, version: str) -> dict[str, Any]:
    """Everything known of one version; MissingError if there is none."""
    registry = Registry(home, settings)
    manifest = registry.bundle(version).manifest
    found = next(one for one in registry.versions() if one.version == version)
    held = sorted([*registry.history(), *registry.challenges()], key=lambda row: row.promoted_at)
    promotions = [asdict(row) for row in held if row.version == version]
    made = {key: value for key, value in asdict(manifest).items() if key != "reference"}
    shadow = shadow_of(home, settings, version) if _challenged(registry, version) else None
    return {**_short(found), "manifest": made, "promotions": promotions, "shadow": shadow}


def _challenged(registry: Registry, version: str) -> bool:
    return any(row.version == version for row in registry.challenges())


def description(document: dict[str, Any]) -> str:
    """One version as text."""
    made = document["manifest"]
    lines = [
        f"Version {document['version']}, {document['kind']}, {', '.join(document['aliases']) or 'no alias'}",
        f"  made as of {made['as_of']} from lake snapshot {made['lake_snapshot']}, "
        f"{len(made['features'])} features, {len(made['trained_snapshots'])} snapshots, "
        f"calibrated on {len(made['calibration_snapshots'])}",
        f"  leaving within {made['horizon_days']} days: {', '.join(made['label'])}",
        *(f"  {name}: {_figure(document['metrics'].get(name))}" for name in SHOWN),
        *(f"  {made['notes'][name]}" for name in ("kind", "care") if name in made["notes"]),
        *_assumptions(made),
        f"  digest {document['digest']}",
    ]
    lines += [
        f"  {HELD[row['role']]} {row['promoted_at']:%Y-%m-%d %H:%M} by {row['who']}: {row['why']}"
        for row in document["promotions"]
    ]
    if document["shadow"]:
        lines.append(f"  {_unseen(document['shadow'])}")
    return "\n".join(lines)


def _unseen(shadow: dict[str, Any]) -> str:
    churn = shadow["mean_churn"]
    return (
        f"scored {shadow['nights']} nights unseen, {shadow['first']} to {shadow['last']}, beside "
        f"{', '.join(shadow['champions'])}; {'–' if churn is None else f'{churn:.0%}'} of the listed would "
        "have fallen off"
    )


def _assumptions(made: dict[str, Any]) -> list[str]:
    """What the registers did not say: their second clock, or anything at all."""
    said = []
    if made["recorded_on_assumed"]:
        said.append(
            "  assumed: rows were loaded with --recorded-on event+N, so when they became known is a guess"
        )
    if made["absent_registers"]:
        said.append(f"  no rows of: {', '.join(made['absent_registers'])}; their features were null")
    return said


def _short(version: Version) -> dict[str, Any]:
    return {**asdict(version), "metrics": dict(version.metrics)}


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
