"""Staging a run and making it the published one: nobody ever reads a run that is not whole.

Rows are written under a run in state ``staged``, in as many parts as the caller likes, each of whole
schools. Then they are read back, and count and checksum of each school compared; one last transaction
decides and flips the pointer of every school that passed. A process killed before its commit leaves
staged rows that nobody reads and the next run sweeps; after it, all is done. The caller holds the home's
lock ``publication``.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    Table,
    case,
    collate,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import aliased

from risk_model.errors import RiskModelError
from risk_model.quality import HeldBack, Listed, Turnover
from serving.bulk import insert_rows
from serving.database import writing
from serving.pruning import forget
from serving.seats import seat
from serving.tables import STAGED, ClassFigure, Flip, Publication, Published, Run, RunSchool, Score

BATCH = 20_000
"""Rows per transaction while staging: short enough that readers of SQLite do not wait."""
SCORES = cast(Table, Score.__table__)
COLUMNS = tuple(column.name for column in SCORES.columns if column.name != "run")
"""Of a row to stage; in the table the run's number stands before them."""
Row = tuple[Any, ...]
NOBODY = ""
"""The checksum of a school without pupils."""
_SCHOOL = COLUMNS.index("school_id")
_NOT_PUBLISHED = "were computed. Nothing was published; check the disk and run again."


class IncompleteRunError(RiskModelError):
    """What was staged is not what was computed; nothing was published."""


@dataclass(frozen=True)
class RunKey:
    """All that decides the result of a run; equal keys are the same run."""

    as_of: date
    model_version: str
    model_digest: str
    lake_snapshot: int
    settings_digest: str

    @property
    def digest(self) -> str:
        """The ``run_id``: 32 hexadecimal digits."""
        parts = (self.as_of.isoformat(), self.model_digest, str(self.lake_snapshot), self.settings_digest)
        return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def find(connection: Connection, key: str) -> Any | None:
    """The complete run of this key, or none."""
    query = select(Run.__table__).where(Run.key == key, Run.state != STAGED)
    return connection.execute(query).one_or_none()


def abandoned(engine: Engine) -> list[str]:
    """Keys of runs that were killed before they were complete."""
    with engine.connect() as connection:
        return list(connection.execute(select(Run.key).where(Run.state == STAGED)).scalars())


def sweep(engine: Engine) -> None:
    """Remove what abandoned runs have staged, in small steps."""
    with engine.connect() as connection:
        left = connection.execute(select(Run.id).where(Run.state == STAGED)).scalars().all()
    for run in left:
        forget(engine, run)
        with engine.begin() as connection:
            connection.execute(delete(Run).where(Run.id == run))


def begin(engine: Engine, key: RunKey, base: float | None, features: Sequence[str]) -> int:
    """Enter a run that nobody reads yet; answers its number."""
    entry = {
        "key": key.digest,
        "as_of": key.as_of,
        "model_version": key.model_version,
        "model_digest": key.model_digest,
        "lake_snapshot": key.lake_snapshot,
        "settings_digest": key.settings_digest,
        "base": base,
        "features": json.dumps(features),
        "state": STAGED,
        "checksum": "",  # known when all parts are staged
        "document": "{}",
    }
    with engine.begin() as connection:
        return int(connection.execute(insert(Run).returning(Run.id), entry).scalar_one())


def stage(
    engine: Engine,
    run: int,
    rows: Sequence[Row],
    schools: Sequence[dict[str, Any]],
    figures: Sequence[dict[str, Any]] = (),
) -> None:
    """Write a part of a staged run: all pupils of some schools. Call it as often as there are parts.

    Parameters
    ----------
    rows : sequence of tuple
        Plain Python values in the order of :data:`COLUMNS`, by school and pupil.
    schools : sequence of dict
        ``school_id, county_id, township_id, province_id, name, pupils, held_back`` of each school.
    figures : sequence of dict
        Of their classes, as :func:`serving.figures.figures_of` tells them.
    """
    digests = {school: checksum(pupils) for school, pupils in _by_school(rows)}
    for start in range(0, len(rows), BATCH):
        batch = [(run, *row) for row in rows[start : start + BATCH]]
        with engine.begin() as connection:
            insert_rows(connection, SCORES, batch)
    with writing(engine) as connection:
        seat(connection, run, list(digests))
    if schools:
        entries = [
            {"run": run, **school, "checksum": digests.get(school["school_id"], NOBODY)} for school in schools
        ]
        with engine.begin() as connection:
            connection.execute(insert(RunSchool), entries)
    if figures:
        with engine.begin() as connection:
            connection.execute(insert(ClassFigure), [{"run": run, **figure} for figure in figures])


def check(engine: Engine, run: int, rows: int) -> None:
    """Read a staged run back, school by school: no more than a batch and a school is in memory.

    In steps: on SQLite whoever commits waits for all readers. The publication lock keeps the run as it is.

    Parameters
    ----------
    rows : int
        How many were computed.

    Raises
    ------
    IncompleteRunError
        The count, or a school's checksum, differs from what was computed.
    """
    with engine.connect() as connection:
        missing = _checksums(connection, run)
        steps = [*_steps(connection, run)]
    stored = 0
    for step in steps:
        with (
            engine.connect() as connection,
            _stored(connection, run, step) as result,
        ):  # closed at a raise, too
            for school, pupils in _by_school(map(tuple, result)):
                stored += len(pupils)
                if missing.pop(school, None) != checksum(pupils):
                    raise IncompleteRunError(
                        f"The database holds other rows of school {school} than {_NOT_PUBLISHED}"
                    )
    lost = [school for school, digest in missing.items() if digest != NOBODY]
    if lost or stored != rows:
        raise IncompleteRunError(
            f"The database holds {stored:,} rows of the run, not the {rows:,} that {_NOT_PUBLISHED}"
        )


def checksum(rows: Sequence[Row]) -> str:
    """A digest of a school's rows, in the order of :func:`_place`.

    >>> checksum([("A", 0.5)]) == checksum([("A", 0.25)])
    False
    """
    # Version 2 of marshal writes values alone, no references, so that equal rows give equal bytes; it
    # takes half the time of repr.
    return blake2b(marshal.dumps(list(rows), 2), digest_size=16).hexdigest()


def finish(connection: Connection, run: int, state: str, document: dict[str, Any]) -> None:
    """Mark a run complete with what ``score`` answers for it; flips nothing."""
    values = {"state": state, "document": json.dumps(document), "finished_at": _now()}
    connection.execute(update(Run).where(Run.id == run).values(checksum=_whole(connection, run), **values))


def amend(engine: Engine, run: int, document: dict[str, Any]) -> None:
    """Replace what ``score`` answers for a complete run; flips nothing."""
    with engine.begin() as connection:
        connection.execute(update(Run).where(Run.id == run).values(document=json.dumps(document)))


def publish(connection: Connection, run: int) -> int:
    """Flip every school of ``run`` that was not held back; answers how many.

    A school that has no pupil any more and is not in the run gets an empty list, not an old one.
    """
    passed = set(connection.execute(_schools(run).where(RunSchool.held_back.is_(None))).scalars())
    known = set(connection.execute(_schools(run)).scalars())
    live = set(connection.execute(select(Published.school_id)).scalars())
    flipped = sorted(passed | (live - known))
    if not flipped:
        return 0
    publication = connection.execute(
        insert(Publication).returning(Publication.id), {"run": run, "published_at": _now()}
    ).scalar_one()
    pointers = [{"school_id": school, "run": run, "publication": publication} for school in flipped]
    connection.execute(insert(Flip), pointers)
    for start in range(0, len(flipped), 500):
        connection.execute(delete(Published).where(Published.school_id.in_(flipped[start : start + 500])))
    connection.execute(insert(Published), pointers)
    return len(flipped)


def newest(connection: Connection) -> Any | None:
    """The run of the latest publication, or none."""
    latest = select(func.max(Publication.id)).scalar_subquery()
    query = select(Run.__table__).join(Publication, Publication.run == Run.id).where(Publication.id == latest)
    return connection.execute(query).one_or_none()


def pupils_by_county(connection: Connection, run: int) -> dict[str, int]:
    """Rows per county of a run."""
    county = func.coalesce(RunSchool.county_id, "")
    query = select(county, func.sum(RunSchool.pupils)).where(RunSchool.run == run).group_by(county)
    return {county: int(pupils) for county, pupils in connection.execute(query).all()}


def pupils_by_school(connection: Connection, run: int) -> dict[str, int]:
    """Rows of each school of a run."""
    query = select(RunSchool.school_id, RunSchool.pupils).where(RunSchool.run == run)
    return {school: int(pupils) for school, pupils in connection.execute(query)}


def listed_now(connection: Connection) -> dict[str, Listed]:
    """The published list of each school that has pupils on it."""
    query = (
        select(RunSchool.school_id, RunSchool.pupils, Run.as_of)
        .join(Published, (Published.school_id == RunSchool.school_id) & (Published.run == RunSchool.run))
        .join(Run, Run.id == RunSchool.run)
        .where(RunSchool.pupils > 0)
    )
    return {school: Listed(int(pupils), as_of) for school, pupils, as_of in connection.execute(query)}


def turnovers(connection: Connection, run: int) -> list[Turnover]:
    """Of each county, how many pupils of its published lists are listed in ``run``, too.

    Pupils without a rank then or now, and those who are at another school now, are not counted.
    """
    then, now = aliased(Score), aliased(Score)
    same = (now.run == run) & (now.school_id == then.school_id) & (now.student_id == then.student_id)
    here = (RunSchool.run == run) & (RunSchool.school_id == then.school_id)
    query = (
        select(
            RunSchool.county_id,
            func.min(Run.as_of),
            func.count(),
            func.sum(case((now.listed, 1), else_=0)),
        )
        .select_from(then)
        .join(Published, (Published.school_id == then.school_id) & (Published.run == then.run))
        .join(Run, Run.id == then.run)
        .join(now, same)
        .join(RunSchool, here)
        .where(then.listed, then.risk.is_not(None), now.risk.is_not(None))
        .group_by(RunSchool.county_id)
    )
    return [
        Turnover(county, as_of, int(listed), int(stayed), _schools_of(connection, run, county))
        for county, as_of, listed, stayed in connection.execute(query).all()
    ]


def _schools_of(connection: Connection, run: int, county: str | None) -> tuple[str, ...]:
    there = RunSchool.county_id.is_not_distinct_from(county)
    return tuple(connection.execute(_schools(run).where(there).order_by(RunSchool.school_id)).scalars())


def pupils_listed(connection: Connection) -> dict[str | None, frozenset[str]]:
    """Pupils with a rank on the published lists, by county."""
    query = (
        select(RunSchool.county_id, Score.student_id)
        .join(Published, (Published.school_id == Score.school_id) & (Published.run == Score.run))
        .join(RunSchool, (RunSchool.run == Score.run) & (RunSchool.school_id == Score.school_id))
        .where(Score.listed, Score.risk.is_not(None))
    )
    found: dict[str | None, set[str]] = {}
    for county, student in connection.execute(query):
        found.setdefault(county, set()).add(student)
    return {county: frozenset(students) for county, students in found.items()}


def hold_back(connection: Connection, run: int, reasons: Mapping[str, str]) -> None:
    """Hold schools of a staged run back, those that are already keep their reason."""
    for school, reason in reasons.items():
        entry = update(RunSchool).where(RunSchool.run == run, RunSchool.school_id == school)
        connection.execute(entry.where(RunSchool.held_back.is_(None)).values(held_back=reason))


def let_go(connection: Connection, run: int, reasons: Mapping[str, str]) -> int:
    """Hold schools of a run no longer back that are held back for these reasons; answers how many."""
    released = 0
    for school, reason in reasons.items():
        entry = update(RunSchool).where(RunSchool.run == run, RunSchool.school_id == school)
        released += connection.execute(
            entry.where(RunSchool.held_back == reason).values(held_back=None)
        ).rowcount
    return released


def held_back(connection: Connection, run: int) -> list[HeldBack]:
    """Schools of ``run`` that keep their earlier list, with the date of that list."""
    query = (
        select(RunSchool.school_id, RunSchool.held_back, Run.as_of)
        .outerjoin(Published, Published.school_id == RunSchool.school_id)
        .outerjoin(Run, Run.id == Published.run)
        .where(RunSchool.run == run, RunSchool.held_back.is_not(None))
        .order_by(RunSchool.school_id)
    )
    return [HeldBack(f"school:{school}", str(why), live) for school, why, live in connection.execute(query)]


def _checksums(connection: Connection, run: int) -> dict[str, str | None]:
    query = select(RunSchool.school_id, RunSchool.checksum).where(RunSchool.run == run)
    return dict(row for row in connection.execute(query))


def _whole(connection: Connection, run: int) -> str:
    """The run's checksum: a digest of its schools', the same into whatever parts it was cut."""
    return blake2b(repr(sorted(_checksums(connection, run).items())).encode(), digest_size=16).hexdigest()


def _by_school(rows: Iterable[Row]) -> Iterator[tuple[str, list[Row]]]:
    for school, pupils in groupby(rows, itemgetter(_SCHOOL)):
        yield school, list(pupils)


def _schools(run: int) -> Any:
    return select(RunSchool.school_id).where(RunSchool.run == run)


Step = tuple[str | None, str | None]
"""Schools after the first up to the second; none: from the first, to the last."""


def _steps(connection: Connection, run: int) -> Iterator[Step]:
    """Cut the run's rows into steps of some :data:`BATCH`; no row of whatever school lies outside all."""
    after, rows = None, 0
    if connection.dialect.name == "sqlite":  # elsewhere no reader stands in anybody's way
        sizes = select(RunSchool.school_id, RunSchool.pupils).where(RunSchool.run == run)
        for school, pupils in connection.execute(sizes.order_by(RunSchool.school_id)):
            rows += pupils
            if rows >= BATCH:
                yield after, school
                after, rows = school, 0
    yield after, None


def _stored(connection: Connection, run: int, step: Step) -> CursorResult[Any]:
    columns = [Score.__table__.c[name] for name in COLUMNS]
    query = select(*columns).where(Score.run == run).order_by(*_place(connection))
    after, last = step
    if after is not None:
        query = query.where(Score.school_id > after)
    if last is not None:
        query = query.where(Score.school_id <= last)
    return connection.execute(query.execution_options(yield_per=BATCH))


def _place(connection: Connection) -> list[Any]:
    """School, then pupil, by bytes as Python sorts them; other databases order text their own way."""
    order: list[Any] = [Score.school_id, Score.student_id]
    return order if connection.dialect.name == "sqlite" else [collate(column, "C") for column in order]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
