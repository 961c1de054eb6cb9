"""What people say about a pupil beside the model: notes, nominations, objections to a fact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, insert, select, update

from risk_model.errors import MissingError, RiskModelError
from serving.care.cases import ABOVE, case_of, reads_restricted
from serving.care.tables import OPEN, NominationRow, NoteRow, ObjectionRow
from serving.care.writing import naive, one_of, said
from serving.refusing import RefusedError
from serving.seats import of_pupils
from serving.tables import Published, Score

if TYPE_CHECKING:
    from serving.access.deciding import Viewer

CORRECTED = "corrected"
REFUSED = "refused"
CLASS_TEACHER = "class_teacher"


@dataclass(frozen=True)
class Note:
    """A note about a pupil; ``text`` is null where it is not for the eyes of who asks."""

    id: int
    student_id: str
    at: datetime
    account_id: int
    staff_id: str | None
    text: str | None
    restricted: bool


@dataclass(frozen=True)
class Nomination:
    """ "I am worried about …": stands beside the rank, never in it."""

    id: int
    student_id: str
    at: datetime
    account_id: int
    staff_id: str | None
    text: str
    withdrawn_at: datetime | None
    withdrawn_by: int | None = None
    withdrawn_why: str | None = None


@dataclass(frozen=True)
class Objection:
    """A fact said to be wrong, what was answered, and the risk (0–1) before and since."""

    id: int
    student_id: str
    fact: str
    text: str
    at: datetime
    account_id: int
    run_before: int | None
    risk_before: float | None
    state: str
    answer: str | None
    answered_at: datetime | None
    answered_by: int | None
    version: int
    risk_now: float | None = None
    """Of the published score, if that was made after the objection; null before."""


class AnsweredMeanwhileError(RiskModelError):
    """Somebody else answered the objection; ``theirs`` is how it stands now."""

    def __init__(self, theirs: Objection) -> None:
        super().__init__("Somebody else answered this objection meanwhile. Look at the answer.")
        self.theirs = theirs


def note(
    connection: Connection,
    viewer: Viewer,
    student_id: str,
    text: str,
    at: datetime,
    *,
    restricted: bool = False,
) -> int:
    """Write a note; its number. It counts as follow-up, whether the pupil is in care or not."""
    values = _by(viewer, student_id, said(text, "what you noticed"), at) | {"restricted": restricted}
    return int(connection.execute(insert(NoteRow).values(values).returning(NoteRow.id)).scalar_one())


def notes_of(connection: Connection, student_id: str, viewer: Viewer, reason: str | None) -> list[Note]:
    """Notes about the pupil, newest first; a restricted one is for who has the case, its writer, and those
    above (``reason`` is the kind of the viewer's access reason)."""
    whole = reads_restricted(case_of(connection, student_id), viewer, reason)
    query = select(NoteRow.__table__).where(NoteRow.student_id == student_id).order_by(NoteRow.id.desc())
    notes = [Note(**row) for row in connection.execute(query).mappings()]
    return [
        one if whole or not one.restricted or one.account_id == viewer.account_id else replace(one, text=None)
        for one in notes
    ]


def nominate(connection: Connection, viewer: Viewer, student_id: str, why: str, at: datetime) -> int:
    """Say that one is worried about the pupil, and why; the nomination's number."""
    values = _by(viewer, student_id, said(why, "why you are worried"), at)
    return int(
        connection.execute(insert(NominationRow).values(values).returning(NominationRow.id)).scalar_one()
    )


def withdraw_nomination(
    connection: Connection, viewer: Viewer, student_id: str, nomination_id: int, why: str, at: datetime,
    *, reason: str | None = None,
) -> None:  # fmt: skip
    """Take back one's own nomination, or as class teacher (``reason`` of access) anybody's; ``why`` is kept.

    Raises
    ------
    MissingError
        The pupil has no such nomination in force that is the viewer's to take back.
    """
    values = {
        "withdrawn_at": naive(at), "withdrawn_by": viewer.account_id,
        "withdrawn_why": said(why, "why it is taken back"),
    }  # fmt: skip
    asked = and_(NominationRow.id == nomination_id, NominationRow.student_id == student_id)
    statement = update(NominationRow).where(asked, NominationRow.withdrawn_at.is_(None))
    if reason != CLASS_TEACHER:
        statement = statement.where(NominationRow.account_id == viewer.account_id)
    if not connection.execute(statement.values(values)).rowcount:
        raise MissingError("There is no such nomination of yours. Look at the pupil's page.")


def nominations_of(
    connection: Connection, student_ids: Sequence[str], *, withdrawn: bool = False
) -> dict[str, list[Nomination]]:
    """Nominations in force by pupil, newest first; with ``withdrawn`` those taken back, too."""
    query = select(NominationRow.__table__).where(NominationRow.student_id.in_(student_ids))
    if not withdrawn:
        query = query.where(NominationRow.withdrawn_at.is_(None))
    found = defaultdict(list)
    for row in connection.execute(query.order_by(NominationRow.id.desc())).mappings():
        found[row["student_id"]].append(Nomination(**row))
    return dict(found)


def object_to(
    connection: Connection, viewer: Viewer, student_id: str, fact: str, text: str, at: datetime
) -> Objection:
    """Say that a fact about the pupil is wrong; ``fact`` names the feature or the register's column."""
    if not 0 < len(said(fact, "which fact is wrong")) <= 128:
        raise RefusedError("Name the fact by its feature or column.")
    score = _score(connection, student_id)
    values = {
        "student_id": student_id, "fact": fact, "text": said(text, "what is wrong"), "at": naive(at),
        "account_id": viewer.account_id, "run_before": score.run if score else None,
        "risk_before": score.risk if score else None, "state": OPEN, "version": 1,
    }  # fmt: skip
    made = connection.execute(insert(ObjectionRow).values(values).returning(ObjectionRow.id)).scalar_one()
    return objection_with(connection, made)


def may_answer(reason: str | None) -> bool:
    """Whether it is the viewer's duty to answer objections, by the kind of the access reason: the principal's
    and that of the offices above."""
    return reason in ABOVE


def answer_objection(
    connection: Connection, viewer: Viewer, objection_id: int, version: int, state: str, answer: str,
    at: datetime,
) -> Objection:  # fmt: skip
    """The outcome: ``corrected`` (in the register the fact comes from; the next run scores anew) or
    ``refused``, and why.

    Raises
    ------
    AnsweredMeanwhileError
        Somebody else did.
    """
    one_of(dict.fromkeys((CORRECTED, REFUSED)), state, "answer to an objection")
    objection_with(connection, objection_id)
    seen = and_(ObjectionRow.id == objection_id, ObjectionRow.version == version, ObjectionRow.state == OPEN)
    values = {
        "state": state, "answer": said(answer, "what came of it"), "answered_at": naive(at),
        "answered_by": viewer.account_id, "version": version + 1,
    }  # fmt: skip
    if not connection.execute(update(ObjectionRow).where(seen).values(values)).rowcount:
        raise AnsweredMeanwhileError(objection_with(connection, objection_id))
    return objection_with(connection, objection_id)


def objection_with(connection: Connection, objection_id: int) -> Objection:
    """The objection of this number.

    Raises
    ------
    MissingError
        There is none.
    """
    query = select(ObjectionRow.__table__).where(ObjectionRow.id == objection_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise MissingError(f"There is no objection {objection_id}. Look at the pupil's page.")
    return _since(connection, Objection(**row))


def objections_of(connection: Connection, student_id: str) -> list[Objection]:
    """Objections about the pupil, newest first, each with what the score became."""
    query = select(ObjectionRow.__table__).where(ObjectionRow.student_id == student_id)
    rows = connection.execute(query.order_by(ObjectionRow.id.desc())).mappings().all()
    return [_since(connection, Objection(**row)) for row in rows]


def pupil_of_objection(connection: Connection, objection_id: int) -> str | None:
    """Whom it is about, to be asked about access; None if there is no such objection."""
    return connection.execute(select(ObjectionRow.student_id).where(ObjectionRow.id == objection_id)).scalar()


def _since(connection: Connection, objection: Objection) -> Objection:
    score = _score(connection, objection.student_id)
    newer = score is not None and score.run != objection.run_before
    return replace(objection, risk_now=score.risk) if newer else objection


def _score(connection: Connection, student_id: str) -> Any | None:
    live = and_(Published.school_id == Score.school_id, Published.run == Score.run)
    query = of_pupils(select(Score.run, Score.risk).join(Published, live), [student_id])
    return connection.execute(query.order_by(Score.run.desc()).limit(1)).one_or_none()


def _by(viewer: Viewer, student_id: str, text: str, at: datetime) -> dict[str, Any]:
    by = {"account_id": viewer.account_id, "staff_id": viewer.staff_id}
    return {"student_id": student_id, "text": text, "at": naive(at), **by}
