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
_UNSETTLED = "state_unsettled"


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

        rows = self._rows_of_pupils(con)
        unsettled = np.zeros(len(marks), dtype=np.bool_)
        months = f"""
            SELECT pupil, (month - DATE '{since}')::INTEGER AS first, marks FROM {STATE}.mark_months
            WHERE month BETWEEN DATE '{month_of(since)}' AND DATE '{day}'{self._here()}"""
        for pupil, first, held in blobs(con, months, "pupil", "first"):
            spread(marks, rows, pupil, first, held, unsettled)
        if unsettled.any():
            _settle(con, marks, unsettled, day, since)

    def _here(self) -> str:
        if self.counties is None:
            return ""
        return f" AND county_id IN ({', '.join(map(quoted, (NOWHERE, *self.counties)))})"

    def _rows_of_pupils(self, con: duckdb.DuckDBPyConnection) -> NDArray[np.int32]:
        """(pupils of the state,) the row in the matrix, −1 for those not asked for; an identifier that was
        changed has the row of the newest."""
        told = f"SELECT student_id, pupil FROM {STATE}.pupils WHERE true{self._here()}"
        if has_table(con, "temp", ALIASES):
            told = (
                f"SELECT coalesce(new_id, student_id) AS student_id, pupil FROM ({told})"
                f" LEFT JOIN {ALIASES} ON old_id = student_id"
            )
        # By way of a table, as everything that is fetched from a join (see `KnownMarks`).
        con.execute(
            "CREATE OR REPLACE TEMP TABLE state_asked AS"
            f" SELECT pupil, student_no FROM ({told}) JOIN timeline_pupils USING (student_id)"
        )
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


def _mark_damaged(folder: Path) -> None:
    try:
        (folder / storage.DAMAGED).touch()
    except OSError:  # told tonight, and again by whoever stumbles over it next
        return
