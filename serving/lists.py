"""The published list of a unit: within a school one run, always; above it only schools of the newest run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, exists, false, func, literal, select

from risk_model.errors import MissingError, UsageError
from risk_model.explanation.packing import unpack
from risk_model.explanation.words import Language
from risk_model.settings import ListSettings
from serving.access.deciding import Sight
from serving.pruning import demand_kept
from serving.tables import STORED, Flip, Published, Run, RunSchool, Score
from serving.units import Unit

KEYS = (
    "student_id", "as_of", "county_id", "school_id", "class_id", "grade", "status", "risk", "rank",
    "rank_in_school", "rank_in_class", "listed", "stale", "model_version", "reasons",
)  # fmt: skip
"""Keys of a row, in the order of contract §3."""
PLACE_OF = {
    "province": RunSchool.province_id,
    "county": RunSchool.county_id,
    "township": RunSchool.township_id,
    "school": RunSchool.school_id,
}
RANK_OF = {"school": "rank_in_school", "class": "rank_in_class"}
ORDERS: Mapping[str, tuple[str, ...]] = {
    "rank": (),
    "class": ("school_id", "class_id"),
    "grade": ("grade",),
    "student": ("student_id",),
}
"""Columns a list is ordered by before rank; what is not known comes last."""


@dataclass(frozen=True)
class OlderSchool:
    """A school whose list is not of the newest run, its date, and why it was held back."""

    school_id: str
    as_of: date
    reason: str | None


@dataclass(frozen=True)
class Page:
    """A unit's list, and what must stand beside it."""

    unit: Unit
    title: str | None
    as_of: date
    model_version: str
    stale: bool
    rows: list[dict[str, Any]]
    listed: int
    """Rows listed in the unit, open cases included, shown or not."""
    capacity: int
    """Pupils the staff of the unit can look at, open cases aside, by the settings the list was made with."""
    expected_precision: float | None
    """Mean calibrated risk of the ranked rows shown as listed; none without any."""
    open_cases: int
    """Rows without a score in the unit, shown or not."""
    everybody: bool = False
    """Whether those not listed are shown, too."""
    model_origin: str = "trained"
    """``trained`` on own leavers, the ``rule`` of the school, or ``imported`` from another county."""
    model_ground: dict[str, int] | None = None
    """``labelled`` pupils the model was made from, and how many of them had ``left``; none: not told."""
    minimum_risk: float | None = None
    """Nobody below this risk is listed; none: not told."""
    older: list[OlderSchool] = field(default_factory=list)
    """Schools of the unit whose list is older; above a school they are left out and named."""
    run: int = 0
    """The run the list is of; of the newest above a school."""
    following: str | None = None
    """The last pupil told where more follow."""


@dataclass(frozen=True)
class Asked:
    """Which part of a list is asked for, and how it is told."""

    top: int | None = None
    """The so many highest ranked, without the open cases."""
    as_of: date | None = None
    """The list as it stood for this day; none: now."""
    everybody: bool = False
    """All pupils, listed or not."""
    language: Language = "en"
    """Of the reasons."""
    among: Sight | None = None
    """Only pupils it sees are shown and counted; none: all."""
    order: str = "rank"
    """One of :data:`ORDERS`."""
    after: str | None = None
    """The pupil, in that order, after whom to go on."""
    most: int | None = None
    """So many rows."""


def published_page(connection: Connection, unit: Unit, asked: Asked | None = None) -> Page:
    """The list of ``unit``: open cases (no score) first, then the ranked pupils by their rank in the unit.

    Raises
    ------
    MissingError
        Nothing is published yet, or was by then; or the list of that day is no longer kept.
    UsageError
        There is no such unit, or pupil ``asked.after`` is not in the list.
    """
    asked = asked or Asked()
    view = _view(connection, asked.as_of)
    schools = _schools(connection, view, unit)
    if not schools or (unit.kind == "class" and not _class_exists(connection, view, unit)):
        raise UsageError(f"There is no {unit} in the published lists. Ask without --unit to see who is.")
    newest_only = unit.above_school
    rows = _rows(connection, view, unit, asked.among, everybody=asked.everybody, newest_only=newest_only)
    ranked = [row for row in rows if row["risk"] is not None]
    shown = rows if asked.top is None else ranked[: asked.top]
    part, following = part_of(ordered(shown, asked.order), asked.after, asked.most)
    listed = [row["risk"] for row in shown if row["listed"] and row["risk"] is not None]
    alone = None if newest_only else schools[0]
    told = _document(connection, alone.run if alone else view.newest.id)
    return Page(
        unit=unit,
        title=alone.name if alone else None,
        as_of=alone.as_of if alone else view.newest.as_of,
        model_version=alone.model_version if alone else view.newest.model_version,
        stale=view.superseded or (alone is not None and alone.run != view.newest.id),
        rows=[_told(row, asked.language) for row in part],
        listed=sum(row["listed"] for row in rows),
        capacity=_capacity(connection, view, unit, told),
        expected_precision=sum(listed) / len(listed) if listed else None,
        open_cases=len(rows) - len(ranked),
        everybody=asked.everybody,
        model_origin=told.get("model_origin", "trained"),
        model_ground=told.get("model_ground"),
        minimum_risk=told["capacity"].get("minimum_risk"),
        older=_older(connection, view, schools),
        run=alone.run if alone else view.newest.id,
        following=following,
    )


def ordered(rows: list[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    """The rows, by rank so far, in another order; rank decides between equals."""
    columns = ORDERS[order]
    return sorted(rows, key=lambda row: [(row[name] is None, row[name] or 0) for name in columns])


def part_of(
    rows: list[dict[str, Any]], after: str | None, most: int | None
) -> tuple[list[dict[str, Any]], str | None]:
    """The rows after pupil ``after``, and the last of them if more follow."""
    start = 0
    if after is not None:
        places = {row["student_id"]: place for place, row in enumerate(rows)}
        if after not in places:
            raise UsageError("The list was replaced meanwhile. Read it from its beginning.")
        start = places[after] + 1
    end = len(rows) if most is None else start + most
    part = rows[start:end]
    return part, part[-1]["student_id"] if part and end < len(rows) else None


@dataclass(frozen=True)
class _View:
    """Which run is whose list: (school_id, run, publication), and the run of the latest publication."""

    pointers: Subquery
    newest: Any
    superseded: bool = False
    """The whole view was replaced by a newer list before it could be published."""


def _view(connection: Connection, as_of: date | None) -> _View:
    if as_of is None:
        pointers = select(Published.school_id, Published.run, Published.publication).subquery()
    else:
        demand_kept(connection, as_of)
        pointers = _pointers_of(as_of)
    query = select(Run.__table__).join(pointers, pointers.c.run == Run.id)
    newest = connection.execute(query.order_by(pointers.c.publication.desc()).limit(1)).one_or_none()
    if newest is not None:
        return _View(pointers, newest)
    stored = connection.execute(
        select(Run.__table__).where(Run.as_of == as_of, Run.state == STORED).order_by(Run.id.desc()).limit(1)
    ).one_or_none()
    if stored is None:
        by_then = "" if as_of is None else f" as of {as_of}"
        raise MissingError(f"Nothing is published{by_then} yet. Run 'dropout-risk score' first.")
    schools = select(RunSchool.school_id, RunSchool.run, literal(0).label("publication"))
    return _View(schools.where(RunSchool.run == stored.id).subquery(), stored, superseded=True)


def _pointers_of(as_of: date) -> Subquery:
    """For each school its latest publication of a run of that day or earlier."""
    latest = (
        select(Flip.school_id, func.max(Flip.publication).label("publication"))
        .join(Run, Run.id == Flip.run)
        .where(Run.as_of <= as_of)
        .group_by(Flip.school_id)
        .subquery()
    )
    same = and_(Flip.school_id == latest.c.school_id, Flip.publication == latest.c.publication)
    return select(Flip.school_id, Flip.run, Flip.publication).join(latest, same).subquery()


def inside(unit: Unit) -> ColumnElement[bool]:
    """Condition on ``run_schools``: the school lies in the unit."""
    if unit.kind == "all":
        return RunSchool.school_id.is_not(None)
    if unit.kind == "class":
        # A class's name begins with its school's, which may itself hold colons.
        parts = unit.name.split(":")
        prefixes = [":".join(parts[:count]) for count in range(1, len(parts))]
        return RunSchool.school_id.in_(prefixes) if prefixes else false()
    return PLACE_OF[unit.kind] == unit.name


def _schools(connection: Connection, view: _View, unit: Unit) -> list[Any]:
    pointers = view.pointers
    query = (
        select(RunSchool.school_id, RunSchool.name, RunSchool.run, Run.as_of, Run.model_version)
        .join(pointers, and_(pointers.c.school_id == RunSchool.school_id, pointers.c.run == RunSchool.run))
        .join(Run, Run.id == RunSchool.run)
        .where(inside(unit))
        .order_by(RunSchool.school_id)
    )
    return list(connection.execute(query).all())


def _scores(view: _View, unit: Unit, *columns: Any, newest_only: bool) -> Any:
    """Statement over the scores of the unit in the view, with their school and run."""
    pointers = view.pointers
    query = (
        select(*columns)
        .select_from(Score)
        .join(pointers, and_(pointers.c.school_id == Score.school_id, pointers.c.run == Score.run))
        .join(RunSchool, and_(RunSchool.run == Score.run, RunSchool.school_id == Score.school_id))
        .join(Run, Run.id == Score.run)
        .where(inside(unit))
    )
    if unit.kind == "class":
        query = query.where(Score.class_key == unit.name)
    return query.where(Score.run == view.newest.id) if newest_only else query


def _class_exists(connection: Connection, view: _View, unit: Unit) -> bool:
    query = _scores(view, unit, Score.student_id, newest_only=False)
    return bool(connection.execute(select(exists(query))).scalar())


def _rows(
    connection: Connection,
    view: _View,
    unit: Unit,
    among: Sight | None,
    *,
    everybody: bool,
    newest_only: bool,
) -> list[dict[str, Any]]:
    columns = [Score.__table__.c[name] for name in KEYS if name in Score.__table__.c]
    more = [Score.run, RunSchool.county_id, Run.as_of, Run.model_version]
    query = _scores(view, unit, *columns, *more, newest_only=newest_only)
    if not everybody:
        query = query.where(Score.listed)
    if among is not None:
        may = (
            among.statement().subquery()
        )  # asked pupil by pupil: all whom a province may see are two hundred thousand
        query = query.where(exists().where(may.c.student_id == Score.student_id))
    rows = [_row(stored._mapping, view) for stored in connection.execute(query)]
    return sorted(rows, key=lambda row: _place_in(unit, row))


def _row(stored: Mapping[Any, Any], view: _View) -> dict[str, Any]:
    row = dict(stored)
    row["stale"] = view.superseded or row["run"] != view.newest.id
    row["as_of"] = row["as_of"].isoformat()
    return {key: row[key] for key in KEYS}


def _told(row: dict[str, Any], language: Language) -> dict[str, Any]:
    """The row with its reasons as they are said."""
    from risk_model.features.declared import BY_NAME

    told = [reason.as_document() for reason in unpack(row["reasons"], BY_NAME, language)]
    return {**row, "reasons": told}


def _place_in(unit: Unit, row: dict[str, Any]) -> tuple[Any, ...]:
    """Open cases first, by class; then by rank in the unit; above a county ranks merge by risk."""
    if row["risk"] is None:
        return (0, row["school_id"], row["class_id"] or "", row["student_id"])
    if unit.kind in RANK_OF:
        return (1, row[RANK_OF[unit.kind]], row["student_id"])
    return (1, -row["risk"], row["rank"], row["county_id"] or "", row["student_id"])


def _document(connection: Connection, run: int) -> dict[str, Any]:
    """What ``score`` answered for the run."""
    found: dict[str, Any] = json.loads(
        connection.execute(select(Run.document).where(Run.id == run)).scalar_one()
    )
    return found


def _capacity(connection: Connection, view: _View, unit: Unit, told: Mapping[str, Any]) -> int:
    """Pupils the staff of the unit can look at: a share of each school, or the cap of a class."""
    import numpy as np

    from risk_model.ranking import places

    rules = ListSettings.model_validate(told["capacity"])
    if unit.kind == "class":
        return rules.capacity_per_class
    query = _scores(view, unit, func.count(Score.risk), newest_only=unit.above_school)
    scored = connection.execute(query.group_by(Score.school_id)).scalars().all()
    return int(places(np.array(scored, dtype=np.int64), rules).sum())


def _older(connection: Connection, view: _View, schools: list[Any]) -> list[OlderSchool]:
    """Schools whose list is not of the newest run, with the reason for which that run left them out."""
    older = [school for school in schools if school.run != view.newest.id]
    if not older:
        return []
    query = select(RunSchool.school_id, RunSchool.held_back).where(
        RunSchool.run == view.newest.id, RunSchool.held_back.is_not(None)
    )
    reasons = {school.school_id: school.held_back for school in connection.execute(query)}
    return [OlderSchool(school.school_id, school.as_of, reasons.get(school.school_id)) for school in older]
