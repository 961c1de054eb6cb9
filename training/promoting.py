"""``models promote``, ``challenge`` and ``rollback``: who decided, when and why is kept for good."""

from __future__ import annotations

import json
from getpass import getuser
from hashlib import sha256
from typing import Any

from risk_model.errors import MissingError
from risk_model.home import Home
from risk_model.registry import Champion, Registry
from risk_model.settings import Settings


def promote(home: Home, settings: Settings, version: str, why: str) -> dict[str, Any]:
    """Make ``version`` the champion instead of the one there is now.

    Raises
    ------
    PromotionRefusedError
        Somebody else promoted a version since this command looked.
    MissingError, BundleError
        There is no such version, or its bundle is damaged; the champion stays.
    """
    registry = Registry(home, settings)
    now = registry.champion()
    digest, failed = _gate_of(registry, version)
    champion = registry.promote(version, who=getuser(), why=why, report_digest=digest, instead_of=now)
    return _document(champion, now, failed)


NOBODY = "none"
"""In place of a version: the challenger is withdrawn."""


def challenge(home: Home, settings: Settings, version: str, why: str) -> dict[str, Any]:
    """Let ``version`` score every night beside the champion, unseen; ``none`` withdraws the challenger.

    Raises
    ------
    MissingError, BundleError
        There is no such version or no challenger to withdraw, or its bundle is damaged.
    UsageError
        It is the champion.
    """
    registry = Registry(home, settings)
    before = registry.challenger()
    if version == NOBODY:
        registry.withdraw_challenger(who=getuser(), why=why)
        return {"version": None, "from_version": before.version if before else None, "why": why}
    digest, failed = _gate_of(registry, version)
    now = registry.challenge(version, who=getuser(), why=why, report_digest=digest)
    return _document(now, before, failed)


def challenged_text(document: dict[str, Any]) -> str:
    """The challenge as text."""
    if document["version"] is None:
        return f"Version {document['from_version']} is withdrawn; nobody scores beside the champion."
    return (
        f"Version {document['version']} scores beside the champion from tonight, unseen: {document['why']}\n"
        f"How it does: models compare {document['version']} CHAMPION"
    )


def rollback(home: Home, settings: Settings, why: str) -> dict[str, Any]:
    """Make the champion before this one champion again."""
    registry = Registry(home, settings)
    now = registry.champion()
    return _document(registry.rollback(who=getuser(), why=why), now, [])


def promoted_text(document: dict[str, Any]) -> str:
    """The promotion as text."""
    before = f" instead of {document['from_version']}" if document["from_version"] else ""
    lines = [f"Version {document['version']} is champion now{before}: {document['why']}"]
    if document["failed_checks"]:
        lines.append(f"It was promoted although it failed: {', '.join(document['failed_checks'])}.")
    return "\n".join([*lines, "The next score uses it. To go back: models rollback --why …"])


def _gate_of(registry: Registry, version: str) -> tuple[str | None, list[str]]:
    """Digest of the gate's report and the checks that failed; nothing for a version without a report."""
    try:
        gate = registry.report(version)["gate"]
    except MissingError:
        return None, []
    digest = sha256(json.dumps(gate, sort_keys=True, default=float).encode()).hexdigest()
    return digest, [check["name"] for check in gate["checks"] if not check["passed"]]


def _document(champion: Champion, before: Champion | None, failed: list[str]) -> dict[str, Any]:
    return {
        "version": champion.version,
        "from_version": before.version if before else None,
        "digest": champion.digest,
        "who": champion.who,
        "why": champion.why,
        "promoted_at": champion.promoted_at,
        "failed_checks": failed,
    }
