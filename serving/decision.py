"""What becomes of a complete run: published, stored or refused, and the document that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from risk_model.quality import HeldBack, judge_size
from serving import publication
from serving.publication import RunKey
from serving.tables import PUBLISHED, REFUSED, STORED
from serving.tally import Tally

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from risk_model.settings import Settings
    from serving.nightly import Order


def document_of(key: RunKey, tally: Tally) -> dict[str, Any]:
    """The keys of contract §3, before anything is published."""
    return {
        "run_id": key.digest,
        "as_of": key.as_of.isoformat(),
        "model_version": key.model_version,
        "students": tally.students,
        "listed": tally.listed,
        "published": False,
        "held_back": [],
        "reason": None,
        "status": dict(sorted(tally.status.items())),
        "findings": [tally.findings[student] for student in sorted(tally.findings)],
    }


def decide(
    connection: Connection, settings: Settings, run: int, key: RunKey, order: Order, document: dict[str, Any]
) -> dict[str, Any]:
    """Publish the run, or say why not; the caller's transaction makes it happen at once or not at all."""
    live = publication.newest(connection)
    pupils = publication.pupils_by_county(connection, run)
    before = publication.pupils_by_county(connection, live.id) if live else {}
    refusals = () if order.force else judge_size(pupils, before, settings.quality)
    if refusals:
        held = [HeldBack(unit, refusals[0], live.as_of if live else None) for unit in _units(pupils, before)]
        return _finished(connection, run, REFUSED, document, held, refusals[0])
    if live is not None and key.as_of < live.as_of and not order.republish:
        older = f"A newer list, of {live.as_of}, is published; --republish publishes this one all the same."
        return _finished(connection, run, STORED, document, [], older)
    document["published"] = publication.publish(connection, run) > 0
    return _finished(connection, run, PUBLISHED, document, publication.held_back(connection, run), None)


def _finished(
    connection: Connection,
    run: int,
    state: str,
    document: dict[str, Any],
    held: list[HeldBack],
    reason: str | None,
) -> dict[str, Any]:
    entries = [{**unit.as_document(), "as_of": unit.as_of and unit.as_of.isoformat()} for unit in held]
    document.update(held_back=entries, reason=reason)
    publication.finish(connection, run, state, document)
    return document


def _units(pupils: dict[str, int], before: dict[str, int]) -> list[str]:
    """The counties a refused run is about; ``all`` where not even a county is known."""
    return [f"county:{county}" for county in sorted({*pupils, *before}) if county] or ["all"]
