"""``GET /api/v1/units/{id}/summary``: counts of a unit without names, small cells suppressed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from threading import Lock
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import numpy as np
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from sqlalchemy import Connection, Engine, and_, func, select

from risk_model.explanation.packing import unpack
from risk_model.features.declared import BY_NAME
from serving.api import API
from serving.api.answering import errors, reply
from serving.api.documents import UnitSummary
from serving.cells import Counts, Tree, published
from serving.tables import Published, Run, RunSchool, Score
from serving.units import parse_unit
from serving.web.policy import sees_unit
from serving.web.problems import not_found
from serving.web.service import service_of
from serving.web.shapes import UNIT_LENGTH

router = APIRouter(prefix=API, tags=["units"])
BANDS = (("below 1 %", 0.0), ("1 to 10 %", 0.01), ("10 % and more", 0.1))
"""Name and lower bound of each band of risk."""
WITHOUT = "without a score"
FAMILIES = ("attendance", "learning", "family", "distance")
STATUSES = ("absent_long", "no_register", "home_teaching", "between_spells")
LEVELS = ("province_id", "county_id", "township_id")
ROOT = "all"


@dataclass(frozen=True)
class Tables:
    """Counts of one publication: by table, then by unit, with the units that may be shown."""

    publication: int
    as_of: Mapping[str, date]
    pupils: Mapping[str, int]
    columns: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, Mapping[str, Counts]]
    shown: Mapping[str, frozenset[str]]


_KEPT: WeakKeyDictionary[Engine, Tables] = WeakKeyDictionary()
_MAKING = Lock()


@sees_unit("unit", names=False)
def read_summary(
    request: Request,
    unit: Annotated[str, Path(max_length=UNIT_LENGTH, examples=["county:520121"])],
) -> Response:
    """Pupils by band of risk and indicator rates. Null where a count below the smallest cell could be told.

    Counts of a class are never given: its staff see its list, and of forty pupils every cell is small.
    """
    least = service_of(request).settings.service.smallest_cell
    tables = tables_of(service_of(request).engine, least)
    asked = str(parse_unit(unit))
    place = asked if not asked.startswith("class:") else f"school:{_school_of(asked, tables)}"
    if place not in tables.pupils:
        raise not_found()
    pupils = _of_class(request.state.connection, asked) if place != asked else tables.pupils[asked]
    bands = _row(tables, "bands", asked)
    return reply(
        request,
        {
            "unit": asked,
            "as_of": tables.as_of[place].isoformat(),
            "pupils": pupils,
            "bands": [{"name": name, "pupils": count} for name, count in bands.items()],
            "indicators": [_indicator(tables, name, asked) for name in tables.columns if name != "bands"],
            "smallest_cell": least,
        },
    )


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
    parents = {f"school:{one.school_id}": _place(one) for one in schools}
    columns = {
        "bands": (*(name for name, _ in BANDS), WITHOUT),
        **{name: (name, "others") for name in ("listed", *STATUSES)},
        **{f"listed for {name}": (name, "others") for name in FAMILIES},
    }
    leaves = _leaves(connection, columns)
    counts = {name: _summed(leaves[name], parents, len(columns[name])) for name in columns}
    children = _children(parents.values())
    days: dict[str, date] = {}
    for one in schools:
        for unit in _place(one):
            days[unit] = max(days.get(unit, one.as_of), one.as_of)
    return Tables(
        publication,
        days,
        {unit: int(row.sum()) for unit, row in counts["bands"].items()},
        columns,
        counts,
        {name: published(Tree(ROOT, counts[name], children), least) for name in columns},
    )


def _schools(connection: Connection) -> list[Any]:
    live = and_(Published.school_id == RunSchool.school_id, Published.run == RunSchool.run)
    places = [getattr(RunSchool, level) for level in LEVELS]
    query = select(RunSchool.school_id, *places, Run.as_of).join(Published, live)
    return list(connection.execute(query.join(Run, Run.id == RunSchool.run)))


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
    for family, school_id, inside, pupils in _by_family(connection):
        add(f"listed for {family}", school_id, 0 if inside else 1, pupils)
    return leaves


_LIVE = and_(Published.school_id == Score.school_id, Published.run == Score.run)


def _band_of() -> Any:
    from sqlalchemy import case

    lower = [(Score.risk >= bound, place) for place, (_, bound) in reversed(list(enumerate(BANDS)))]
    return case(*lower, else_=len(BANDS))


def _by_family(connection: Connection) -> Iterable[tuple[str, str, bool, int]]:
    """Of the listed of each school: how many have a reason of a family, and how many have none."""
    query = select(Score.school_id, Score.reasons).join(Published, _LIVE).where(Score.listed)
    for school_id, packed in connection.execute(query):
        families = {reason.family for reason in unpack(packed, BY_NAME, "en")}
        for family in FAMILIES:
            yield family, school_id, family in families, 1


def _summed(
    leaves: Mapping[str, Counts], parents: Mapping[str, tuple[str, ...]], width: int
) -> dict[str, Counts]:
    rows: dict[str, Counts] = {}
    for school, way in parents.items():
        for unit in way:
            row = rows.setdefault(unit, np.zeros(width, dtype=np.int64))
            row += leaves.get(school, 0)
    return rows


def _row(tables: Tables, table: str, unit: str) -> dict[str, int | None]:
    names = tables.columns[table]
    if unit not in tables.shown[table]:
        return dict.fromkeys(names)
    return dict(zip(names, tables.counts[table][unit].tolist(), strict=True))


def _indicator(tables: Tables, table: str, unit: str) -> dict[str, Any]:
    """How many, of how many, and their share; null where it is suppressed."""
    row = list(_row(tables, table, unit).values())
    if row[0] is None or row[1] is None:
        return {"name": table, "pupils": None, "of": None, "rate": None}
    return {"name": table, "pupils": row[0], "of": row[0] + row[1], "rate": row[0] / (row[0] + row[1])}


def _school_of(unit: str, tables: Tables) -> str:
    """The school of a class; a school's name may hold colons, too."""
    parts = unit.removeprefix("class:").split(":")
    names = (":".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in names if f"school:{name}" in tables.pupils), "")


def _of_class(connection: Connection, unit: str) -> int:
    query = select(func.count()).select_from(Score).join(Published, _LIVE)
    found = connection.execute(query.where(Score.class_key == unit.removeprefix("class:"))).scalar_one()
    if not found:
        raise not_found()
    return int(found)


router.get(
    "/units/{unit}/summary",
    summary="Counts of a unit, without names",
    responses={200: {"model": UnitSummary}} | errors(read_summary),
)(read_summary)
