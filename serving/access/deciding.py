"""Who may see a pupil or a unit, and why. Whatever shows a pupil asks here; unknown means no.

The same rules stand in the view ``reach`` of PostgreSQL (``serving/access/second_wall.py``). What every
request asks is a statement made once, with parameters: making one takes six times as long as asking it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Select,
    and_,
    bindparam,
    exists,
    false,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from serving.access.posts import DATA_SCIENTIST, end_of, local_day
from serving.access.reasons import AccessReason, Kind
from serving.access.tables import Grant, Placement, Post, Staff, UnitPlace, UtcDateTime
from serving.accounts.tables import ACTIVE, Account
from serving.units import Unit, parse_unit

__all__ = [
    "AccessReason",
    "Onlooker",
    "Sight",
    "Viewer",
    "own_units",
    "visible",
    "visible_of",
    "who_may_see",
    "why",
    "why_unit",
]

SEEING_SCOPES = frozenset({"lists:read", "students:read", "care:write"})
"""Scopes of a token that are about pupils; with none of them it sees nobody."""
DAY, AT = bindparam("day", type_=Date()), bindparam("at", type_=UtcDateTime())
"""What :func:`moment` fills in."""
ASKED = 500
"""Pupils asked about in one statement: SQLite counts its parameters."""


@dataclass(frozen=True)
class Viewer:
    """Who asks; made anew for every request, so that what changed meanwhile counts."""

    account_id: int
    login: str
    kind: Literal["person", "machine"]
    staff_id: str | None = None
    administrator: bool = False
    """Opens and closes accounts, and sees no pupils, whatever posts he holds besides."""
    data_scientist: bool = False
    scopes: frozenset[str] = frozenset()
    unit: str | None = None
    """The only unit a machine's token is for."""
    must_change: bool = False
    """Signed in by a password that somebody else made, and has to choose another first."""

    @property
    def sees_pupils(self) -> bool:
        """Whether there can be a pupil this viewer may see."""
        if self.administrator:
            return False
        if self.kind == "machine":
            return self.unit is not None and not SEEING_SCOPES.isdisjoint(self.scopes)
        return self.staff_id is not None


@dataclass(frozen=True)
class Sight:
    """Whom ``viewer`` may see at ``at``: all of them as a statement, or those of some pupils."""

    viewer: Viewer
    at: datetime

    def statement(self) -> Select[Any]:
        """As :func:`visible`."""
        return visible(self.viewer, self.at)

    def of(self, connection: Connection, student_ids: Collection[str]) -> set[str]:
        """As :func:`visible_of`."""
        return visible_of(connection, self.viewer, student_ids, self.at)


@dataclass(frozen=True)
class Onlooker:
    """Somebody who may see a pupil, and why."""

    staff_id: str
    name: str
    reason: AccessReason


def why(connection: Connection, viewer: Viewer, student_id: str, at: datetime) -> AccessReason | None:
    """The nearest reason why ``viewer`` may see the pupil at ``at``; null: he may not, or there is none.

    A class is nearer than a school, a post nearer than a care case, that nearer than a broken glass.
    """
    if not viewer.sees_pupils:
        return None
    if viewer.kind == "machine":
        inside = visible_of(connection, viewer, [student_id], at)
        return AccessReason("token", cast(str, viewer.unit)) if inside else None
    asked = {"pupil": student_id, "staff": viewer.staff_id, **moment(at)}
    reasons = [_of_post(row) for row in connection.execute(_POSTS_OVER, asked)]
    if not reasons:
        reasons = [_of_grant(row, student_id) for row in connection.execute(_GRANTS_OVER, asked)]
    return min(reasons, key=AccessReason.distance, default=None)


def visible(viewer: Viewer, at: datetime) -> Select[Any]:
    """Statement over the ``student_id`` of everybody :func:`why` has a reason for; may name one twice."""
    if not viewer.sees_pupils:
        return select(Placement.student_id).where(false())
    if viewer.kind == "machine":
        return _of_token(viewer.unit, at)
    posts = _held(at).with_only_columns(Placement.student_id).where(Post.staff_id == viewer.staff_id)
    grants = select(Grant.student_id).where(Grant.staff_id == viewer.staff_id, _running(at), _serves())
    both = union_all(posts, grants).subquery()
    return select(both.c.student_id)


def visible_of(
    connection: Connection, viewer: Viewer, student_ids: Collection[str], at: datetime
) -> set[str]:
    """Those of some pupils whom :func:`why` has a reason for."""
    if not viewer.sees_pupils:
        return set()
    machine = viewer.kind == "machine"
    statement = _OF_TOKEN if machine else _OF_PERSON
    who = {"unit": viewer.unit} if machine else {"staff": viewer.staff_id}
    ids, found = list(student_ids), set()
    for start in range(0, len(ids), ASKED):
        asked = {"pupils": ids[start : start + ASKED], **who, **moment(at)}
        found.update(connection.execute(statement, asked).scalars())
    return found


def why_unit(connection: Connection, viewer: Viewer, unit: Unit, at: datetime) -> AccessReason | None:
    """Why ``viewer`` may see the list, or if a data scientist the counts, of ``unit``; null: he may not."""
    if viewer.administrator:
        return None
    if viewer.kind == "machine":
        asked = {"unit": str(unit), "within": viewer.unit}
        inside = viewer.sees_pupils and connection.execute(_LIES_WITHIN, asked).first() is not None
        return AccessReason("token", cast(str, viewer.unit)) if inside else None
    held = connection.execute(_POSTS_ABOVE, {"unit": str(unit), "staff": viewer.staff_id, **moment(at)})
    return min((_of_post(row) for row in held), key=AccessReason.distance, default=None)


def own_units(connection: Connection, viewer: Viewer, at: datetime) -> list[tuple[Unit, AccessReason]]:
    """The units of the viewer's posts today, nearest first: where his home page starts."""
    if viewer.administrator:
        return []
    if viewer.kind == "machine":
        reason = why_unit(connection, viewer, parse_unit(viewer.unit), at) if viewer.unit else None
        return [(parse_unit(viewer.unit), reason)] if reason else []
    exists_in_tree = select(UnitPlace.unit)
    held = connection.execute(_posts_of(viewer.staff_id, at).where(Post.unit.in_(exists_in_tree)))
    reasons = sorted((_of_post(row) for row in held), key=lambda reason: (reason.distance(), reason.unit))
    return [(parse_unit(reason.unit), reason) for reason in reasons]


def who_may_see(connection: Connection, student_id: str, at: datetime) -> list[Onlooker]:
    """All members of staff with an account in use who may see the pupil, each with the nearest reason."""
    in_use = select(Account.staff_id).where(Account.state == ACTIVE, ~Account.administrator)
    held = _held(at).add_columns(Staff.staff_id, Staff.name)
    posts = held.where(Placement.student_id == student_id, Post.staff_id.in_(in_use))
    grants = (
        select(Grant.kind, Grant.until_at, Staff.staff_id, Staff.name)
        .join(Staff, Staff.staff_id == Grant.staff_id)
        .where(Grant.student_id == student_id, _running(at), _serves(), Grant.staff_id.in_(in_use))
    )
    told = [Onlooker(row.staff_id, row.name, _of_post(row)) for row in connection.execute(posts)]
    told += [
        Onlooker(row.staff_id, row.name, _of_grant(row, student_id)) for row in connection.execute(grants)
    ]
    nearest: dict[str, Onlooker] = {}
    for one in sorted(told, key=lambda one: (one.reason.distance(), one.staff_id)):
        nearest.setdefault(one.staff_id, one)
    return list(nearest.values())


def moment(at: datetime) -> dict[str, Any]:
    """The parameters ``day`` and ``at`` of a statement made once."""
    return {"day": local_day(at), "at": at}


def _held(at: datetime | None) -> Any:
    """Posts that see pupils today, joined with the placements in their units."""
    return (
        select(Post.role, Post.unit, Post.to_day)
        .select_from(Placement)
        .join(UnitPlace, UnitPlace.unit == Placement.unit)
        .join(Post, Post.unit == UnitPlace.within)
        .join(Staff, Staff.staff_id == Post.staff_id)
        .where(Post.sees, in_force(at), placed(at))
    )


def _posts_of(staff_id: Any, at: datetime | None) -> Any:
    """Posts today that see pupils or counts."""
    useful = or_(Post.sees, Post.role == DATA_SCIENTIST)
    return (
        select(Post.role, Post.unit, Post.to_day)
        .join(Staff, Staff.staff_id == Post.staff_id)
        .where(Post.staff_id == staff_id, useful, in_force(at))
    )


def in_force(at: datetime | None) -> ColumnElement[bool]:
    """Condition on ``posts`` and ``staff``: held today, not taken away, by somebody who still serves.

    Without ``at`` of the parameters of :func:`moment`, here and in all conditions.
    """
    day = DAY if at is None else local_day(at)
    not_over = or_(Post.to_day.is_(None), Post.to_day >= day)
    return and_(~Staff.has_left, Post.from_day <= day, not_over, Post.revoked_at.is_(None))


def placed(at: datetime | None) -> ColumnElement[bool]:
    """Condition on ``placements``: the pupil is in the class today."""
    day = DAY if at is None else local_day(at)
    return and_(Placement.from_day <= day, or_(Placement.to_day.is_(None), Placement.to_day >= day))


def _running(at: datetime | None) -> ColumnElement[bool]:
    moment = AT if at is None else at
    return and_(Grant.from_at <= moment, or_(Grant.until_at.is_(None), Grant.until_at > moment))


def _serves() -> ColumnElement[bool]:
    """Condition on ``access_grants``: whoever has one has not left."""
    holder = aliased(Staff)  # a name of its own: whoever asks may have joined staff himself
    return exists().where(holder.staff_id == Grant.staff_id, ~holder.has_left)


def _of_token(unit: Any, at: datetime | None) -> Select[Any]:
    """Pupils in the unit of a machine's token."""
    return (
        select(Placement.student_id)
        .join(UnitPlace, UnitPlace.unit == Placement.unit)
        .where(UnitPlace.within == unit, placed(at))
    )


_PUPIL, _STAFF, _UNIT = bindparam("pupil"), bindparam("staff"), bindparam("unit")
_PUPILS = bindparam("pupils", expanding=True)
_POSTS_OVER = _held(None).where(Placement.student_id == _PUPIL, Post.staff_id == _STAFF)
_GRANTS_OVER = select(Grant.kind, Grant.until_at).where(
    Grant.student_id == _PUPIL, Grant.staff_id == _STAFF, _running(None), _serves()
)
_POSTS_ABOVE = _posts_of(_STAFF, None).where(
    Post.unit.in_(select(UnitPlace.within).where(UnitPlace.unit == _UNIT))
)
_LIES_WITHIN = select(UnitPlace.unit).where(UnitPlace.unit == _UNIT, UnitPlace.within == bindparam("within"))
_PLACED_OF = select(Placement.student_id).where(Placement.student_id.in_(_PUPILS), placed(None))
# Asked pupil by pupil, by "exists": joined, a planner may begin with all classes of a province.
_OF_TOKEN = _PLACED_OF.where(
    exists().where(UnitPlace.unit == Placement.unit, UnitPlace.within == _UNIT).correlate(Placement)
)
_OF_PERSON = union_all(
    _PLACED_OF.where(
        exists(
            select(Post.unit)
            .join(UnitPlace, UnitPlace.within == Post.unit)
            .join(Staff, Staff.staff_id == Post.staff_id)
            .where(UnitPlace.unit == Placement.unit, Post.staff_id == _STAFF, Post.sees, in_force(None))
            .correlate(Placement)
        )
    ),
    select(Grant.student_id).where(
        Grant.staff_id == _STAFF, Grant.student_id.in_(_PUPILS), _running(None), _serves()
    ),
)


def _of_post(row: Any) -> AccessReason:
    return AccessReason(cast(Kind, row.role), row.unit, end_of(row.to_day))


def _of_grant(row: Any, student_id: str) -> AccessReason:
    return AccessReason(cast(Kind, row.kind), f"student:{student_id}", row.until_at)
