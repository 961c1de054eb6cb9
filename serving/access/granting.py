"""Access to one pupil alone: with a care case while it is open, or by breaking the glass for three hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from risk_model.errors import MissingError
from serving.access.deciding import Viewer, in_force
from serving.access.tables import Grant, Placement, Post, Staff
from serving.refusing import RefusedError

BREAK_GLASS = timedelta(hours=3)
SHORTEST_WHY = 10
"""Characters a reason has at least: "x" is none."""
LONGEST_WHY = 2000


def open_break_glass(
    connection: Connection, viewer: Viewer, student_id: str, why: str, at: datetime
) -> datetime:
    """Let ``viewer`` see one pupil for three hours, for a reason that is kept; answers until when.

    For members of staff who see pupils by a post of theirs today, and for nobody else: a machine, an
    administrator, a data scientist and whoever has left stay outside.

    Raises
    ------
    RefusedError
        The reason is too short, or too long, to be one.
    MissingError
        The viewer may not, or there is no such pupil: which of both is not told.
    """
    reason = " ".join(why.split())
    if not SHORTEST_WHY <= len(reason) <= LONGEST_WHY:
        raise RefusedError(
            "Write why, in %(least)s to %(most)s characters; it is kept for good.",
            least=SHORTEST_WHY,
            most=f"{LONGEST_WHY:,}",
        )
    pupil = select(Placement.student_id).where(Placement.student_id == student_id).limit(1)
    if not may_break_glass(connection, viewer, at) or connection.execute(pupil).first() is None:
        raise MissingError("There is no such pupil.")
    until = at + BREAK_GLASS
    _grant(connection, str(viewer.staff_id), student_id, "break_glass", at, until, reason)
    return until


def broken_glasses(connection: Connection, student_id: str, limit: int) -> list[Any]:
    """Who broke the glass for a pupil, newest first: rows of ``from_at``, ``name`` and ``why``."""
    query = (
        select(Grant.from_at, Staff.name, Grant.why)
        .join(Staff, Staff.staff_id == Grant.staff_id)
        .where(Grant.student_id == student_id, Grant.kind == "break_glass")
        .order_by(Grant.id.desc())
    )
    return list(connection.execute(query.limit(limit)))


def grant_care(connection: Connection, staff_id: str, student_id: str, at: datetime) -> None:
    """Let the member of staff who has a care case see its pupil until :func:`end_care`."""
    open_one = select(Grant.id).where(*_open_care(staff_id, student_id, at))
    if connection.execute(open_one.limit(1)).first() is None:
        _grant(connection, staff_id, student_id, "care", at, None, None)


def end_care(connection: Connection, staff_id: str, student_id: str, at: datetime) -> None:
    """The case is closed, or somebody else's: what it let him see ends with it."""
    ended = update(Grant).where(*_open_care(staff_id, student_id, at)).values(until_at=at)
    connection.execute(ended)


def _open_care(staff_id: str, student_id: str, at: datetime) -> tuple[ColumnElement[bool], ...]:
    running = or_(Grant.until_at.is_(None), Grant.until_at > at)
    return (Grant.staff_id == staff_id, Grant.student_id == student_id, Grant.kind == "care", running)


def may_break_glass(connection: Connection, viewer: Viewer, at: datetime) -> bool:
    """Whether the viewer is a member of staff who sees pupils by a post today."""
    if viewer.kind != "person" or not viewer.sees_pupils:
        return False
    held = (
        select(Post.staff_id)
        .join(Staff, Staff.staff_id == Post.staff_id)
        .where(Post.staff_id == viewer.staff_id, Post.sees, in_force(at))
    )
    return connection.execute(held.limit(1)).first() is not None


def _grant(
    connection: Connection,
    staff_id: str,
    student_id: str,
    kind: str,
    at: datetime,
    until: datetime | None,
    why: str | None,
) -> None:
    entry = {"staff_id": staff_id, "student_id": student_id, "kind": kind, "why": why}
    connection.execute(insert(Grant), {**entry, "from_at": at, "until_at": until})
