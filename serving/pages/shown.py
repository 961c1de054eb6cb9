"""Rows of pupils as pages show them, and what must stand beside every list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from risk_model.errors import MissingError, UsageError
from serving.access.deciding import Sight
from serving.care.overview import FollowUp
from serving.directory.naming import names_of
from serving.lists import RANK_OF, Asked, Page
from serving.lots import lots_of
from serving.pages.desk import Desk
from serving.seats import of_pupils
from serving.tables import PUBLISHED, STORED, Published, Run, RunSchool, Score
from serving.units import Unit
from serving.web.service import service_of

SAME = 0.0005
"""Risks as near as this are shown as the same."""
POINTS, WIDE, HIGH = 10, 76.0, 16.0
"""So many of the last scores make a line, in a view 80 wide and 20 high."""


@dataclass(frozen=True)
class About:
    """Day, model and how often the list is right."""

    as_of: date
    model_version: str
    model_origin: str
    stale: bool
    scored_listed: int
    right: str | None
    """Of so many about so many would leave; none without a scored pupil on the list."""
    horizon: int


@dataclass(frozen=True)
class History:
    """The scores before: the last one, and a line of them all."""

    before: float | None = None
    before_day: date | None = None
    direction: str = "none"
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Row:
    """A pupil on a page."""

    student_id: str
    name: str
    place: str
    risk: float | None
    status: str
    rank: int | None
    reasons: list[dict[str, Any]]
    follow: FollowUp
    history: History = History()
    worries: Sequence[Any] = field(default_factory=tuple)
    by_lot: bool = False
    """Whether the place on the list was drawn among near-equals."""


def page_of(desk: Desk, unit: Unit, as_of: date | None = None) -> Page | None:
    """The published list; none where nothing (or nothing of this unit) is published."""
    try:
        # Counts of a unit stand open to some who see none of its pupils.
        among = Sight(desk.viewer, desk.at) if desk.viewer.sees_pupils else None
        asked = Asked(as_of=as_of, language=desk.language, among=among)
        return service_of(desk.request).lists.page(desk.connection, unit, asked)
    except (MissingError, UsageError):
        return None


def about(page: Page, horizon: int) -> About:
    """What must stand beside the list."""
    scored = sum(row["listed"] and row["risk"] is not None for row in page.rows)
    right = None if page.expected_precision is None else _about_so_many(page.expected_precision * scored)
    return About(page.as_of, page.model_version, page.model_origin, page.stale, scored, right, horizon)


def rows_shown(
    desk: Desk,
    unit: Unit,
    rows: Sequence[Mapping[str, Any]],
    follow: Mapping[str, FollowUp],
    *,
    history: bool = False,
    worries: Mapping[str, Sequence[Any]] | None = None,
) -> list[Row]:
    """Rows with names, care and the scores before; above a school pupils are shown without names."""
    ids = [row["student_id"] for row in rows]
    names = {} if unit.above_school else names_of(desk.connection, ids)
    lots = lots_of(desk.connection, ids)
    past = histories(desk.connection, rows) if history else {}
    schools = school_names(desk.connection, {row["school_id"] for row in rows})
    return [
        Row(
            student_id=row["student_id"],
            name=names.get(row["student_id"]) or row["student_id"],
            place=_place(desk, unit, row, schools),
            risk=row["risk"],
            status=row["status"],
            rank=row[RANK_OF.get(unit.kind, "rank")],
            reasons=row["reasons"],
            follow=follow[row["student_id"]],
            history=past.get(row["student_id"], History()),
            worries=(worries or {}).get(row["student_id"], ()),
            by_lot=lots.get(row["student_id"], False),
        )
        for row in rows
    ]


def _place(desk: Desk, unit: Unit, row: Mapping[str, Any], schools: Mapping[str, str]) -> str:
    """Where the pupil is found within the unit."""
    told = desk.say("class %(name)s", name=row["class_id"]) if row["class_id"] else ""
    school = schools.get(row["school_id"], row["school_id"]) if unit.above_school else ""
    return ("，" if desk.language == "zh" else ", ").join(part for part in (school, told) if part)


def school_names(connection: Connection, school_ids: set[str]) -> dict[str, str]:
    """Names of schools in the published lists."""
    query = (
        select(RunSchool.school_id, RunSchool.name)
        .join(Published, (Published.school_id == RunSchool.school_id) & (Published.run == RunSchool.run))
        .where(RunSchool.school_id.in_(school_ids))
    )
    return {school_id: name for school_id, name in connection.execute(query) if name}


def unit_name(desk: Desk, unit: Unit) -> str:
    """What people call the unit."""
    if unit.kind == "school":
        return school_names(desk.connection, {unit.name}).get(unit.name, unit.name)
    if unit.kind == "class":
        school, _, rest = unit.name.partition(":")
        named = class_name(unit.name)
        school_name = school_names(desk.connection, {school}).get(school, school)
        return f"{school_name} {named}" if rest else unit.name
    kinds = {
        "township": desk.say("Township %(name)s", name=unit.name),
        "county": desk.say("County %(name)s", name=unit.name),
        "province": desk.say("Province %(name)s", name=unit.name),
    }
    return kinds.get(unit.kind, unit.name)


def class_name(class_key: str) -> str:
    """The class out of ``school:class:year``."""
    parts = class_key.split(":")
    return parts[-2] if len(parts) > 2 else class_key


def histories(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, History]:
    """Scores of earlier runs by pupil."""
    ids = [row["student_id"] for row in rows if row["risk"] is not None]
    query = (
        of_pupils(select(Score.student_id, Score.risk, Run.as_of).join(Run, Run.id == Score.run), ids)
        .where(Score.risk.is_not(None), Run.state.in_((PUBLISHED, STORED)))
        .order_by(Run.as_of, Run.id)
    )
    told: dict[str, dict[date, float]] = {}
    for student_id, risk, as_of in connection.execute(query):
        told.setdefault(student_id, {})[as_of] = float(risk or 0)
    return {
        row["student_id"]: _history(row, told.get(row["student_id"], {}))
        for row in rows
        if row["risk"] is not None
    }


def _history(row: Mapping[str, Any], told: Mapping[date, float]) -> History:
    today = _day(row["as_of"])
    earlier = {day: risk for day, risk in told.items() if day < today}
    if not earlier:
        return History()
    last = max(earlier)
    now: float = row["risk"]
    difference = now - earlier[last]
    direction = "same" if abs(difference) < SAME else "up" if difference > 0 else "down"
    series = [*(earlier[day] for day in sorted(earlier)[-POINTS + 1 :]), now]
    return History(earlier[last], last, direction, _line(series))


def _line(risks: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """From 0 to the highest, at least a tenth, so that a still line is not a mountain."""
    most = max(*risks, 0.1)
    step = WIDE / (len(risks) - 1)
    return tuple(
        (round(2 + number * step, 1), round(2 + HIGH * (1 - risk / most), 1))
        for number, risk in enumerate(risks)
    )


def points(desk: Desk, difference: float) -> str:
    """A difference of risk in points of a hundred."""
    sign = "±" if abs(difference) < SAME else "+" if difference > 0 else "−"
    number = f"{abs(difference) * 100 if abs(difference) >= SAME else 0:.1f}".removesuffix(".0")
    return desk.say("%(points)s points", points=f"{sign}{number}")


def _about_so_many(number: float) -> str:
    """With a digit after the point where there are few.

    >>> _about_so_many(2.34), _about_so_many(23.4)
    ('2.3', '23')
    """
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}".removesuffix(".0")


def _day(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value
