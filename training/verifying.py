"""``models verify``: is every registered model what it was, and does MLflow say who is champion?"""

from __future__ import annotations

from typing import Any

from risk_model.errors import BundleError
from risk_model.home import Home
from risk_model.model.exactness import demand_exact
from risk_model.model.golden import golden_gap
from risk_model.registry import Registry, Version
from risk_model.settings import Settings


def verified(home: Home, settings: Settings) -> dict[str, Any]:
    """Every version with its damage, if any; MLflow's aliases are set to the table of promotions."""
    registry = Registry(home, settings)
    versions = registry.versions()
    looked_at = [_looked_at(registry, version) for version in versions]
    if versions:
        registry.follow()
    champion, challenger = registry.champion(), registry.challenger()
    return {
        "sound": all(one["damage"] is None for one in looked_at),
        "champion": champion.version if champion else None,
        "challenger": challenger.version if challenger else None,
        "versions": looked_at,
    }


def verification(document: dict[str, Any]) -> str:
    """The same as text."""
    if not document["versions"]:
        return "No model is registered yet. Run `dropout-risk train`."
    lines = [f"{one['version']:>4}  {one['damage'] or _sound(one)}" for one in document["versions"]]
    held = [f"{role}: {document[role] or 'none'}" for role in ("champion", "challenger")]
    return "\n".join([*lines, f"{', '.join(held)}; MLflow's aliases follow."])


def _sound(one: dict[str, Any]) -> str:
    return "sound" if one["golden"] else "sound; made before golden rows were kept"


def _looked_at(registry: Registry, version: Version) -> dict[str, Any]:
    try:
        bundle = registry.bundle(version.version)
        demand_exact(bundle)
    except BundleError as error:
        return {"version": version.version, "digest": version.digest, "golden": False, "damage": str(error)}
    kept = golden_gap(bundle) is not None
    return {"version": version.version, "digest": version.digest, "golden": kept, "damage": None}
