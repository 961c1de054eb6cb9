"""What the registers tell of units, pupils and staff, brought into the service database.

Only what differs is written. What the office entered itself stays, and so does a post it took away that
the register still names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from serving.access.posts import DATA_SCIENTIST, role_of, sees
from serving.access.tables import DirectoryDigest, Placement, Post, PupilName, Staff, UnitPlace, UnitTitle
from serving.access.tree import SchoolPlace, places
from serving.bulk import insert_rows

REGISTER = "register"
ENDING = 3
"""Last letters of an identifier by which pupils are compared together: a thousandth of those numbered."""
PLACEMENTS = cast(Table, Placement.__table__)
NAMES = cast(Table, PupilName.__table__)
PLACES = cast(Table, UnitPlace.__table__)
TITLES = cast(Table, UnitTitle.__table__)


@dataclass(frozen=True)
class Placed:
    """A pupil in a class, both days included."""

    student_id: str
    school_id: str
    unit: str
    from_day: date
    to_day: date | None = None


@dataclass(frozen=True)
class Employed:
    """A member of staff as the registers have him."""

    staff_id: str
    name: str
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True)
class Held:
    """A post as the registers have it; the role as they spell it."""

    staff_id: str
    unit: str
    role: str
    from_day: date
    to_day: date | None = None


@dataclass(frozen=True)
class Told:
    """All that registers tell on a day; staff and posts null: there is no such register, none is changed."""

    schools: Sequence[SchoolPlace] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    placements: Sequence[Placed] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    staff: Sequence[Employed] | None = None
    posts: Sequence[Held] | None = None
    classes: Collection[tuple[str, str]] = ()
    """School and unit of classes besides those of the placements."""
    endings: Collection[str] | None = None
    """Placements and names are those of pupils whose identifiers end so; none: of all."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """By ending, of what is told of all its pupils."""


@dataclass(frozen=True)
class Written:
    """What changed, and posts of a role or unit nobody knows, which let nobody see anything."""

    placements: int
    names: int
    staff: int
    posts: int
    unknown_posts: int


def write(connection: Connection, told: Told) -> Written:
    """Bring the directory to what is ``told``, in the caller's transaction."""
    return apply(connection, told, differences(connection, told))


@dataclass(frozen=True)
class Difference:
    """Rows of a table that are there and should not be, and the other way round."""

    table: Table
    gone: Collection[tuple[Any, ...]]
    new: Collection[tuple[Any, ...]]

    def __len__(self) -> int:
        return len(self.gone) + len(self.new)


def differences(connection: Connection, told: Told) -> list[Difference]:
    """What the large tables lack, read only: the transaction that writes it is a short one."""
    classes = {*told.classes, *((placed.school_id, placed.unit) for placed in told.placements)}
    units = places(told.schools, classes)
    wanted: dict[Table, Collection[tuple[Any, ...]]] = {
        PLACES: units,
        TITLES: list(told.titles.items()),
        PLACEMENTS: _distinct(told.placements),
        NAMES: list(told.names.items()),
    }
    some = {PLACEMENTS, NAMES} if told.endings is not None else set()
    return [
        _difference(connection, table, rows, told.endings if table in some else None)
        for table, rows in wanted.items()
    ]


def apply(connection: Connection, told: Told, found: Sequence[Difference]) -> Written:
    """Write what differs; nobody else writes what registers tell meanwhile."""
    for difference in found:
        _write(connection, difference)
    _write_digests(connection, told)
    changed = {difference.table.name: len(difference) for difference in found}
    staff = 0 if told.staff is None else _write_staff(connection, told.staff)
    posts, unknown = (0, 0) if told.posts is None else _write_posts(connection, told.posts)
    return Written(changed[PLACEMENTS.name], changed[NAMES.name], staff, posts, unknown)


def _distinct(placements: Sequence[Placed]) -> list[tuple[str, str, date, date | None]]:
    """One row per key; of two that differ in their end the later one, or the open one."""
    ends: dict[tuple[str, str, date], date | None] = {}
    for one in placements:
        key = (one.student_id, one.unit, one.from_day)
        before = ends.get(key, date.min)
        ends[key] = None if before is None or one.to_day is None else max(before, one.to_day)
    return [(*key, end) for key, end in ends.items()]


def _difference(
    connection: Connection, table: Table, rows: Collection[tuple[Any, ...]], endings: Collection[str] | None
) -> Difference:
    query = select(*table.columns)
    if endings is not None:
        query = query.where(_ending(connection, table).in_(endings))
    there = {tuple(row) for row in connection.execute(query)}
    wanted = set(rows)
    return Difference(table, there - wanted, wanted - there)


def _ending(connection: Connection, table: Table) -> ColumnElement[str]:
    student = table.c.student_id
    if connection.dialect.name == "sqlite":
        return func.substr(student, -ENDING)
    return func.right(student, ENDING)


def _write_digests(connection: Connection, told: Told) -> None:
    """What was told is there now; without digests nothing is known of it."""
    connection.execute(delete(DirectoryDigest))
    rows = [{"ending": ending, "digest": digest} for ending, digest in told.digests.items()]
    if rows:
        connection.execute(insert(DirectoryDigest), rows)


def _write(connection: Connection, difference: Difference) -> None:
    table = difference.table
    if difference.gone:
        key = [(column, place) for place, column in enumerate(table.columns) if column.primary_key]
        same = and_(*(column == bindparam(f"old_{column.name}") for column, _ in key))
        dead = [{f"old_{column.name}": row[place] for column, place in key} for row in difference.gone]
        connection.execute(delete(table).where(same), dead)
    if difference.new:
        keys = len(table.primary_key.columns)
        insert_rows(connection, table, sorted(difference.new, key=lambda row: row[:keys]))


def _write_staff(connection: Connection, staff: Sequence[Employed]) -> int:
    """Enter, correct, and mark as gone; nobody's name is deleted, for the audit names him."""
    columns = (Staff.staff_id, Staff.name, Staff.email, Staff.phone, Staff.source, Staff.has_left)
    there = {row.staff_id: tuple(row) for row in connection.execute(select(*columns))}
    told = {one.staff_id: one for one in staff}
    new = [one for staff_id, one in told.items() if staff_id not in there]
    as_told = {one.staff_id: (one.staff_id, one.name, one.email, one.phone, REGISTER, False) for one in staff}
    changed = [told[key] for key, row in as_told.items() if key in there and there[key] != row]
    left = [key for key, row in there.items() if row[4] == REGISTER and not row[5] and key not in told]
    common = {"source": REGISTER, "has_left": False}
    if new:
        connection.execute(insert(Staff), [{**vars(one), **common} for one in new])
    for one in changed:
        connection.execute(
            update(Staff).where(Staff.staff_id == one.staff_id).values({**vars(one), **common})
        )
    for staff_id in left:
        connection.execute(update(Staff).where(Staff.staff_id == staff_id).values(has_left=True))
    return len(new) + len(changed) + len(left)


def _write_posts(connection: Connection, posts: Sequence[Held]) -> tuple[int, int]:
    """Enter, correct and remove posts of registers; answers how many, and how many nobody understands."""
    key_of = (Post.staff_id, Post.unit, Post.role, Post.from_day)
    there = {tuple(row[:4]): row for row in connection.execute(select(*key_of, Post.to_day, Post.source))}
    wanted, unknown = _understood(posts)
    changed = 0
    for key, row in there.items():
        same = and_(*(column == value for column, value in zip(key_of, key, strict=True)))
        if row.source != REGISTER:
            wanted.pop(key, None)  # what the office decided itself stands
        elif key not in wanted:
            connection.execute(delete(Post).where(same))
            changed += 1
        elif (last := wanted.pop(key)) != row.to_day:
            connection.execute(update(Post).where(same).values(to_day=last))
            changed += 1
    new = [
        {"staff_id": staff, "unit": unit, "role": role, "from_day": first, "to_day": last}
        | {"sees": sees(role, unit), "source": REGISTER}
        for (staff, unit, role, first), last in wanted.items()
    ]
    if new:
        connection.execute(insert(Post), new)
    return changed + len(new), unknown


def _understood(posts: Sequence[Held]) -> tuple[dict[tuple[Any, ...], date | None], int]:
    """Ends of posts by their key, and how many have no role we know, or one that does not fit the unit."""
    known: dict[tuple[Any, ...], date | None] = {}
    unknown = 0
    for post in posts:
        role = role_of(post.role)
        if role is None or not (sees(role, post.unit) or role == DATA_SCIENTIST):
            unknown += 1
        else:
            known[(post.staff_id, post.unit, role, post.from_day)] = post.to_day
    return known, unknown
