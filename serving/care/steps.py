"""Care cases changed: opened, planned, contacts, reviewed, closed. Every change names the version it saw.

Functions take a connection and leave the transaction to their caller; on SQLite that is one begun with the
execution option ``writes`` (``serving/database.py``). Whether the viewer may see the pupil was asked before.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import IntegrityError

from risk_model.settings import CareSettings
from serving.care.cases import CareCase, ChangedMeanwhileError, case_of, case_with, steps_since
from serving.care.tables import CLOSED, OPEN, CaseRow, StepRow
from serving.care.texts import CONTACT_KINDS, JUDGEMENTS, OUTCOMES, PLANS
from serving.care.writing import known, naive, one_of, said, today
from serving.refusing import RefusedError

if TYPE_CHECKING:
    from serving.access.deciding import Viewer

RULES = CareSettings()


def open_case(
    connection: Connection,
    viewer: Viewer,
    student_id: str,
    assigned_to: str,
    at: datetime,
    *,
    text: str = "",
    rules: CareSettings = RULES,
) -> CareCase:
    """Give a pupil into the care of a member of staff.

    Raises
    ------
    ChangedMeanwhileError
        The pupil has an open case already; the error carries it.
    """
    day = today(at)
    values = {
        "student_id": student_id, "state": OPEN, "assigned_to": known(assigned_to), "opened_on": day,
        "due_on": day + timedelta(days=rules.first_contact_days), "version": 1,
    }  # fmt: skip
    try:
        with connection.begin_nested():
            made = connection.execute(insert(CaseRow).values(values).returning(CaseRow.id)).scalar_one()
    except IntegrityError:
        case = case_of(connection, student_id)
        if case is None:
            raise
        raise ChangedMeanwhileError(case, steps_since(connection, case.id)) from None
    _write(connection, viewer, made, 1, at, {"kind": "opened", "text": said(text), "word": assigned_to})
    return case_with(connection, made)


def assign(
    connection: Connection, viewer: Viewer, case_id: int, version: int, assigned_to: str, at: datetime,
    *, text: str = "",
) -> CareCase:  # fmt: skip
    """Give an open case to another member of staff."""
    step = {"kind": "assigned", "text": said(text), "word": known(assigned_to)}
    return _change(connection, viewer, case_id, version, at, step, {"assigned_to": assigned_to})


def plan(
    connection: Connection, viewer: Viewer, case_id: int, version: int, family: str, text: str, at: datetime,
    *, next_on: date | None = None, restricted: bool = False,
) -> CareCase:  # fmt: skip
    """What is to be done about reasons of a family; ``text`` usually began as its template."""
    step = {
        "kind": "plan", "family": one_of(PLANS, family, "family of reasons"),
        "text": said(text, "what is to be done"),
        "restricted": restricted, "next_on": _coming(next_on, at),
    }  # fmt: skip
    return _change(connection, viewer, case_id, version, at, step, {"due_on": next_on} if next_on else {})


def contact(
    connection: Connection,
    viewer: Viewer,
    case_id: int,
    version: int,
    day: date,
    kind: str,
    with_whom: str,
    agreed: str,
    at: datetime,
    *,
    next_on: date | None = None,
    restricted: bool = False,
    rules: CareSettings = RULES,
) -> CareCase:
    """A contact on ``day``: with whom, what was agreed, and when the next one is due."""
    case = case_with(connection, case_id)
    if not case.opened_on - timedelta(days=31) <= day <= today(at):
        raise RefusedError("The day of a contact lies within the case, and not ahead.")
    step = {
        "kind": "contact", "day": day, "contact_kind": one_of(CONTACT_KINDS, kind, "kind of contact"),
        "with_whom": said(with_whom, "with whom")[:200], "text": said(agreed, "what was agreed"),
        "restricted": restricted, "next_on": _coming(next_on, at),
    }  # fmt: skip
    due = next_on or day + timedelta(days=rules.contact_every_days)
    later = case.last_contact is None or day >= case.last_contact
    values = {"last_contact": day, "due_on": due} if later else {}
    return _change(connection, viewer, case_id, version, at, step, values)


def review(
    connection: Connection, viewer: Viewer, case_id: int, version: int, judgement: str, text: str,
    at: datetime, *, restricted: bool = False,
) -> CareCase:  # fmt: skip
    """Whether who knows the child agrees with the reasons; demanded before a case closes."""
    one_of(JUDGEMENTS, judgement, "judgement")
    step = {"kind": "review", "word": judgement, "text": said(text), "restricted": restricted}
    return _change(connection, viewer, case_id, version, at, step, {"judgement": judgement})


def close(
    connection: Connection, viewer: Viewer, case_id: int, version: int, outcome: str, text: str,
    at: datetime, *, restricted: bool = False,
) -> CareCase:  # fmt: skip
    """What came of it.

    Raises
    ------
    RefusedError
        The reasons were not reviewed, or the outcome is unknown.
    """
    if case_with(connection, case_id).judgement is None:
        raise RefusedError("Before a case closes, say whether you agree with the reasons: review it first.")
    one_of(OUTCOMES, outcome, "outcome")
    step = {"kind": "closed", "word": outcome, "text": said(text), "restricted": restricted}
    values = {"state": CLOSED, "outcome": outcome, "closed_on": today(at), "due_on": None}
    return _change(connection, viewer, case_id, version, at, step, values)


def _change(
    connection: Connection, viewer: Viewer, case_id: int, version: int, at: datetime,
    step: dict[str, Any], values: dict[str, Any],
) -> CareCase:  # fmt: skip
    """One step, if nobody made one since ``version``: the row's own count decides, in the database."""
    case = case_with(connection, case_id)
    if case.version == version and case.state == CLOSED:
        raise RefusedError("This case is closed. Open another one for the pupil.")
    seen = update(CaseRow).where(CaseRow.id == case_id, CaseRow.version == version)
    if not connection.execute(seen.values(version=version + 1, **values)).rowcount:
        raise ChangedMeanwhileError(case_with(connection, case_id), steps_since(connection, case_id, version))
    _write(connection, viewer, case_id, version + 1, at, step)
    return case_with(connection, case_id)


def _write(
    connection: Connection, viewer: Viewer, case_id: int, version: int, at: datetime, step: dict[str, Any]
) -> None:
    about = {"case_id": case_id, "version": version, "at": naive(at), "day": today(at), "restricted": False}
    by = {"account_id": viewer.account_id, "staff_id": viewer.staff_id}
    connection.execute(insert(StepRow).values(about | by | step))


def _coming(next_on: date | None, at: datetime) -> date | None:
    day = today(at)
    if next_on is not None and not day <= next_on <= day + timedelta(days=366):
        raise RefusedError("The next day lies ahead, within a year.")
    return next_on
