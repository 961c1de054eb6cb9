"""The lake as features, labels and scores read it: pinned to one snapshot, cut by a day."""

from __future__ import annotations

from datetime import date
from types import TracebackType

import duckdb

from risk_model.errors import MissingError
from risk_model.home import Home
from risk_model.lake.attaching import attach, connect, current_snapshot
from risk_model.lake.holding import Hold
from risk_model.lake.known import create_views
from risk_model.lake.storage import DELIVERIES, MAIN
from risk_model.registers.declared import REGISTERS
from risk_model.settings import Settings


class Lake:
    """The main lake (no names of persons), read at one snapshot; a context manager."""

    con: duckdb.DuckDBPyConnection
    """In-memory DuckDB with the lake attached as ``lake``; temporary tables are the reader's own."""
    snapshot: int
    """Snapshot every read of this object sees, whatever is imported meanwhile."""

    filled: frozenset[str]
    """Tables of the lake that have rows."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        snapshot: int,
        hold: Hold | None = None,
        filled: frozenset[str] | None = None,
    ) -> None:
        self.con = con
        self.snapshot = snapshot
        self._hold = hold
        self.filled = _filled_tables(con) if filled is None else filled

    def __enter__(self) -> Lake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the lake stays as it is."""
        self.con.close()
        if self._hold is not None:
            self._hold.release()

    def registers(self) -> frozenset[str]:
        """Names of the registers that have rows in force."""
        return frozenset(REGISTERS) & self.filled

    def known_on(self, day: date) -> None:
        """(Re)create the views ``known.<register>`` as the office knew them on ``day``."""
        create_views(self.con, day, self.filled)

    def latest_recorded_on(self) -> date | None:
        """Latest day any fact was recorded; None for a lake without rows."""
        tables = sorted(self.filled - {DELIVERIES})
        days = [f"SELECT max(recorded_on) AS day FROM {MAIN}.{table}" for table in tables]
        return self._one_day(f"SELECT max(day) FROM ({' UNION ALL '.join(days)})") if days else None

    def first_day(self) -> date | None:
        """First day with a mark or a headcount; without any, the first day of a spell."""
        for tables, column in (
            (("attendance", "headcounts"), "day"),
            (("enrolments",), "started_on"),
        ):
            days = [
                f"SELECT min({column}) AS day FROM {MAIN}.{table}" for table in tables if table in self.filled
            ]
            if days:
                return self._one_day(f"SELECT min(day) FROM ({' UNION ALL '.join(days)})")
        return None

    def assumed(self) -> bool:
        """Whether the history of any delivery is assumed (``--recorded-on event+N``)."""
        sql = f"SELECT 1 FROM {MAIN}.{DELIVERIES} WHERE assumed LIMIT 1"
        return DELIVERIES in self.filled and bool(self.con.execute(sql).fetchall())

    def _one_day(self, sql: str) -> date | None:
        found: date | None = self.con.execute(sql).fetchall()[0][0]
        return found


def open_lake(
    home: Home,
    settings: Settings,
    *,
    read_only: bool = True,
    snapshot: int | None = None,
    filled: frozenset[str] | None = None,
) -> Lake:
    """Open the registers of ``home``, pinned to a snapshot, which is held until it is closed.

    The snapshot is the newest unless one is named that somebody else holds already, who may tell which of
    its tables are ``filled``.

    With ``read_only=False`` the lake can be written and is not pinned; hold ``home.lock("lake")``.

    Raises
    ------
    MissingError
        Nothing was imported yet.
    """
    con = connect(settings, home.data / "spill")
    try:
        return _opened(con, home, read_only=read_only, snapshot=snapshot, filled=filled)
    except BaseException:
        con.close()
        raise


def _opened(
    con: duckdb.DuckDBPyConnection,
    home: Home,
    *,
    read_only: bool,
    snapshot: int | None,
    filled: frozenset[str] | None,
) -> Lake:
    if not (home.lake / "catalog.sqlite").exists():
        raise MissingError(f"{home.folder} holds no registers yet. Run `dropout-risk import DIR` first.")
    attach(con, home.lake, MAIN, write=not read_only)
    if snapshot is None or not read_only:
        snapshot = current_snapshot(con, MAIN)
    if not read_only:
        return Lake(con, snapshot)
    hold = Hold(home.lake, snapshot)
    try:
        con.execute(f"DETACH {MAIN}")
        attach(con, home.lake, MAIN, snapshot=snapshot)
        return Lake(con, snapshot, hold, filled)
    except BaseException:
        hold.release()
        raise


def _filled_tables(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Tables of the lake that have rows."""
    sql = f"SELECT table_name FROM ducklake_table_info('{MAIN}') WHERE file_count > 0"
    names = [str(name) for (name,) in con.execute(sql).fetchall()]
    return frozenset(name for name in names if con.execute(f"SELECT 1 FROM {MAIN}.{name} LIMIT 1").fetchall())
