"""How the state lies on disk, and what it was made from.

``pupils(county_id, student_id, pupil)``
    Everybody with a spell or a mark, under the identifiers they were delivered with. ``county_id`` is the
    home, see :mod:`risk_model.state.homes`; ``pupil`` is a number that never changes, so that months carry
    four bytes instead of a text.
``mark_months(county_id, pupil, month, marks)``
    A row per pupil and calendar month with a mark: 31 bytes, one a day, of
    :data:`risk_model.timeline.codes.CODE`; 0 = no mark.
``exams(county_id, pupil, assessed_on, subject, half, what, hundredths)``
    What features read of each exam (:mod:`risk_model.features.exam_rows`), whole half-years.
``subjects(subject, no)``
    Spellings of subjects; ``no`` never changes.
``made_from``
    One row, see :class:`MadeFrom`.
"""

from __future__ import annotations

import shutil
from dataclasses import astuple, dataclass
from datetime import date, datetime
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from risk_model.features.exam_rows import HUNDREDTHS, WHAT
from risk_model.lake.attaching import attach, has_table
from risk_model.timeline.codes import CODE

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

STATE = "state"
DAYS = 31
"""Bytes of a month."""
DAMAGED = "damaged"
"""File in the folder of a state that could not be read: the next night makes it anew."""
_TABLES = f"""
CREATE TABLE {STATE}.pupils (county_id VARCHAR, student_id VARCHAR, pupil INTEGER);
CREATE TABLE {STATE}.mark_months (county_id VARCHAR, pupil INTEGER, month DATE, marks BLOB);
CREATE TABLE {STATE}.exams (county_id VARCHAR, pupil INTEGER, assessed_on DATE, subject SMALLINT,
    half SMALLINT, what UTINYINT, hundredths INTEGER);
CREATE TABLE {STATE}.subjects (subject VARCHAR, no SMALLINT);
CREATE TABLE {STATE}.made_from (lake_snapshot BIGINT, committed BIGINT, code VARCHAR,
    known_through DATE, first_month DATE, made_at TIMESTAMP);
ALTER TABLE {STATE}.pupils SET PARTITIONED BY (county_id);
ALTER TABLE {STATE}.mark_months SET PARTITIONED BY (county_id, month);
ALTER TABLE {STATE}.exams SET PARTITIONED BY (county_id, half)
"""


@dataclass(frozen=True)
class MadeFrom:
    """What a state was made from, and which days it can serve."""

    lake_snapshot: int
    committed: int
    """When the lake's snapshot was made, in microseconds: a lake put back from a copy has the numbers of
    another history."""
    code: str
    """Digest of the code that made it."""
    known_through: date
    """No row it stands on was recorded later; on an earlier day the office knew other rows."""
    first_month: date
    """First day of the oldest month kept."""
    made_at: datetime


@cache
def code_digest() -> str:
    """Digest of what decides how a state looks: this room's code, bytes of marks, what is told of exams."""
    digest = blake2b(repr((sorted(CODE.items()), WHAT, HUNDREDTHS)).encode(), digest_size=16)
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()


def exists(folder: Path) -> bool:
    """Whether a state was begun in ``folder``."""
    return (folder / "catalog.sqlite").exists()


def create(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Attach an empty state in place of what lies there; its tables are made within a transaction."""
    shutil.rmtree(folder, ignore_errors=True)
    attach(con, folder, STATE, write=True)
    con.execute(f"CALL {STATE}.set_option('parquet_compression', 'zstd')")
    con.execute("BEGIN")
    for statement in _TABLES.split(";"):
        con.execute(statement)


def detach(con: duckdb.DuckDBPyConnection) -> None:
    """Let go of the state; one that is not attached is fine."""
    con.execute(f"DETACH DATABASE IF EXISTS {STATE}")


def read_made_from(con: duckdb.DuckDBPyConnection) -> MadeFrom | None:
    """What the attached state was made from; None for one without tables."""
    if not has_table(con, STATE, "made_from"):
        return None
    found = con.execute(f"FROM {STATE}.made_from").fetchall()
    return MadeFrom(*found[0]) if len(found) == 1 else None


def write_made_from(con: duckdb.DuckDBPyConnection, made: MadeFrom) -> None:
    """Say what the state is made from now; part of the transaction that makes it."""
    con.execute(f"DELETE FROM {STATE}.made_from")
    con.execute(f"INSERT INTO {STATE}.made_from VALUES (?, ?, ?, ?, ?, ?)", list(astuple(made)))


def committed(lake: Lake, snapshot: int) -> int | None:
    """When a snapshot of the lake was made, in microseconds; None where it was let go."""
    # As a number: a timestamp with a zone makes Python load time zones, for a second.
    found = lake.con.execute(
        "SELECT epoch_us(snapshot_time) FROM ducklake_snapshots('lake') WHERE snapshot_id = ?", [snapshot]
    ).fetchall()
    return int(found[0][0]) if found else None


def named_by_state(con: duckdb.DuckDBPyConnection, folder: Path) -> frozenset[int]:
    """Snapshots of the lake that the state in ``folder`` will be brought forward from; upkeep keeps them.

    The one it was made from and the next, with which the change feed begins.
    """
    if not exists(folder):
        return frozenset()
    try:
        attach(con, folder, STATE)
        made = read_made_from(con)
    except duckdb.Error:
        return frozenset()
    finally:
        detach(con)
    return frozenset({made.lake_snapshot, made.lake_snapshot + 1}) if made else frozenset()
