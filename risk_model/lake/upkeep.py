"""Upkeep of a lake after an import: small files merged, old snapshots and their files let go.

Nothing is pulled from under a reader: snapshots that readers hold or models name stay, and a file that
no snapshot needs any more stays for some days, for readers that opened it before.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import duckdb

from risk_model.lake.attaching import current_snapshot, quoted
from risk_model.lake.holding import held
from risk_model.settings import LakeSettings

_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Upkeep:
    """What was done, in files and snapshots."""

    merged: int = 0
    """Small files that were put together."""
    expired: int = 0
    """Snapshots let go."""
    removed: int = 0
    """Files deleted that nothing needed any more."""

    def __add__(self, other: Upkeep) -> Upkeep:
        return Upkeep(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def document(self) -> dict[str, int]:
        return asdict(self)


def tidy(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    lake: str,
    settings: LakeSettings,
    named: Collection[int] = (),
) -> Upkeep:
    """Tidy the lake in ``folder``, attached for writing as ``lake``; the caller holds its lock.

    ``named`` are snapshots that models name. Registers read the same before and after, at every snapshot
    that is kept.
    """
    merged = sum(_merge(con, lake, table, settings) for table in _tables_in_pieces(con, lake, settings))
    expired = _expire(con, lake, settings.keep_snapshots_days, {*named, *held(folder)})
    return Upkeep(merged, expired, _remove_files(con, lake, settings.keep_files_days))


def _pieces(lake: str, settings: LakeSettings) -> str:
    """SQL: the data files in force, whether each is small, and which share of its rows is deleted."""
    meta = f"__ducklake_metadata_{lake}"
    return f"""
        SELECT table_name, file_size_bytes < {settings.small_file_mb * _MEGABYTE} AS small,
               coalesce(deleted.rows, 0) / greatest(file.record_count, 1) AS deleted
        FROM {meta}.ducklake_data_file AS file
        JOIN {meta}.ducklake_table AS held USING (table_id)
        LEFT JOIN (SELECT data_file_id, sum(delete_count) AS rows FROM {meta}.ducklake_delete_file
                   WHERE end_snapshot IS NULL GROUP BY ALL) AS deleted USING (data_file_id)
        WHERE file.end_snapshot IS NULL AND held.end_snapshot IS NULL"""


def _tables_in_pieces(con: duckdb.DuckDBPyConnection, lake: str, settings: LakeSettings) -> list[str]:
    found = con.execute(f"""
        SELECT table_name FROM ({_pieces(lake, settings)}) WHERE small
        GROUP BY ALL HAVING count(*) >= {settings.merge_files} ORDER BY ALL""").fetchall()
    return [str(name) for (name,) in found]


def _merge(con: duckdb.DuckDBPyConnection, lake: str, table: str, settings: LakeSettings) -> int:
    """Put the small files of ``table`` together; those with deleted rows are written anew first."""
    pieces = f"SELECT * FROM ({_pieces(lake, settings)}) WHERE table_name = {quoted(table)}"
    # Deleted rows keep a file from being merged. What is called upon to rewrite takes a share and no
    # size; a share above that of every big file leaves those alone.
    share, some = con.execute(f"""
        SELECT coalesce(max(deleted) FILTER (NOT small), 0) AS share,
               coalesce(max(deleted) FILTER (small), 0) > share AS some FROM ({pieces})""").fetchall()[0]
    if some:
        threshold = min(1.0, float(share) * (1 + 1e-9) + 1e-9)
        con.execute(
            f"CALL ducklake_rewrite_data_files('{lake}', '{table}', delete_threshold => {threshold!r})"
        ).fetchall()
    done = con.execute(
        f"CALL ducklake_merge_adjacent_files('{lake}', '{table}',"
        f" max_file_size => {settings.small_file_mb * _MEGABYTE})"
    )
    position = [column[0] for column in done.description].index("files_processed")
    return sum(int(row[position]) for row in done.fetchall())


def _expire(con: duckdb.DuckDBPyConnection, lake: str, days: int, kept: Collection[int]) -> int:
    newest = current_snapshot(con, lake)
    old = con.execute(f"""
        SELECT snapshot_id FROM ducklake_snapshots('{lake}')
        WHERE snapshot_time < now() - INTERVAL {days} DAY ORDER BY ALL""").fetchall()
    versions = [number for (number,) in old if number != newest and number not in kept]
    if versions:
        con.execute(f"CALL ducklake_expire_snapshots('{lake}', versions => {versions})").fetchall()
    return len(versions)


def _remove_files(con: duckdb.DuckDBPyConnection, lake: str, days: int) -> int:
    """Delete files no snapshot needs, and those an interrupted import left, older than ``days``."""
    # In an SQLite catalog the day a file was scheduled is a text, and DuckLake compares it with another
    # layout: whatever was scheduled on the day named counts as older. One day more makes it true.
    older = f"older_than => date_trunc('day', now() - INTERVAL {days} DAY) - INTERVAL 1 DAY"
    return sum(
        len(con.execute(f"CALL {call}('{lake}', {older})").fetchall())
        for call in ("ducklake_cleanup_old_files", "ducklake_delete_orphaned_files")
    )
