"""A unit at a glance: follow-up, load, and risk of its schools or classes beside the pupils'."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case as when
from sqlalchemy import func

from risk_model.explanation.words import percent
from serving.care.cases import CareCase
from serving.cells import suppressed
from serving.lists import Page
from serving.pages.care_shown import cases_of_unit, follow_up, is_overdue, overdue_of
from serving.pages.desk import Desk
from serving.pages.offices import staff_names
from serving.pages.published import inside, published_scores
from serving.pages.shown import About, about, class_name, unit_name
from serving.pages.unit_figures import Figures, counts_of, figures_shown
from serving.tables import RunSchool, Score
from serving.units import Unit

BOUNDS = (0.01, 0.05, 0.2)
"""Between bands of risk."""


@dataclass(frozen=True)
class Part:
    """A school or class of the unit; none where it is not told."""

    unit: str
    name: str
    pupils: int | None
    mean: float | None
    listed: int | None
    attendance: float | None
    failed: float | None


@dataclass(frozen=True)
class Band:
    """Pupils of a range of risk."""

    name: str
    count: int | None


@dataclass(frozen=True)
class Load:
    """Cases of a member of staff."""

    name: str
    open: int
    overdue: int


@dataclass(frozen=True)
class UnitShown:
    """The page."""

    unit: str
    name: str
    about: About
    listed: int
    waiting: int
    overdue: int
    load: list[Load]
    parts_of: str
    parts: list[Part]
    bands: list[Band]
    figures: Figures
    fewest: int


def unit_page(desk: Desk, unit: Unit, page: Page) -> UnitShown:
    """Everything of the unit's page."""
    follow = follow_up(desk, [row["student_id"] for row in page.rows])
    waiting = sum(not up.followed_up for up in follow.values())
    cases = cases_of_unit(desk, unit)
    return UnitShown(
        unit=str(unit),
        name=unit_name(desk, unit),
        about=about(page, desk.settings.labels.horizon_days),
        listed=page.listed,
        waiting=waiting,
        overdue=len(overdue_of(desk, unit)),
        load=_load(desk, cases),
        parts_of=desk.say("school") if unit.above_school else desk.say("class"),
        parts=_parts(desk, unit),
        bands=_bands(desk, unit),
        figures=figures_shown(desk, str(unit)),
        fewest=desk.settings.service.smallest_cell,
    )


def _load(desk: Desk, cases: list[CareCase]) -> list[Load]:
    """The most laden first."""
    names = staff_names(desk, {case.assigned_to for case in cases})
    held = Counter(case.assigned_to for case in cases)
    late = Counter(case.assigned_to for case in cases if is_overdue(desk, case))
    return [Load(names.get(who, who), count, late[who]) for who, count in held.most_common()]


def _parts(desk: Desk, unit: Unit) -> list[Part]:
    """Schools of a unit above a school, else classes; small ones are not told."""
    schools = unit.above_school
    key, name = (Score.school_id, RunSchool.name) if schools else (Score.class_key, Score.class_key)
    figures = (func.count(), func.avg(Score.risk), func.sum(when((Score.listed, 1), else_=0)))
    query = published_scores(key, func.max(name), *figures).where(inside(unit)).group_by(key).order_by(key)
    found = desk.connection.execute(query).all()
    told = suppressed([pupils for _, _, pupils, _, _ in found], desk.settings.service.smallest_cell)
    tables = counts_of(desk)
    return [
        Part(
            f"{'school' if schools else 'class'}:{key}",
            (name or key) if schools else class_name(key),
            count,
            None if count is None else mean,
            None if count is None else int(listed),
            tables.attendance(f"{'school' if schools else 'class'}:{key}"),
            tables.means["failed exams"].of(f"{'school' if schools else 'class'}:{key}"),
        )
        for (key, name, _, mean, listed), count in zip(found, told, strict=True)
    ]


def _bands(desk: Desk, unit: Unit) -> list[Band]:
    edges = [0.0, *BOUNDS]
    number: Any = when(
        (Score.risk.is_(None), -1),
        *((Score.risk < bound, place) for place, bound in enumerate(BOUNDS)),
        else_=len(BOUNDS),
    )
    query = published_scores(number, func.count()).where(inside(unit)).group_by(number)
    counts: dict[int, int] = {row[0]: row[1] for row in desk.connection.execute(query)}
    names = [
        *(f"{percent(low)} – {percent(high)}" for low, high in zip(edges, BOUNDS, strict=False)),
        desk.say("%(share)s or more", share=percent(BOUNDS[-1])),
        desk.say("no score"),
    ]
    order = [*range(len(BOUNDS) + 1), -1]
    told = suppressed([counts.get(place, 0) for place in order], desk.settings.service.smallest_cell)
    return [Band(name, count) for name, count in zip(names, told, strict=True)]
