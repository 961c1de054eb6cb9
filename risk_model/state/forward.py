"""The state of tonight: the last one brought forward by what the lake learnt since, or made anew."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import duckdb

from risk_model.features.exam_rows import first_half_of
from risk_model.home import Home
from risk_model.lake.attaching import attach
from risk_model.lake.upkeep import tidy
from risk_model.settings import Settings
from risk_model.state import storage
from risk_model.state.exams import build_exams, rewrite_exams
from risk_model.state.homes import move_pupils, put_pupils
from risk_model.state.months import build_month, month_of, rewrite_month
from risk_model.state.news import feed_is_whole, known_through, put_news
from risk_model.state.storage import STATE, MadeFrom
from risk_model.timeline.diaries import LOOKBACK_DAYS

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

_log = logging.getLogger(__name__)
UNCHANGED, FORWARD, BUILT, NONE = "unchanged", "brought forward", "built", "none"


@dataclass(frozen=True)
class Brought:
    """What was done with the state."""

    done: str
    """``unchanged``, ``brought forward``, ``built`` or ``none``: tonight is read from the lake."""
    why: str | None = None
    """Why it was made anew, or is not there."""
    months: int = 0
    """Files written: months of a county."""
    half_years: int = 0
    """Files of exams written anew: half-years of a county."""
    moved: int = 0
    """Pupils whose home changed."""
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        return asdict(self)


def bring_forward(home: Home, settings: Settings, lake: Lake) -> Brought:
    """Make ``data/state`` say what the lake says at the snapshot the reader is pinned to.

    Call it under the publication lock. A night never fails for the state's sake: what cannot be kept is
    told, and the lake is read.
    """
    started = perf_counter()
    brought = _brought(home, settings, lake)
    return replace(brought, seconds=perf_counter() - started)


def _brought(home: Home, settings: Settings, lake: Lake) -> Brought:
    try:
        found = _standing(home, lake)
        if isinstance(found, MadeFrom):
            if found.lake_snapshot == lake.snapshot:
                return Brought(UNCHANGED)
            try:
                return _done(home, settings, lake, partial(_carry, home, lake, found))
            except duckdb.Error as error:
                found = f"it could not be brought forward: {error}"
                _log.warning("The state of %s is made anew; %s", home.folder, found)
        return _done(home, settings, lake, partial(_build, home, lake, found))
    except (duckdb.Error, OSError) as error:
        _log.warning("There is no state of marks tonight, so the lake is read: %s", error)
        return Brought(NONE, str(error))


def _standing(home: Home, lake: Lake) -> MadeFrom | str:
    """What the state to bring forward was made from, or why there is none."""
    if not storage.exists(home.state):
        return "there was none"
    if (home.state / storage.DAMAGED).exists():
        return "it was damaged"
    try:
        attach(lake.con, home.state, STATE)
        made = storage.read_made_from(lake.con)
    except duckdb.Error:
        return "it was damaged"
    finally:
        storage.detach(lake.con)
    if made is None:
        return "it was never finished"
    if made.code != storage.code_digest():
        return "it was made by another version"
    return made if feed_is_whole(lake, made) else "the lake no longer tells what changed since"


def _done(home: Home, settings: Settings, lake: Lake, work: Callable[[], Brought]) -> Brought:
    """Do the work, one transaction, and clean up after it."""
    try:
        brought = work()
        if brought.done != NONE:
            _tidy(home, settings, lake)
        return brought
    except BaseException:
        with suppress(duckdb.TransactionException):
            lake.con.execute("ROLLBACK")
        raise
    finally:
        storage.detach(lake.con)


def _tidy(home: Home, settings: Settings, lake: Lake) -> None:
    # Nobody reads an earlier state, so none is kept longer than a night may take.
    rules = settings.lake.model_copy(update={"keep_snapshots_days": 1})
    try:
        tidy(lake.con, home.state, STATE, rules)
    except duckdb.Error as error:
        _log.warning("The upkeep of the state is left to the next night: %s", error)


def _build(home: Home, lake: Lake, why: str) -> Brought:
    through = known_through(lake, None) if "attendance" in lake.registers() else None
    if through is None:
        return Brought(NONE, "there are no marks")
    con, first = lake.con, _first_month(through)
    storage.create(con, home.state)
    kept = f"FROM lake.attendance WHERE day >= DATE '{first}'"
    put_pupils(con, f"SELECT student_id {kept}")
    months = con.execute(f"SELECT DISTINCT date_trunc('month', day)::DATE {kept} ORDER BY ALL").fetchall()
    for (month,) in months:
        build_month(con, month)
    build_exams(con, through)
    _finish(lake, through, first)
    files = f"SELECT DISTINCT county_id, month FROM {STATE}.mark_months"
    return Brought(BUILT, why, int(con.execute(f"SELECT count(*) FROM ({files})").fetchall()[0][0]))


def _carry(home: Home, lake: Lake, made: MadeFrom) -> Brought:
    con = lake.con
    attach(con, home.state, STATE, write=True)
    through = known_through(lake, made) or made.known_through
    first = max(made.first_month, _first_month(through))
    put_news(lake, made.lake_snapshot, first)
    con.execute("BEGIN")
    con.execute(f"DELETE FROM {STATE}.mark_months WHERE month < DATE '{first}'")
    move_pupils(con, "state_seen")
    stale = _stale_files(con)
    for month, counties in sorted(stale.items()):
        rewrite_month(con, month, sorted(counties))
    files = rewrite_exams(con, max(first_half_of(made.known_through), first_half_of(through)))
    moved = int(con.execute("SELECT count(*) FROM state_moved").fetchall()[0][0])
    _finish(lake, through, first)
    return Brought(FORWARD, months=sum(map(len, stale.values())), half_years=files, moved=moved)


def _stale_files(con: duckdb.DuckDBPyConnection) -> dict[date, set[str]]:
    """Counties of each month that have to be written anew: with touched marks, or pupils come or gone."""
    found = con.execute(f"""
        SELECT DISTINCT date_trunc('month', day)::DATE, county_id
        FROM state_touched JOIN {STATE}.pupils USING (student_id)
        UNION SELECT month, unnest([was, now]) FROM {STATE}.mark_months JOIN state_moved USING (pupil)
        WHERE county_id = was""").fetchall()
    stale: dict[date, set[str]] = defaultdict(set)
    for month, county in found:
        stale[month].add(county)
    return stale


def _finish(lake: Lake, through: date, first: date) -> None:
    committed = storage.committed(lake, lake.snapshot)
    assert committed is not None, "a reader holds its snapshot"
    made = MadeFrom(lake.snapshot, committed, storage.code_digest(), through, first, datetime.now())
    storage.write_made_from(lake.con, made)
    lake.con.execute("COMMIT")


def _first_month(through: date) -> date:
    """The earliest month a night of ``through``, or of a later day, can ask for."""
    return month_of(through - timedelta(days=LOOKBACK_DAYS))
