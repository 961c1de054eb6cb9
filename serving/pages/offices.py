"""What pages ask of access, the directory and the audit, said in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from serving.access.deciding import AccessReason, in_force, own_units, placed, who_may_see
from serving.access.granting import broken_glasses
from serving.access.reasons import SAID
from serving.access.tables import Placement, Post, Staff, UnitPlace
from serving.accounts.tables import Account
from serving.audit.reading import Look as AuditedLook
from serving.directory import naming
from serving.pages.desk import Desk
from serving.pages.shown import unit_name
from serving.units import Unit, parse_unit
from serving.web.service import service_of

LOOKS = 8


@dataclass(frozen=True)
class OwnUnit:
    """A unit of the reader's, its name, and why it is theirs."""

    unit: Unit
    name: str
    why: str


@dataclass(frozen=True)
class Onlooker:
    """A member of staff who may see a pupil, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Look:
    """One look at a pupil's page out of the audit, or a broken glass; ``why`` in words."""

    at: datetime
    who: str
    why: str


def own(desk: Desk) -> list[OwnUnit]:
    """The reader's units whose pupils they see, nearest first."""
    found = own_units(desk.connection, desk.viewer, desk.at)
    return [
        OwnUnit(unit, unit_name(desk, unit), why_said(desk, reason))
        for unit, reason in found
        if reason.kind != "data_scientist"
    ]


def why_said(desk: Desk, reason: AccessReason | None) -> str:
    """The reason with the name of its unit instead of the number."""
    if reason is None:
        return ""
    english, chinese = SAID[reason.kind]
    kind = reason.unit.partition(":")[0]
    name = "" if kind == "student" else unit_name(desk, parse_unit(reason.unit))
    return (chinese if desk.language == "zh" else english).format(name=name)


def onlookers(desk: Desk, student_id: str) -> list[Onlooker]:
    """Everybody who may see the pupil."""
    found = who_may_see(desk.connection, student_id, desk.at)
    return [Onlooker(one.name, why_said(desk, one.reason)) for one in found]


def looks(desk: Desk, student_id: str) -> list[Look]:
    """The latest looks at the pupil, newest first; none where the records cannot be read from here."""
    from serving.audit.reading import looks_at

    audit: Any = service_of(desk.request).audit
    if not hasattr(audit, "reading"):
        return []
    with audit.reading() as connection:
        found = looks_at(connection, student_id, limit=LOOKS)
    names = account_names(desk, [look.account_id for look in found if look.account_id is not None])
    return [
        Look(look.at, names.get(look.account_id) or desk.say("a command"), _kind_said(desk, look))
        for look in found
    ]


def glasses(desk: Desk, student_id: str) -> list[Look]:
    """Who opened the pupil's page in an emergency, and the reason each wrote; newest first."""
    return [
        Look(one.from_at, one.name, one.why)
        for one in broken_glasses(desk.connection, student_id, limit=LOOKS)
    ]


def _kind_said(desk: Desk, look: AuditedLook) -> str:
    kind = look.reason
    if look.action == "break_glass":
        return desk.say("asked to see the pupil in an emergency")
    if kind not in SAID:
        return desk.say("no reason was told")
    english, chinese = SAID[kind]
    return (chinese if desk.language == "zh" else english).replace(" of {name}", "").replace("{name}的", "")


def account_names(desk: Desk, account_ids: Sequence[int]) -> dict[int | None, str]:
    """Names of the staff behind accounts; an account without a member of staff is the administrator."""
    query = (
        select(Account.id, Staff.name)
        .join(Staff, Staff.staff_id == Account.staff_id, isouter=True)
        .where(Account.id.in_(account_ids))
    )
    return {number: name or desk.say("administrator") for number, name in desk.connection.execute(query)}


def names_of(desk: Desk, student_ids: Sequence[str]) -> Mapping[str, str]:
    """Names of pupils the guard has let the reader see."""
    return naming.names_of(desk.connection, student_ids)


def staff_names(desk: Desk, staff_ids: set[str]) -> dict[str, str]:
    """Names of members of staff."""
    query = select(Staff.staff_id, Staff.name).where(Staff.staff_id.in_(staff_ids))
    return {row[0]: row[1] for row in desk.connection.execute(query)}


def staff_near(desk: Desk, student_id: str) -> list[tuple[str, str]]:
    """Staff of the pupil's schools, who can be given the case; the reader first."""
    schools = (
        select(UnitPlace.within)
        .join(Placement, Placement.unit == UnitPlace.unit)
        .where(Placement.student_id == student_id, placed(desk.at), UnitPlace.within.like("school:%"))
    )
    inside = select(UnitPlace.unit).where(UnitPlace.within.in_(schools))
    query = (
        select(Staff.staff_id, Staff.name)
        .join(Post, Post.staff_id == Staff.staff_id)
        .where(Post.unit.in_(inside), Post.sees, in_force(desk.at))
        .distinct()
        .order_by(Staff.name, Staff.staff_id)
    )
    found = [(staff_id, name) for staff_id, name in desk.connection.execute(query)]
    return sorted(found, key=lambda one: one[0] != desk.viewer.staff_id)
