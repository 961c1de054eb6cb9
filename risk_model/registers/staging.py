"""The working copy of a delivery: a database that lives for one import.

``stage.<register>`` holds every row read, typed, with the number of its ``fault`` (0: none);
``stage.faulty`` tells those faults in words, ``stage.rejected`` the rows that only fell when compared
with others. A row's number is its file's number and its line.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import numpy as np

from risk_model.lake.attaching import quoted
from risk_model.registers.checking import PROBLEM_TYPE
from risk_model.registers.declaration import Register

LINE_BITS = 40
"""A row's number is ``file << 40 | line``."""
STAGE = "stage"
FAULTY = f"{STAGE}.faulty"
REJECTED = f"{STAGE}.rejected"


@contextmanager
def attached_stage(con: duckdb.DuckDBPyConnection, folder: Path, *, in_memory: bool) -> Iterator[None]:
    """Attach an empty database ``stage``; what an interrupted import left is swept first.

    ``in_memory`` saves compressing and encrypting; what is too much for that lies in an encrypted file.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(folder)
    if in_memory:
        con.execute(f"ATTACH ':memory:' AS {STAGE}")
    else:
        _attach_file(con, folder / "import.duckdb")
    for table in (FAULTY, REJECTED):
        con.execute(f"CREATE TABLE {table} (register VARCHAR, number BIGINT, problem {PROBLEM_TYPE})")
    try:
        yield
    finally:
        con.execute(f"DETACH {STAGE}")
        sweep(folder)


def _attach_file(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    # The key is never written down: an abandoned working copy is unreadable. So no log is written
    # either, and nothing is tidied up at the end.
    con.execute("PRAGMA disable_checkpoint_on_shutdown")
    options = f"ENCRYPTION_KEY '{secrets.token_hex(32)}', RECOVERY_MODE no_wal_writes"
    con.execute(f"ATTACH {quoted(path)} AS {STAGE} ({options})")


def sweep(folder: Path) -> None:
    """Remove the working copies in ``folder``."""
    for left in folder.glob("import.duckdb*"):
        left.unlink()


def create_table(con: duckdb.DuckDBPyConnection, register: Register) -> None:
    """Make the table of ``register`` in the stage."""
    columns = ", ".join(f"{column.name} {column.kind.value}" for column in register.columns)
    con.execute(
        f"CREATE TABLE IF NOT EXISTS {STAGE}.{register.name} (number BIGINT, {columns}, recorded_on DATE,"
        " opened_on_record DATE, retracted BOOLEAN, fault USMALLINT)"
    )


def add_rows(con: duckdb.DuckDBPyConnection, register: Register, file: int, rows: str) -> None:
    """Append the typed ``rows`` (SQL) as rows of file number ``file``."""
    con.execute(f"""
        INSERT INTO {STAGE}.{register.name} BY NAME
        SELECT {_number(file)} AS number, * EXCLUDE (line) FROM ({rows})""")


def faulty_lines(con: duckdb.DuckDBPyConnection, register: Register, file: int, after: int) -> np.ndarray:
    """Lines behind line ``after`` of file number ``file`` that have a fault."""
    low = (file << LINE_BITS) + after
    found = con.execute(
        f"SELECT number - {file << LINE_BITS} AS line FROM {STAGE}.{register.name}"
        f" WHERE fault > 0 AND number > {low} AND number < {(file + 1) << LINE_BITS}"
    )
    return np.array([line for (line,) in found.fetchall()], np.int64)


def add_problems(con: duckdb.DuckDBPyConnection, register: Register, file: int, problems: str) -> None:
    """Append the ``problems`` (SQL: ``line``, ``problem``) of rows of file number ``file``."""
    con.execute(f"""
        INSERT INTO {FAULTY} SELECT '{register.name}', {_number(file)}, problem FROM ({problems})""")


def _number(file: int) -> str:
    return f"({file}::BIGINT << {LINE_BITS}) | line"


def forget_file(con: duckdb.DuckDBPyConnection, register: Register, file: int) -> None:
    """Take the rows of file number ``file`` out again: its encoding turned out to be another."""
    for table in (f"{STAGE}.{register.name}", FAULTY):
        con.execute(f"DELETE FROM {table} WHERE number >> {LINE_BITS} = {file}")


def create_facts(con: duckdb.DuckDBPyConnection, register: Register, today: date, delivery: int) -> str:
    """(Re)create the view of what the valid rows of ``register`` tell; returns its name.

    A row is one fact, or two where it was opened on one day and closed on a later one. ``fact`` is
    twice the row's number, plus one for the last fact.
    """
    name = f"facts_{register.name}"
    own = ", ".join(column.name for column in register.columns)
    stamps = f"DATE '{today}' AS imported_on, {delivery}::BIGINT AS delivery, retracted"
    valid = f"FROM {STAGE}.{register.name} WHERE fault = 0"
    fallen = f"SELECT number FROM {REJECTED} WHERE register = '{register.name}'"
    if con.execute(f"{fallen} LIMIT 1").fetchall():
        valid += f" AND number NOT IN ({fallen})"
    told = f"SELECT number * 2 + 1 AS fact, number, {own}, recorded_on, {stamps} {valid}"
    if register.closed_by:
        types = {column.name: column.kind.value for column in register.columns}
        opened = ", ".join(
            f"NULL::{types[one]} AS {one}" if one in register.closed_by else one for one in types
        )
        told += (
            f" UNION ALL SELECT number * 2 AS fact, number, {opened}, opened_on_record AS recorded_on,"
            f" {stamps} {valid} AND opened_on_record IS NOT NULL"
        )
    con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {told}")
    return name
