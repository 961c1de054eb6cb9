"""Models and monitoring for the data scientist: aggregates, and nobody's name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from risk_model.errors import BundleError, MissingError
from risk_model.explanation.words import Language
from risk_model.home import Home
from risk_model.model.manifest import Manifest
from risk_model.promotions import Promotion
from risk_model.roles import Roles
from serving.pages.desk import Desk
from serving.pages.rendering import day_text, moment_text
from serving.pages.unit_figures import own_figures
from serving.tables import Published, Run
from serving.web.service import service_of

REPORT = Path("monitoring") / "latest.json"
"""What ``monitor`` keeps in the data folder: counts and schools, never a pupil."""
SHOWN = 20


@dataclass(frozen=True)
class Version:
    """A promotion, as the registry's append-only table tells it."""

    version: str
    role: str
    made: str
    why: str


@dataclass(frozen=True)
class Report:
    """The decision of the latest monitoring night and its alerts."""

    decision: str
    alerts: list[str]


@dataclass(frozen=True)
class Models:
    """The page."""

    run: dict[str, Any] | None
    versions: list[Version]
    card: list[tuple[str, str]] = field(default_factory=list)
    report: Report | None = None
    units: list[tuple[str, str]] = field(default_factory=list)
    """Units, with their names, of which the reader sees aggregates."""


def models_page(desk: Desk) -> Models:
    """Tonight's run, who became champion when and why, what the champion is made of, the latest report."""
    roles = Roles(desk.home)
    promoted = sorted((*roles.history(), *roles.challenges()), key=lambda one: one.promoted_at, reverse=True)
    return Models(
        run=_run(desk.connection),
        versions=[_version(one, desk.language) for one in promoted[:SHOWN]],
        card=_card(desk),
        report=_report(desk.home),
        units=own_figures(desk),
    )


def _run(connection: Connection) -> dict[str, Any] | None:
    query = select(Run.document).join(Published, Published.run == Run.id)
    text = connection.execute(query.order_by(Published.publication.desc()).limit(1)).scalar()
    found: dict[str, Any] | None = None if text is None else json.loads(text)
    return found


def _version(promotion: Promotion, language: Language) -> Version:
    made = moment_text(promotion.promoted_at, language)
    return Version(promotion.version or "–", promotion.role, made, f"{promotion.who}: {promotion.why}")


def _card(desk: Desk) -> list[tuple[str, str]]:
    """What the champion's manifest says of its making."""
    try:
        served = service_of(desk.request).model.served()
    except (MissingError, BundleError):
        return []
    manifest: Manifest = served.bundle.manifest
    days = [*manifest.trained_snapshots]
    fitted = f"{day_text(min(days), desk.language)} – {day_text(max(days), desk.language)}" if days else "–"
    return [
        (desk.say("version"), served.champion.version),
        (desk.say("kind"), manifest.kind),
        (desk.say("registers as known on"), day_text(manifest.as_of, desk.language)),
        (desk.say("fitted on days"), fitted),
        (desk.say("looks ahead"), desk.say("%(days)s days", days=manifest.horizon_days)),
        (desk.say("leaving means"), ", ".join(manifest.label)),
        (desk.say("facts used"), str(len(manifest.features))),
        (desk.say("registers without rows"), ", ".join(manifest.absent_registers) or "–"),
        *((name, text) for name, text in manifest.notes.items()),
    ]


def _report(home: Home) -> Report | None:
    """The latest report; none before the first, or where it cannot be read."""
    try:
        told = json.loads((home.data / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    alerts = told.get("alerts", [])
    return Report(str(told.get("decision", "–")), [_alert(one) for one in alerts[:SHOWN]])


def _alert(alert: Any) -> str:
    """An alert's own sentence, whatever else it holds."""
    if isinstance(alert, dict):
        return str(
            next((alert[key] for key in ("says", "text", "message") if key in alert), alert.get("key", "–"))
        )
    return str(alert)
