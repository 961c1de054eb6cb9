"""The care of a unit as a table to read (台账): every step and note with its text, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, literal, select, union_all

from risk_model.errors import UsageError
from serving.access.deciding import Viewer, placed, why_unit
from serving.access.tables import Placement, UnitPlace
from serving.accounts.keeping import account_of
from serving.accounts.tables import ACTIVE
from serving.care.cases import ABOVE
from serving.care.tables import CaseRow, NoteRow, StepRow
from serving.exports import safe_text
from serving.units import Unit

COLUMNS = ("student_id", "care_id", "at", "kind", "staff_id", "with_whom", "restricted", "text")


def ledger(connection: Connection, unit: Unit, at: datetime, *, restricted: bool = False) -> bytes:
    """CSV of the care of the unit's pupils of today, oldest first in each; no cell is a formula.

    What is restricted is told to be there and left out, text and partner of the talk, unless ``restricted``.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in connection.execute(_entries(unit, at)):
        told = row._asdict()
        if row.restricted and not restricted:
            told |= {"text": None, "with_whom": None}
        writer.writerow([_cell(told[name]) for name in COLUMNS])
    return text.getvalue().encode()


def demand_above(connection: Connection, login: str, unit: Unit, at: datetime) -> Viewer:
    """The person on whose behalf restricted texts are asked for: principal of the unit, or above it.

    Raises
    ------
    UsageError
        The account is closed, or its owner is none of these today.
    """
    row = account_of(connection, login)
    viewer = Viewer(row.id, row.login, row.kind, row.staff_id, row.administrator)
    reason = why_unit(connection, viewer, unit, at) if row.state == ACTIVE and row.kind == "person" else None
    if reason is None or reason.kind not in ABOVE:
        raise UsageError(
            f"{login} may not read restricted texts of {unit}: its principal and the offices above may. "
            "Leave --restricted out, or name one of them."
        )
    return viewer


def _entries(unit: Unit, at: datetime) -> Any:
    inside = (
        select(Placement.student_id)
        .join(UnitPlace, UnitPlace.unit == Placement.unit)
        .where(UnitPlace.within == str(unit), placed(at))
    )
    steps: Select[Any] = select(
        CaseRow.student_id, CaseRow.id.label("care_id"), StepRow.at, StepRow.kind, StepRow.staff_id,
        StepRow.with_whom, StepRow.restricted, StepRow.text,
    ).join(StepRow, StepRow.case_id == CaseRow.id)  # fmt: skip
    notes: Select[Any] = select(
        NoteRow.student_id, literal(None), NoteRow.at, literal("note"), NoteRow.staff_id, literal(None),
        NoteRow.restricted, NoteRow.text,
    )  # fmt: skip
    both = union_all(
        steps.where(CaseRow.student_id.in_(inside)), notes.where(NoteRow.student_id.in_(inside))
    ).subquery()
    return select(both).order_by(both.c.student_id, both.c.at, both.c.care_id)


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, bool):
        return "true" if value else "false"
    return safe_text(value) if isinstance(value, str) else value
