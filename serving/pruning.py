"""Old runs thinned to one a week, in steps so small that no reader waits for them.

Every run of the last ``[publication] keep_runs_days`` days stays. Of an older week stays what was published
at its end: the run of its latest list, and of other runs the schools whose list they still were that day, so
that ``lists --as-of`` a week's last day shows what it always showed. A run that is some school's list now
stays whole. Of all others scores, schools and contributions go; their entry stays, for publications name it.

A run is first marked, so that nobody is shown half of it, then emptied step by step. What a killed process
left marked the next one empties. The caller holds the home's lock ``publication``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from time import perf_counter, sleep

from sqlalchemy import Connection, Engine, delete, exists, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import aliased

from risk_model.errors import MissingError, RiskModelError
from risk_model.home import Home
from risk_model.settings import Settings
from serving.archive import remove_evidence
from serving.database import writing
from serving.tables import (
    PRUNED,
    PRUNING,
    STAGED,
    STORED,
    ClassFigure,
    Flip,
    Lot,
    Publication,
    Published,
    Run,
    RunSchool,
    Score,
)

ROWS = 3_000
"""Rows per transaction, or one school: some hundredths of a second."""
LONGEST_PAUSE = 0.05
"""Seconds between two transactions, as long as the last took: readers of SQLite come in between."""
LOADED = ("scores", "seats", "run_schools", "runs", "flips", "published")
GONE = (PRUNING, PRUNED)


@dataclass(frozen=True)
class Pruned:
    """What was let go."""

    runs: int = 0
    rows: int = 0


def tidy(
    home: Home, settings: Settings, engine: Engine, say: Callable[[str], None], keep: str | None = None
) -> Pruned:
    """What is done when the lists are out: tell the planner, thin out old runs but that of the key ``keep``.

    Whatever goes wrong is said and stops nothing.
    """
    import duckdb

    try:
        analyze(engine)
        return prune(home, settings, engine, keep)
    except (SQLAlchemyError, RiskModelError, OSError, duckdb.Error) as error:
        said = str(getattr(error, "orig", None) or error).partition("\n")[0]
        say(f"Old runs could not be pruned; the next run tries again: {said}")
        return Pruned()


def analyze(engine: Engine) -> None:
    """Tell the planner what was loaded; without it a page of a million rows may be read from end to end."""
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("pragma analysis_limit = 1000")
        for table in LOADED:
            connection.exec_driver_sql(f"analyze {table}")


def prune(home: Home, settings: Settings, engine: Engine, keep: str | None = None) -> Pruned:
    """Thin out old runs; answers how many were, and how many rows went with them."""
    with writing(engine) as connection:
        due = _due(connection, settings.publication.keep_runs_days, keep)
        for run, key in due:
            entry = {"state": PRUNING, "key": f"{key}/{run}"}  # the key is free for the same run once more
            connection.execute(update(Run).where(Run.id == run).values(**entry))
    with engine.connect() as connection:
        marked = connection.execute(select(Run.id, Run.key, Run.as_of).where(Run.state == PRUNING)).all()
    if not marked:
        return Pruned()
    _remove_evidence(home, settings, engine, [run.key.partition("/")[0] for run in marked])
    return Pruned(len(marked), sum(_empty(engine, run.id, run.as_of) for run in marked))


def forget(engine: Engine, run: int, kept: frozenset[str] = frozenset()) -> int:
    """Remove scores and schools of ``run``, all but those of the schools ``kept``; answers the rows."""
    with engine.connect() as connection:
        pupils = _pupils(connection, run)
    removed = 0
    for schools in _steps({school: count for school, count in pupils.items() if school not in kept}):
        begun = perf_counter()
        with engine.begin() as connection:
            for table in (Score, ClassFigure, Lot, RunSchool):
                gone = delete(table).where(table.run == run, table.school_id.in_(schools))
                removed += connection.execute(gone).rowcount
        sleep(min(perf_counter() - begun, LONGEST_PAUSE))
    return removed


def demand_kept(connection: Connection, as_of: date) -> None:
    """Refuse a day whose run was thinned away.

    Raises
    ------
    MissingError
        The latest list of that day is no longer kept; the message names the nearest days that are.
    """
    published = select(func.max(Run.as_of)).where(Run.id.in_(select(Publication.run)))
    day = connection.execute(published.where(Run.as_of <= as_of)).scalar()
    if day is None:
        return
    week = (Run.as_of >= _monday(day), Run.as_of < _monday(day) + timedelta(days=7))
    thinned = connection.execute(select(exists().where(Run.state.in_(GONE), *week))).scalar()
    after = connection.execute(published.where(*week)).scalar()
    if not thinned or after == day:
        return  # of a thinned week only the end is still shown as it was, of all schools
    before = connection.execute(published.where(Run.as_of < _monday(day))).scalar()
    days = " or ".join(str(day) for day in (before, after) if day is not None)
    raise MissingError(
        f"The list of {day} is no longer kept: of older weeks only the last is. Ask for --as-of {days}."
    )


def _due(connection: Connection, days: int, keep: str | None) -> list[tuple[int, str]]:
    """Number and key of the complete runs that have to go."""
    newest = connection.execute(select(func.max(Run.as_of)).join(Publication, Publication.run == Run.id))
    last = newest.scalar()
    if last is None:
        return []
    query = select(Run.id, Run.key, Run.as_of).where(
        Run.as_of < _monday(last - timedelta(days=days)), Run.state.not_in((STAGED, *GONE))
    )
    old = connection.execute(query.order_by(Run.as_of, Run.id)).all()
    live = set(connection.execute(select(Published.run).distinct()).scalars())
    weekly = {_weeks_last(connection, monday) for monday in {_monday(run.as_of) for run in old}}
    return [(run.id, run.key) for run in old if run.id not in live | weekly and run.key != keep]


def _weeks_last(connection: Connection, monday: date) -> int | None:
    """The run whose list was the newest at the end of the week; of a week without one the last stored."""
    inside = (Run.as_of >= monday, Run.as_of < monday + timedelta(days=7))
    published = select(Run.id).join(Publication, Publication.run == Run.id).where(*inside)
    last = connection.execute(published.order_by(Publication.id.desc()).limit(1)).scalar()
    if last is not None:
        return last
    stored = select(Run.id).where(*inside, Run.state == STORED).order_by(Run.as_of.desc(), Run.id.desc())
    return connection.execute(stored.limit(1)).scalar()


def _empty(engine: Engine, run: int, as_of: date) -> int:
    """Remove what nobody is shown any more of a marked run."""
    with engine.connect() as connection:
        kept = _lists_at_the_end(connection, run, as_of)
    rows = forget(engine, run, kept)
    with engine.begin() as connection:
        connection.execute(update(Run).where(Run.id == run).values(state=PRUNED))
    return rows


def _lists_at_the_end(connection: Connection, run: int, as_of: date) -> frozenset[str]:
    """Schools whose list ``run`` still was at the end of its week: none was published after it by then."""
    later, of_later = aliased(Flip), aliased(Run)
    replaced = (
        select(later.school_id)
        .join(of_later, of_later.id == later.run)
        .where(
            later.school_id == Flip.school_id,
            later.publication > Flip.publication,
            of_later.as_of < _monday(as_of) + timedelta(days=7),
        )
    )
    query = select(Flip.school_id).where(Flip.run == run, ~exists(replaced))
    return frozenset(connection.execute(query).scalars())


def _remove_evidence(home: Home, settings: Settings, engine: Engine, keys: list[str]) -> None:
    """Remove contributions, and in time their files; those of a run that was made once more stay."""
    with engine.connect() as connection:
        again = set(connection.execute(select(Run.key).where(Run.key.in_(keys))).scalars())
    remove_evidence(home, settings, [key for key in keys if key not in again])
    _let_files_go(home, settings)


def _let_files_go(home: Home, settings: Settings) -> None:
    """Snapshots of the challengers' lake serve nobody, so they are kept for a day only."""
    if not (home.runs / "catalog.sqlite").exists():
        return
    from risk_model.lake import attaching, upkeep

    rules = settings.lake.model_copy(update={"keep_snapshots_days": 1})
    with attaching.connect(settings, home.data / "spill") as con:
        attaching.attach(con, home.runs, "runs", write=True)
        upkeep.tidy(con, home.runs, "runs", rules)


def _pupils(connection: Connection, run: int) -> dict[str, int]:
    """Rows of each school of the run, written down as a school or not."""
    schools = select(RunSchool.school_id).where(RunSchool.run == run)
    rows = select(Score.school_id, func.count()).where(Score.run == run).group_by(Score.school_id)
    found = dict.fromkeys(connection.execute(schools).scalars(), 0)
    return found | {school: int(count) for school, count in connection.execute(rows)}


def _steps(pupils: Mapping[str, int]) -> Iterator[list[str]]:
    """Schools that go in one transaction.

    >>> [*_steps({"A": 2000, "B": 900, "C": 200, "D": 5000})]
    [['A', 'B'], ['C'], ['D']]
    """
    step: list[str] = []
    rows = 0
    for school, count in sorted(pupils.items()):
        if step and (rows + count > ROWS or len(step) == 500):
            yield step
            step, rows = [], 0
        step.append(school)
        rows += count
    if step:
        yield step


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
