"""Keeping the directory as new as the registers: before every publication, and whenever the lake moved."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import Connection, Engine, delete, insert, select

from risk_model.errors import MissingError
from risk_model.home import Home
from risk_model.settings import Settings
from serving.access.tables import DirectoryDigest, DirectoryState
from serving.accounts.keeping import seal_unused
from serving.database import waiting_lock
from serving.directory.writing import Written, apply, differences


def refresh_directory(home: Home, settings: Settings, engine: Engine) -> Written | None:
    """Bring staff, posts, units, placements and names to what the registers say today.

    Answers null where the registers have not changed since the last time. They are looked at as of today,
    or as of their latest day if that is earlier: classes are called as they are there. Accounts nobody used
    for half a year are sealed on the way.

    Raises
    ------
    MissingError
        Nothing was imported yet.
    """
    from risk_model.lake.reading import open_lake
    from serving.directory.reading import read

    with waiting_lock(home, "directory"):
        now = datetime.now(UTC)
        with engine.begin() as connection:
            seal_unused(connection, now)
        with open_lake(home, settings) as lake:
            latest = lake.latest_recorded_on()
            if latest is None:
                raise MissingError("The lake holds no rows yet. Run 'dropout-risk import DIR' first.")
            day = min(latest, date.today())
            with engine.connect() as connection:
                if _is_of(connection, lake.snapshot, day):
                    return None
                before = _digests(connection)
            told = read(lake, home, settings, day, before)
            snapshot = lake.snapshot
        with engine.connect() as connection:
            found = differences(connection, told)
        with engine.begin() as connection:
            connection.execute(delete(DirectoryState))  # first of all a write: SQLite refuses a later one
            state = {"id": 1, "lake_snapshot": snapshot, "day": day, "refreshed_at": now}
            connection.execute(insert(DirectoryState), state)
            return apply(connection, told, found)


def _is_of(connection: Connection, snapshot: int, day: date) -> bool:
    state = connection.execute(select(DirectoryState.lake_snapshot, DirectoryState.day)).one_or_none()
    return state is not None and tuple(state) == (snapshot, day)


def _digests(connection: Connection) -> dict[str, str]:
    query = select(DirectoryDigest.ending, DirectoryDigest.digest)
    return dict(row for row in connection.execute(query))
