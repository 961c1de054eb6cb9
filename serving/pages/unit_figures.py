"""Attendance, exams and states of a unit in the reader's words: aggregates, small cells suppressed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from risk_model.explanation.words import percent
from serving.access.deciding import own_units
from serving.pages.desk import Desk
from serving.pages.shown import unit_name
from serving.unit_counts import BANDS, Tables, tables_of
from serving.units import Unit, parse_unit
from serving.web.service import service_of


@dataclass(frozen=True)
class Count:
    """An indicator; none where it is suppressed."""

    name: str
    pupils: int | None
    share: float | None


@dataclass(frozen=True)
class Figures:
    """Means (name and share, 0–1) and counts of a unit; a class has no counts: all its cells are small."""

    means: list[tuple[str, float | None]]
    counts: list[Count]
    fewest: int


@dataclass(frozen=True)
class Child:
    """A unit within the unit; none where it is suppressed."""

    unit: str
    name: str
    pupils: int
    attendance: float | None
    failed: float | None


@dataclass(frozen=True)
class FiguresPage:
    """The page of a unit for who sees aggregates alone."""

    name: str
    as_of: date
    pupils: int
    bands: list[Count]
    listed: Count
    figures: Figures
    children: list[Child]


def figures_page(desk: Desk, unit: Unit) -> FiguresPage | None:
    """The unit without a single pupil; none where nothing of it is published."""
    tables, asked = counts_of(desk), str(unit)
    if asked not in tables.as_of:
        return None
    edges = [percent(bound) for _, bound in BANDS]
    named = [
        *(f"{low} – {high}" for low, high in pairwise(edges)),
        desk.say("%(share)s or more", share=edges[-1]),
        desk.say("no score"),
    ]
    pupils = tables.pupils[asked]
    bands = zip(named, tables.row("bands", asked).values(), strict=True)
    return FiguresPage(
        name=unit_name(desk, unit),
        as_of=tables.as_of[asked],
        pupils=pupils,
        bands=[Count(name, count, None if count is None else count / pupils) for name, count in bands],
        listed=_count(tables, "listed", desk.say("listed"), asked),
        figures=figures_shown(desk, asked),
        children=[_child(desk, tables, child) for child in tables.children.get(asked, ())],
    )


def own_figures(desk: Desk) -> list[tuple[str, str]]:
    """Units, with their names, of which the reader sees the figures."""
    held = {str(unit): unit for unit, _ in own_units(desk.connection, desk.viewer, desk.at)}
    return [(asked, unit_name(desk, unit)) for asked, unit in held.items()]


def _child(desk: Desk, tables: Tables, child: str) -> Child:
    failed = tables.means["failed exams"].of(child)
    name = unit_name(desk, parse_unit(child))
    return Child(child, name, tables.pupils[child], tables.attendance(child), failed)


def counts_of(desk: Desk) -> Tables:
    """The counts of what is published, the same as the API's."""
    return tables_of(service_of(desk.request).engine, desk.settings.service.smallest_cell)


def figures_shown(desk: Desk, unit: str) -> Figures:
    """The figures of ``unit``."""
    tables = counts_of(desk)
    means = [
        (desk.say("school days attended (last 30)"), tables.attendance(unit)),
        (desk.say("exams failed (two terms)"), tables.means["failed exams"].of(unit)),
        (desk.say("exams missed (two terms)"), tables.means["missed exams"].of(unit)),
    ]
    counted = {
        "missed a tenth or more of 30 school days": desk.say("missed a tenth or more of 30 school days"),
        "failed an exam of two terms": desk.say("failed an exam of two terms"),
        "missed an exam of two terms": desk.say("missed an exam of two terms"),
        "absent_long": desk.say("have been absent for long"),
        "no_register": desk.say("have no register kept"),
        "between_spells": desk.say("are enrolled nowhere"),
        "home_teaching": desk.say("are taught at home"),
    }
    of_class = unit.startswith("class:")
    counts = [] if of_class else [_count(tables, table, name, unit) for table, name in counted.items()]
    return Figures(means, counts, desk.settings.service.smallest_cell)


def _count(tables: Tables, table: str, name: str, unit: str) -> Count:
    row = list(tables.row(table, unit).values())
    if row[0] is None or row[1] is None:
        return Count(name, None, None)
    return Count(name, row[0], row[0] / (row[0] + row[1]))
