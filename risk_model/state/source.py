"""The marks of a night, out of the state where it may be used and out of the lake where not."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
from numpy.typing import NDArray

from risk_model.home import Home
from risk_model.lake.attaching import attach, current_snapshot, has_table, quoted
from risk_model.lake.known import ALIASES
from risk_model.state import storage
from risk_model.state.homes import NOWHERE
from risk_model.state.months import blobs, month_of
from risk_model.state.storage import STATE, MadeFrom
from risk_model.timeline.diaries import KNOWN, KnownMarks, MarkSource

if TYPE_CHECKING:
    from collections.abc import Collection

    from risk_model.lake.reading import Lake

_log = logging.getLogger(__name__)
_RENAMED = "state_renamed"
"""Pupils of the timeline whose identifier changed: two may have told of one day, and the lake knows which
of them counts."""


@dataclass(frozen=True)
class StateMarks:
    """Marks out of the state of ``folder`` at its snapshot; for a process anywhere that sees the folder."""

    folder: Path
    snapshot: int
    counties: tuple[str, ...] | None = None
    """Counties whose pupils are asked for; none = all. Pupils without a home are always read."""

    def fill(self, con: duckdb.DuckDBPyConnection, marks: NDArray[np.uint8], day: date, since: date) -> None:
        """Write the marks of ``timeline_pupils``; what the state cannot tell the lake does."""
        try:
            attach(con, self.folder, STATE, snapshot=self.snapshot)
            self._fill(con, marks, day, since)
        except duckdb.Error as error:
            _log.warning("The state in %s cannot be read, so the lake is: %s", self.folder, error)
            _mark_damaged(self.folder)
            marks[:] = 0
            KNOWN.fill(con, marks, day, since)
        finally:
            storage.detach(con)

    def _fill(self, con: duckdb.DuckDBPyConnection, marks: NDArray[np.uint8], day: date, since: date) -> None:
        from risk_model.state.kernel import spread

        renamed = _put_renamed(con)
        rows = self._rows_of_pupils(con, renamed)
        months = f"""
            SELECT pupil, (month - DATE '{since}')::INTEGER AS first, marks FROM {STATE}.mark_months
            WHERE month BETWEEN DATE '{month_of(since)}' AND DATE '{day}'{self._here()}"""
        for pupil, first, held in blobs(con, months, "pupil", "first"):
            spread(marks, rows, pupil, first, held)
        if renamed:
            KnownMarks(_RENAMED).fill(con, marks, day, since)

    def _here(self) -> str:
        if self.counties is None:
            return ""
        return f" AND county_id IN ({', '.join(map(quoted, (NOWHERE, *self.counties)))})"

    def _rows_of_pupils(self, con: duckdb.DuckDBPyConnection, renamed: bool) -> NDArray[np.int32]:
        """(pupils of the state,) the row in the matrix of each, −1 for those who are not asked for."""
        others = f" ANTI JOIN {_RENAMED} USING (student_no)" if renamed else ""
        # By way of a table, as everything that is fetched from a join (see `KnownMarks`).
        con.execute(f"""
            CREATE OR REPLACE TEMP TABLE state_asked AS
            SELECT pupil, student_no FROM (SELECT * FROM {STATE}.pupils WHERE true{self._here()})
            JOIN timeline_pupils USING (student_id){others}""")
        found = con.execute("FROM state_asked").fetchnumpy()
        pupil, row = np.asarray(found["pupil"]), np.asarray(found["student_no"])
        highest = con.execute(f"SELECT coalesce(max(pupil), 0) FROM {STATE}.pupils").fetchall()[0][0]
        rows = np.full(int(highest) + 1, -1, dtype=np.int32)
        rows[pupil] = row
        return rows


def marks_on(home: Home, lake: Lake, day: date, counties: Collection[str] | None = None) -> MarkSource:
    """Where the marks of the snapshot ``day`` are read: the state, if it knows neither less nor more.

    That is: it is of the lake's own snapshot, and every row it stands on was known on ``day``.
    """
    if not storage.exists(home.state):
        return KNOWN
    try:
        attach(lake.con, home.state, STATE)
        made, snapshot = storage.read_made_from(lake.con), current_snapshot(lake.con, STATE)
    except duckdb.Error:
        return KNOWN
    finally:
        storage.detach(lake.con)
    if made is None or not _serves(made, lake, day):
        return KNOWN
    return StateMarks(home.state.absolute(), snapshot, None if counties is None else tuple(sorted(counties)))


def _serves(made: MadeFrom, lake: Lake, day: date) -> bool:
    return (
        made.code == storage.code_digest()
        and made.lake_snapshot == lake.snapshot
        and made.committed == storage.committed(lake, lake.snapshot)
        and made.known_through <= day
    )


def _put_renamed(con: duckdb.DuckDBPyConnection) -> bool:
    """Make the table of renamed pupils; False where there are none."""
    if not has_table(con, "temp", ALIASES):
        return False
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {_RENAMED} AS
        SELECT student_no, student_id FROM timeline_pupils
        WHERE student_id IN (SELECT old_id FROM {ALIASES} UNION SELECT new_id FROM {ALIASES})""")
    return bool(con.execute(f"SELECT 1 FROM {_RENAMED} LIMIT 1").fetchall())


def _mark_damaged(folder: Path) -> None:
    try:
        (folder / storage.DAMAGED).touch()
    except OSError:  # told tonight, and again by whoever stumbles over it next
        return
