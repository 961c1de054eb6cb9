"""The marks and exams of a night, out of the state where it may be used and out of the lake where not."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import numpy as np
from numpy.typing import NDArray

from risk_model.dealing import NO_RESULTS, RENAMED
from risk_model.features.sources import LAKE, Sources
from risk_model.home import Home
from risk_model.lake.attaching import attach, current_snapshot
from risk_model.parts import Part
from risk_model.state import storage
from risk_model.state.exams import StateExams
from risk_model.state.months import blobs, month_of
from risk_model.state.reading import Kept, mark_damaged
from risk_model.state.storage import STATE, MadeFrom
from risk_model.timeline.diaries import KNOWN, KnownMarks

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

_log = logging.getLogger(__name__)
_UNSETTLED = "state_unsettled"


@dataclass(frozen=True)
class StateMarks(Kept):
    """Marks out of the state of ``folder`` at its snapshot; for a process anywhere that sees the folder."""

    def fill(self, con: duckdb.DuckDBPyConnection, marks: NDArray[np.uint8], day: date, since: date) -> None:
        """Write the marks of ``timeline_pupils``; what the state cannot tell the lake does."""
        try:
            attach(con, self.folder, STATE, snapshot=self.snapshot)
            self._fill(con, marks, day, since)
        except duckdb.Error as error:
            _log.warning("The state in %s cannot be read, so the lake is: %s", self.folder, error)
            mark_damaged(self.folder)
            marks[:] = 0
            KNOWN.fill(con, marks, day, since)
        finally:
            storage.detach(con)

    def _fill(self, con: duckdb.DuckDBPyConnection, marks: NDArray[np.uint8], day: date, since: date) -> None:
        from risk_model.state.kernel import spread

        rows = self.rows_of_pupils(con)
        unsettled = np.zeros(len(marks), dtype=np.bool_)
        months = f"""
            SELECT pupil, (month - DATE '{since}')::INTEGER AS first, marks FROM {STATE}.mark_months
            WHERE month BETWEEN DATE '{month_of(since)}' AND DATE '{day}'{self.here()}"""
        for pupil, first, held in blobs(con, months, "pupil", "first"):
            spread(marks, rows, pupil, first, held, unsettled)
        if unsettled.any():
            _settle(con, marks, unsettled, day, since)


def sources_on(home: Home, lake: Lake, day: date, part: Part | None = None) -> Sources:
    """Where marks and exams of the snapshot ``day`` are read: the state, if it knows neither less nor more.

    That is: it is of the lake's own snapshot, and every row it stands on was known on ``day``. With a
    ``part`` only pupils of its counties are asked for.
    """
    snapshot = _snapshot_for(home, lake, day)
    if snapshot is None:
        return LAKE
    counties = None if part is None else tuple(sorted(part.counties))
    of = (home.state.absolute(), snapshot, counties)
    return Sources(StateMarks(*of), StateExams(*of, renamed=_renamed(part)))


def _snapshot_for(home: Home, lake: Lake, day: date) -> int | None:
    """The state's snapshot where it may be used; else None."""
    if not storage.exists(home.state):
        return None
    try:
        attach(lake.con, home.state, STATE)
        made, snapshot = storage.read_made_from(lake.con), current_snapshot(lake.con, STATE)
    except duckdb.Error:
        return None
    finally:
        storage.detach(lake.con)
    return snapshot if made is not None and _serves(made, lake, day) else None


def _renamed(part: Part | None) -> str:
    """SQL of the exams of pupils of ``part`` who changed identifier."""
    if part is None or part.sources is None:
        return "known.results"
    whole = "known.results" if "results" in part.sources else NO_RESULTS
    return part.sources.get(RENAMED, whole)


def _serves(made: MadeFrom, lake: Lake, day: date) -> bool:
    return (
        made.code == storage.code_digest()
        and made.lake_snapshot == lake.snapshot
        and made.committed == storage.committed(lake, lake.snapshot)
        and made.known_through <= day
    )


def _settle(
    con: duckdb.DuckDBPyConnection,
    marks: NDArray[np.uint8],
    unsettled: NDArray[np.bool_],
    day: date,
    since: date,
) -> None:
    """Read pupils from the lake of whom two identifiers told different things of one day.

    The lake knows which was told last. There are few: a pupil is seldom marked twice.
    """
    rows = np.flatnonzero(unsettled)
    marks[rows] = 0
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {_UNSETTLED} AS SELECT student_no, student_id FROM timeline_pupils"
        " WHERE student_no IN (SELECT unnest(?::INTEGER[]))",
        [rows.tolist()],
    )
    KnownMarks(_UNSETTLED).fill(con, marks, day, since)
