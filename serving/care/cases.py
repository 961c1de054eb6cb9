"""Care cases as they stand and as they came to stand so: the reading side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from risk_model.errors import MissingError, RiskModelError
from serving.care.tables import OPEN, CaseRow, StepRow

if TYPE_CHECKING:
    from serving.access.deciding import Viewer

ABOVE = frozenset({"principal", "township", "county", "province"})
"""Reasons of access of those above who has a case."""


@dataclass(frozen=True)
class CareCase:
    """A case as it stands; ``version`` goes with every change of it."""

    id: int
    student_id: str
    state: str
    assigned_to: str
    opened_on: date
    due_on: date | None
    last_contact: date | None
    judgement: str | None
    outcome: str | None
    closed_on: date | None
    version: int

    def overdue_days(self, day: date) -> int:
        """Days since a contact was due; 0 if none is."""
        return max((day - self.due_on).days, 0) if self.due_on is not None else 0


@dataclass(frozen=True)
class Step:
    """What was done in a case, and by whom."""

    case_id: int
    version: int
    kind: str
    at: datetime
    day: date
    account_id: int
    staff_id: str | None
    text: str | None
    """Null where it is restricted and not for the eyes of who asks."""
    restricted: bool
    contact_kind: str | None
    with_whom: str | None
    next_on: date | None
    family: str | None
    word: str | None


class ChangedMeanwhileError(RiskModelError):
    """Somebody else changed the case since this one looked; nothing of either is lost.

    ``case`` is how it stands now, ``theirs`` the steps made since the version that was named.
    """

    def __init__(self, case: CareCase, theirs: list[Step]) -> None:
        super().__init__(
            "Somebody else changed this case meanwhile. Look at the change, then send yours again."
        )
        self.case = case
        self.theirs = theirs


def case_with(connection: Connection, case_id: int) -> CareCase:
    """The case of this number.

    Raises
    ------
    MissingError
        There is none.
    """
    row = connection.execute(_cases().where(CaseRow.id == case_id)).mappings().one_or_none()
    if row is None:
        raise MissingError(f"There is no care case {case_id}. Look at the pupil's page.")
    return CareCase(**row)


def case_of(connection: Connection, student_id: str) -> CareCase | None:
    """The pupil's open case, or else the one closed last; None without any."""
    query = _cases().where(CaseRow.student_id == student_id)
    query = query.order_by((CaseRow.state == OPEN).desc(), CaseRow.id.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else CareCase(**row)


def pupil_of_case(connection: Connection, case_id: int) -> str | None:
    """Whose case it is, to be asked about access; None if there is no such case."""
    return connection.execute(select(CaseRow.student_id).where(CaseRow.id == case_id)).scalar()


def steps_of(connection: Connection, case: CareCase, viewer: Viewer, reason: str | None) -> list[Step]:
    """The history of the case, oldest first, as far as the viewer may read it.

    ``reason`` is the kind of the viewer's access reason. A restricted text is for who has the case, who
    wrote it, and those above; others are told that there is one.
    """
    whole = reads_restricted(case, viewer, reason)
    return [
        step if whole or not step.restricted or step.account_id == viewer.account_id
        else replace(step, text=None, with_whom=None)
        for step in steps_since(connection, case.id)
    ]  # fmt: skip


def reads_restricted(case: CareCase | None, viewer: Viewer, reason: str | None) -> bool:
    """Whether the viewer has the case or stands above it."""
    has = case is not None and viewer.staff_id is not None and case.assigned_to == viewer.staff_id
    return has or reason in ABOVE


def _cases() -> Any:
    return select(CaseRow.__table__)


def steps_since(connection: Connection, case_id: int, after: int = 0) -> list[Step]:
    """Steps that made the versions after ``after``, whole: for who changes the case."""
    table = StepRow.__table__
    columns = [column for column in table.columns if column.name != "id"]
    query = select(*columns).where(StepRow.case_id == case_id, StepRow.version > after)
    return [Step(**row) for row in connection.execute(query.order_by(StepRow.version)).mappings()]
