"""Counts and means of units out of what is published now, each shown or suppressed by :mod:`serving.cells`.

Made once for each publication, for the API and the pages alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, Engine, and_, case, func, select

from risk_model.explanation.packing import unpack
from risk_model.features.declared import BY_NAME
from serving.cells import Counts, Tree, published
from serving.figures import FIGURES
from serving.tables import ClassFigure, Published, Run, RunSchool, Score

BANDS = (("below 1 %", 0.0), ("1 to 10 %", 0.01), ("10 % and more", 0.1))
"""Name and lower bound of each band of risk."""
WITHOUT = "without a score"
FAMILIES = ("attendance", "learning", "family", "distance")
STATUSES = ("absent_long", "no_register", "home_teaching", "between_spells")
LEVELS = ("province_id", "county_id", "township_id")
ROOT = "all"
COUNTED = {figure.name: figure.counted for figure in FIGURES}


@dataclass(frozen=True)
class Means:
    """A figure of units: over how many pupils, their sum, and where the mean may be shown."""

    pupils: Mapping[str, Counts]
    totals: Mapping[str, float]
    shown: frozenset[str]

    def of(self, unit: str) -> float | None:
        """To a thousandth; None where it is suppressed or nothing is known."""
        return round(self.totals[unit] / int(self.pupils[unit][0]), 3) if unit in self.shown else None


@dataclass(frozen=True)
class Tables:
    """Counts of one publication: by table, then by unit, with the units that may be shown."""

    publication: int
    as_of: Mapping[str, date]
    """Of every unit, classes too, as their pupils."""
    pupils: Mapping[str, int]
    columns: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, Mapping[str, Counts]]
    shown: Mapping[str, frozenset[str]]
    means: Mapping[str, Means]
    children: Mapping[str, tuple[str, ...]]

    def row(self, table: str, unit: str) -> dict[str, int | None]:
        """The counts of a unit by column, None where they are suppressed."""
        names = self.columns[table]
        if unit not in self.shown[table]:
            return dict.fromkeys(names)
        return dict(zip(names, self.counts[table][unit].tolist(), strict=True))

    def attendance(self, unit: str) -> float | None:
        """The mean share of school days attended, 0–1; None where it is suppressed or not known."""
        absence = self.means["absence"].of(unit)
        return None if absence is None else round(1 - absence, 3)


_KEPT: WeakKeyDictionary[Engine, Tables] = WeakKeyDictionary()
_MAKING = Lock()


def tables_of(engine: Engine, least: int) -> Tables:
    """The counts of what is published now, made once for each publication.

    In a transaction of nobody's: behind row-level security a caller would count his own pupils alone.
    """
    with _MAKING, engine.connect() as connection:
        newest = connection.execute(select(func.max(Published.publication))).scalar() or 0
        kept = _KEPT.get(engine)
        if kept is None or kept.publication != newest:
            kept = _KEPT[engine] = _made(connection, newest, least)
        return kept


def _made(connection: Connection, publication: int, least: int) -> Tables:
    schools = _schools(connection)
    ways = {f"school:{one.school_id}": _place(one) for one in schools}
    classes = _classes(connection)
    columns = {
        "bands": (*(name for name, _ in BANDS), WITHOUT),
        **{name: (name, "others") for name in ("listed", *STATUSES)},
        **{f"listed for {name}": (name, "others") for name in FAMILIES},
        **{name: (name, "others") for name in COUNTED.values()},
    }
    leaves = _leaves(connection, columns)
    counts = {name: _summed(leaves[name], ways, len(columns[name])) for name in columns}
    children = _children(ways.values())
    days: dict[str, date] = {}
    for one in schools:
        for unit in _place(one):
            days[unit] = max(days.get(unit, one.as_of), one.as_of)
    days |= {unit: days[school] for unit, (school, _) in classes.items()}
    return Tables(
        publication,
        days,
        {unit: int(row.sum()) for unit, row in counts["bands"].items()}
        | {unit: pupils for unit, (_, pupils) in classes.items()},
        columns,
        counts,
        {name: published(Tree(ROOT, counts[name], children), least) for name in columns},
        _means(connection, {unit: (*ways[school], unit) for unit, (school, _) in classes.items()}, least),
        children,
    )


def _schools(connection: Connection) -> list[Any]:
    live = and_(Published.school_id == RunSchool.school_id, Published.run == RunSchool.run)
    places = [getattr(RunSchool, level) for level in LEVELS]
    query = select(RunSchool.school_id, *places, Run.as_of).join(Published, live)
    return list(connection.execute(query.join(Run, Run.id == RunSchool.run)))


def _classes(connection: Connection) -> dict[str, tuple[str, int]]:
    """School and pupils of each class."""
    query = select(Score.class_key, Score.school_id, func.count()).join(Published, _LIVE)
    found = connection.execute(query.group_by(Score.class_key, Score.school_id))
    return {f"class:{key}": (f"school:{school}", int(pupils)) for key, school, pupils in found}


def _place(school: Any) -> tuple[str, ...]:
    """The way from the root to the school; an absent township makes the county the parent."""
    levels = [
        f"{level.removesuffix('_id')}:{getattr(school, level)}"
        for level in LEVELS
        if getattr(school, level) is not None
    ]
    return (ROOT, *levels, f"school:{school.school_id}")


def _children(ways: Iterable[tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for way in ways:
        for parent, child in pairwise(way):
            found.setdefault(parent, set()).add(child)
    return {parent: tuple(sorted(children)) for parent, children in found.items()}


def _leaves(connection: Connection, columns: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, Counts]]:
    """Counts of each school, by table."""
    leaves: dict[str, dict[str, Counts]] = {name: {} for name in columns}

    def add(table: str, school_id: str, column: int, pupils: int) -> None:
        row = leaves[table].setdefault(f"school:{school_id}", np.zeros(len(columns[table]), dtype=np.int64))
        row[column] += pupils

    band = _band_of()
    query = select(Score.school_id, Score.status, Score.listed, band, func.count()).join(Published, _LIVE)
    for school_id, status, listed, in_band, pupils in connection.execute(
        query.group_by(Score.school_id, Score.status, Score.listed, band)
    ):
        add("bands", school_id, in_band, pupils)
        add("listed", school_id, 0 if listed else 1, pupils)
        for name in STATUSES:
            add(name, school_id, 0 if status == name else 1, pupils)
        for name in COUNTED.values():  # how many of them are counted comes below
            add(name, school_id, 1, pupils)
    for family, school_id, inside, pupils in _by_family(connection):
        add(f"listed for {family}", school_id, 0 if inside else 1, pupils)
    for figure, school_id, many in _counted(connection):
        add(COUNTED[figure], school_id, 0, many)
        add(COUNTED[figure], school_id, 1, -many)
    return leaves


_LIVE = and_(Published.school_id == Score.school_id, Published.run == Score.run)
_LIVE_FIGURE = and_(Published.school_id == ClassFigure.school_id, Published.run == ClassFigure.run)


def _band_of() -> Any:
    lower = [(Score.risk >= bound, place) for place, (_, bound) in reversed(list(enumerate(BANDS)))]
    return case(*lower, else_=len(BANDS))


def _by_family(connection: Connection) -> Iterable[tuple[str, str, bool, int]]:
    """Of the listed of each school: how many have a reason of a family, and how many have none."""
    query = select(Score.school_id, Score.reasons).join(Published, _LIVE).where(Score.listed)
    for school_id, packed in connection.execute(query):
        families = {reason.family for reason in unpack(packed, BY_NAME, "en")}
        for family in FAMILIES:
            yield family, school_id, family in families, 1


def _counted(connection: Connection) -> Iterable[tuple[str, str, int]]:
    """How many pupils of each school have much of a figure; of whom it is not known, he has not."""
    many = func.sum(ClassFigure.many)
    query = select(ClassFigure.figure, ClassFigure.school_id, many).join(Published, _LIVE_FIGURE)
    found = connection.execute(query.group_by(ClassFigure.figure, ClassFigure.school_id))
    return [(figure, school, int(count)) for figure, school, count in found if figure in COUNTED]


def _means(connection: Connection, ways: Mapping[str, tuple[str, ...]], least: int) -> dict[str, Means]:
    """Figures of all units down to classes, each a mean over ``least`` pupils at least."""
    pupils: dict[str, dict[str, Counts]] = {name: {} for name in COUNTED}
    totals: dict[str, dict[str, float]] = {name: {} for name in COUNTED}
    columns = (ClassFigure.figure, ClassFigure.class_key, ClassFigure.pupils, ClassFigure.total)
    for figure, key, known, total in connection.execute(select(*columns).join(Published, _LIVE_FIGURE)):
        unit = f"class:{key}"
        if figure in COUNTED and unit in ways:
            pupils[figure][unit] = np.array([known])
            for place in ways[unit]:
                totals[figure][place] = totals[figure].get(place, 0.0) + total
    children = _children(ways.values())
    summed = {name: _summed(pupils[name], ways, 1) for name in COUNTED}
    return {
        name: Means(summed[name], totals[name], published(Tree(ROOT, summed[name], children), least))
        for name in COUNTED
    }


def _summed(
    leaves: Mapping[str, Counts], ways: Mapping[str, tuple[str, ...]], width: int
) -> dict[str, Counts]:
    """The counts of every unit out of those of the leaves, each of which has a way from the root."""
    rows: dict[str, Counts] = {}
    for leaf, way in ways.items():
        for unit in way:
            row = rows.setdefault(unit, np.zeros(width, dtype=np.int64))
            row += leaves.get(leaf, 0)
    return rows
