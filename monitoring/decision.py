"""Keep, investigate or retrain: the highest of what is asked for tonight, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

from monitoring.findings import LEVELS, OWNERS, Finding
from risk_model.features.declared import BY_NAME, FEATURES
from risk_model.model.manifest import Manifest
from risk_model.settings import MonitoringSettings

Decision = Literal["keep", "investigate", "retrain"]
DECISIONS: tuple[Decision, ...] = ("keep", "investigate", "retrain")


def triggers(
    manifest: Manifest, as_of: date, filled: frozenset[str], rules: MonitoringSettings
) -> list[Finding]:
    """What asks for a new model whatever the pupils do: the term's schedule, and a changed schema."""
    found: list[Finding] = []
    age = (as_of - manifest.as_of).days
    if age > rules.retrain_after_days:
        found.append(
            Finding("term_schedule", "schedule", "retrain", "data_scientist", window=f"{as_of}", n=age)
        )
    gone = [name for name in manifest.features if name not in BY_NAME]
    if gone:
        found.append(
            Finding("schema_changed", "model", "retrain", "data_scientist", window=f"{as_of}", n=len(gone),
                    figures={"names": ", ".join(gone[:5])})
        )  # fmt: skip
    needed = {register for feature in FEATURES for register in feature.needs}
    new = sorted(needed & filled & set(manifest.absent_registers))
    if new:
        found.append(
            Finding("registers_new", "model", "retrain", "data_scientist", window=f"{as_of}", n=len(new),
                    figures={"names": ", ".join(new)})
        )  # fmt: skip
    return found


def decide(
    findings: Sequence[Finding], silenced: frozenset[str] = frozenset()
) -> tuple[Decision, list[Finding]]:
    """The decision, and the findings it stands on, the data office's first: mend registers before a fit.

    Drift asks to investigate and never more; a silenced finding asks for nothing.
    """
    asking = [finding for finding in findings if finding.is_alert and finding.key not in silenced]
    asking.sort(key=lambda finding: (-LEVELS.index(finding.level), OWNERS.index(finding.owner)))
    highest = max((LEVELS.index(finding.level) for finding in asking), default=0)
    return DECISIONS[highest], asking


def reached(decision: str, fail_on: str | None) -> bool:
    """Whether ``--fail-on`` asks for another exit code.

    >>> reached("investigate", "investigate"), reached("investigate", "retrain"), reached("keep", None)
    (True, False, False)
    """
    return fail_on is not None and DECISIONS.index(decision) >= DECISIONS.index(fail_on)  # type: ignore[arg-type]


def reasons(asking: Sequence[Finding]) -> list[dict[str, Any]]:
    """Of each finding a decision stands on: its key and its sentences."""
    return [
        {"key": one.key, "level": one.level, "text": one.said("en"), "text_zh": one.said("zh")}
        for one in asking
    ]
