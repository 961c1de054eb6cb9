"""What the registers say of a pupil, in short: attendance, results, the way, care, family and aid."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection

from serving.open_registers import OpenRegisters
from serving.pages.published import classmates, published_score
from serving.pages.pupil_page import SEES_FAMILY
from serving.pages.pupil_registers import PupilRegisters, read_registers


def register_summary(
    connection: Connection, kept: OpenRegisters, student_id: str, reason: str
) -> dict[str, Any] | None:
    """As known on the day of the pupil's list; null without a list, or where the registers are not kept.

    ``reason`` is the kind of the access reason: family and aid are null for all but those who teach, lead the
    school, care or broke the glass, as on the pupil's page.
    """
    score = published_score(connection, student_id)
    if score is None:
        return None
    mates = classmates(connection, score)
    registers = read_registers(kept, student_id, score.as_of, mates, None)
    if registers is None:
        return None
    return {
        "as_of": score.as_of.isoformat(),
        "attendance": [{"month": month.first.isoformat(), "days": month.days} for month in registers.months],
        "results": [
            {"term": term.name, "share": term.pupil, "class_share": term.of_class, "missed": term.missed}
            for term in registers.terms
        ],
        "way": {name: getattr(registers, name) for name in ("km", "minutes", "mode", "boarding")},
        "care": [{"day": day.isoformat(), "kind": kind} for day, kind in registers.care],
        **_of_the_family(registers, seen=reason in SEES_FAMILY),
    }


def _of_the_family(registers: PupilRegisters, *, seen: bool) -> dict[str, Any]:
    if not seen:
        return {"family": None, "aid": None}
    aid = [
        {"programme": programme, "granted_on": day.isoformat(), "amount": amount}
        for programme, day, amount in registers.aid
    ]
    return {"family": None if registers.family is None else _plain(registers.family), "aid": aid}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Days as text; whose row it is stands above."""
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in row.items()
        if name != "student_id"
    }
