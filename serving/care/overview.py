"""Who is followed up and what is overdue: for lists, home and the next level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, and_, func, select

from risk_model.settings import CareSettings
from serving.care.cases import CareCase
from serving.care.steps import RULES
from serving.care.tables import CLOSED, OPEN, CaseRow, NoteRow, StepRow
from serving.care.writing import naive, today
from serving.lists import inside
from serving.seats import of_pupils
from serving.tables import PRUNED, PUBLISHED, Run, RunSchool, Score, Seat
from serving.units import Unit

AT_ONCE = 5_000
"""Pupils asked for in one statement."""
State = Literal["none", "noted", "assigned", "in_care", "closed"]
Level = Literal["staff", "school", "township", "county"]
LEVELS: tuple[Level, ...] = ("staff", "school", "township", "county")


@dataclass(frozen=True)
class FollowUp:
    """What was done about a pupil: ``assigned`` is care without a contact yet, ``noted`` a note alone."""

    state: State
    last_contact: date | None = None
    overdue: bool = False
    restricted: bool = False
    """There are restricted notes; what they say is for who has the case and those above."""
    case_id: int | None = None
    assigned_to: str | None = None

    @property
    def followed_up(self) -> bool:
        """Any note, contact or case counts; nothing done does not."""
        return self.state != "none"


def follow_up(
    connection: Connection, student_ids: Sequence[str], at: datetime, rules: CareSettings = RULES
) -> dict[str, FollowUp]:
    """By pupil, everybody asked for. Notes and closed cases count for ``follow_up_days``."""
    found: dict[str, FollowUp] = {}
    for begin in range(0, len(student_ids), AT_ONCE):
        some = list(student_ids[begin : begin + AT_ONCE])
        cases, notes = _newest_cases(connection, some), _notes(connection, some)
        kept = _restricted(connection, some)
        for student in some:
            found[student] = _told(cases.get(student), notes.get(student), student in kept, at, rules)
    return found


def cases_of_unit(
    connection: Connection, unit: Unit, at: datetime, *, closed: bool = False
) -> list[CareCase]:
    """Open cases of pupils of the unit, the longest overdue first; with ``closed`` those, newest first.

    A pupil who is in no list any more belongs where the last published list had him.
    """
    last = (
        of_pupils(
            select(Score.student_id, func.max(Score.run).label("run")).join(
                Run, and_(Run.id == Score.run, Run.state.in_((PUBLISHED, PRUNED)))
            ),
            select(CaseRow.student_id),
        )
        .group_by(Score.student_id)
        .subquery()
    )
    query = (
        select(CaseRow.__table__)
        .join(last, last.c.student_id == CaseRow.student_id)
        .join(Seat, Seat.student_id == last.c.student_id)
        .join(
            Score,
            and_(
                Score.run == last.c.run,
                Score.school_id == Seat.school_id,
                Score.student_id == last.c.student_id,
            ),
        )
        .join(RunSchool, and_(RunSchool.run == Score.run, RunSchool.school_id == Score.school_id))
        .where(CaseRow.state == (CLOSED if closed else OPEN), inside(unit))
        .order_by(CaseRow.closed_on.desc() if closed else CaseRow.due_on, CaseRow.id)
    )
    if unit.kind == "class":
        query = query.where(Score.class_key == unit.name)
    return [CareCase(**row) for row in connection.execute(query).mappings()]


def cases_of_staff(connection: Connection, staff_id: str) -> list[CareCase]:
    """Open cases somebody has, the longest overdue first."""
    query = select(CaseRow.__table__).where(CaseRow.assigned_to == staff_id, CaseRow.state == OPEN)
    return [
        CareCase(**row) for row in connection.execute(query.order_by(CaseRow.due_on, CaseRow.id)).mappings()
    ]


def shown_to(case: CareCase, day: date, rules: CareSettings = RULES) -> Level:
    """The highest level that sees the case among its overdue ones; ``staff`` if nothing is overdue."""
    days = case.overdue_days(day)
    bounds = (1, rules.township_after_days + 1, rules.county_after_days + 1)
    return LEVELS[sum(days >= bound for bound in bounds)]


def overdue_of(
    connection: Connection, unit: Unit, at: datetime, rules: CareSettings = RULES
) -> list[CareCase]:
    """Cases of the unit so long overdue that its level is shown them, the longest first."""
    level = {"class": 0, "school": 1, "township": 2}.get(unit.kind, 3)
    day = today(at)
    return [
        case
        for case in cases_of_unit(connection, unit, at)
        if case.overdue_days(day) and LEVELS.index(shown_to(case, day, rules)) >= level
    ]


def _told(
    case: CareCase | None, noted: datetime | None, restricted: bool, at: datetime, rules: CareSettings
) -> FollowUp:
    day = today(at)
    since = day - timedelta(days=rules.follow_up_days)
    contact = max(filter(None, (case and case.last_contact, noted and today(noted))), default=None)
    if case is not None and case.state == OPEN:
        state: State = (
            "in_care" if case.last_contact or (noted and today(noted) >= case.opened_on) else "assigned"
        )
        return FollowUp(state, contact, case.overdue_days(day) > 0, restricted, case.id, case.assigned_to)
    if noted is not None and today(noted) >= since:
        return FollowUp("noted", contact, False, restricted)
    if case is not None and case.closed_on is not None and case.closed_on >= since:
        return FollowUp("closed", contact, False, restricted, case.id, case.assigned_to)
    return FollowUp("none", contact, False, restricted)


def _newest_cases(connection: Connection, students: Sequence[str]) -> Mapping[str, CareCase]:
    query = select(CaseRow.__table__).where(CaseRow.student_id.in_(students))
    rows = connection.execute(query.order_by((CaseRow.state == OPEN), CaseRow.id)).mappings()
    return {row["student_id"]: CareCase(**row) for row in rows}


def _notes(connection: Connection, students: Sequence[str]) -> Mapping[str, datetime]:
    query = select(NoteRow.student_id, func.max(NoteRow.at)).where(NoteRow.student_id.in_(students))
    return {student: naive(at) for student, at in connection.execute(query.group_by(NoteRow.student_id))}


def _restricted(connection: Connection, students: Sequence[str]) -> set[str]:
    notes = select(NoteRow.student_id).where(NoteRow.student_id.in_(students), NoteRow.restricted)
    of_cases: Any = (
        select(CaseRow.student_id)
        .join(StepRow, StepRow.case_id == CaseRow.id)
        .where(CaseRow.student_id.in_(students), StepRow.restricted)
    )
    return set(connection.execute(notes.union(of_cases)).scalars())
