"""Home: who needs the reader today, what changed since the list before, and what that rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select

from serving.access.deciding import visible
from serving.care.overview import cases_of_staff
from serving.lists import Page
from serving.pages.care_shown import follow_up, is_overdue
from serving.pages.desk import Desk
from serving.pages.offices import OwnUnit, names_of
from serving.pages.offices import own as own_units
from serving.pages.shown import About, Row, about, page_of, rows_shown
from serving.tables import PUBLISHED, Run
from serving.units import Unit

SHOWN, MOVED = 8, 10


@dataclass(frozen=True)
class UnitLine:
    """One of the reader's units."""

    unit: str
    name: str
    why: str
    listed: int | None
    waiting: int


@dataclass(frozen=True)
class OwnCase:
    """An open case of the reader's own."""

    student_id: str
    name: str
    due_on: date | None
    overdue: bool


@dataclass(frozen=True)
class Home:
    """The page."""

    units: list[UnitLine]
    pupils: list[Row]
    needing: int
    listed: int
    about: About | None
    changed_since: date | None
    came: list[Row]
    went: list[Row]
    came_more: int
    went_more: int
    cases: list[OwnCase]


def home_page(desk: Desk) -> Home:
    """The reader's own units, one after the other; a pupil of two of them is told once."""
    own = own_units(desk)
    pages = {str(unit.unit): page for unit in own if (page := page_of(desk, unit.unit)) is not None}
    listed = {row["student_id"]: (unit.unit, row) for unit in own for row in _rows(pages, unit)}
    follow = follow_up(desk, list(listed))
    waiting = [pair for student_id, pair in listed.items() if _waits(follow, student_id)]
    waiting.sort(key=lambda pair: (pair[1]["risk"] is not None, -(pair[1]["risk"] or 0)))
    newest = max(pages.values(), key=lambda page: page.as_of, default=None)
    since, came, went = _changed(desk, own, newest, listed)
    return Home(
        units=[_line(unit, pages, follow) for unit in own],
        pupils=_told(desk, waiting[:SHOWN], follow),
        needing=len(waiting),
        listed=len(listed),
        about=about(newest, desk.settings.labels.horizon_days) if newest else None,
        changed_since=since,
        came=_told(desk, came[:MOVED], follow),
        went=_told(desk, went[:MOVED], follow_up(desk, [row["student_id"] for _, row in went])),
        came_more=max(len(came) - MOVED, 0),
        went_more=max(len(went) - MOVED, 0),
        cases=_own_cases(desk),
    )


def _own_cases(desk: Desk) -> list[OwnCase]:
    """Open cases the reader has, the longest overdue first."""
    if desk.viewer.staff_id is None:
        return []
    held = cases_of_staff(desk.connection, desk.viewer.staff_id)
    theirs = visible(desk.viewer, desk.at).subquery()
    asked = select(theirs.c.student_id).where(theirs.c.student_id.in_([case.student_id for case in held]))
    seen = set(desk.connection.execute(asked).scalars())
    names = names_of(desk, list(seen))
    return [
        OwnCase(
            case.student_id,
            names.get(case.student_id) or case.student_id,
            case.due_on,
            is_overdue(desk, case),
        )
        for case in held
        if case.student_id in seen
    ]


Pair = tuple[Unit, dict[str, Any]]


def _rows(pages: dict[str, Page], unit: OwnUnit) -> list[dict[str, Any]]:
    page = pages.get(str(unit.unit))
    return page.rows if page else []


def _waits(follow: Any, student_id: str) -> bool:
    return student_id in follow and not follow[student_id].followed_up


def _line(unit: OwnUnit, pages: dict[str, Page], follow: Any) -> UnitLine:
    rows = _rows(pages, unit)
    waiting = sum(_waits(follow, row["student_id"]) for row in rows)
    listed = len(rows) if str(unit.unit) in pages else None
    return UnitLine(str(unit.unit), unit.name, unit.why, listed, waiting)


def _told(desk: Desk, pairs: Sequence[Pair], follow: Any) -> list[Row]:
    return [row for unit, stored in pairs for row in rows_shown(desk, unit, [stored], follow)]


def _changed(
    desk: Desk, own: Sequence[OwnUnit], newest: Page | None, listed: dict[str, Pair]
) -> tuple[date | None, list[Pair], list[Pair]]:
    """Day of the list before, who came and who went."""
    before = None if newest is None else _day_before(desk, newest.as_of)
    if before is None:
        return None, [], []
    pages = {str(unit.unit): page for unit in own if (page := page_of(desk, unit.unit, before))}
    if not pages:
        return None, [], []
    were = {row["student_id"]: (unit.unit, row) for unit in own for row in _rows(pages, unit)}
    came = [pair for student_id, pair in listed.items() if student_id not in were]
    # Who left these units altogether (another school, another class) is no longer the reader's to see.
    gone = [student_id for student_id in were if student_id not in listed]
    still = _still_here(desk, own, gone)
    return before, came, [were[student_id] for student_id in gone if student_id in still]


def _still_here(desk: Desk, own: Sequence[OwnUnit], student_ids: Sequence[str]) -> set[str]:
    from serving.pages.published import inside, published_scores
    from serving.seats import of_pupils
    from serving.tables import Score

    found: set[str] = set()
    for unit in own:
        query = of_pupils(published_scores(Score.student_id), student_ids).where(inside(unit.unit))
        found |= set(desk.connection.execute(query).scalars())
    return found


def _day_before(desk: Desk, day: date) -> date | None:
    query = select(func.max(Run.as_of)).where(Run.as_of < day, Run.state == PUBLISHED)
    found: date | None = desk.connection.execute(query).scalar()
    return found
