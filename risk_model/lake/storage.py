"""How a register lies in a lake: rows in force now, superseded versions, affirmations.

``R`` holds the version of each key in force now. ``R_past`` holds what was superseded, retracted
or lost to a later import of the same ``recorded_on`` (``superseded_on`` = ``recorded_on``: in force
on no day), and the retractions themselves. ``R_affirmed`` holds the days on which the same content
was delivered again: a late row between them cannot hide the newer word.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import duckdb

from risk_model.registers.declaration import Column, Register
from risk_model.registers.declared import REGISTERS

MAIN = "lake"
IDENTITY = "identity"
STAMPS = ("recorded_on", "imported_on", "delivery")
_STAMP_TYPES = "recorded_on DATE, imported_on DATE, delivery BIGINT"

DELIVERIES = "deliveries"
_DELIVERIES = """CREATE TABLE IF NOT EXISTS {}.deliveries (
    delivery BIGINT, imported_at TIMESTAMP, imported_on DATE, folder VARCHAR, digest VARCHAR,
    recorded_on VARCHAR, assumed BOOLEAN, accepted BIGINT)"""


@dataclass(frozen=True)
class Part:
    """The columns of one register that lie in one lake, under the register's key."""

    lake: str
    register: Register
    columns: tuple[Column, ...]

    @cached_property
    def key(self) -> tuple[str, ...]:
        return self.register.key

    @cached_property
    def content(self) -> tuple[str, ...]:
        """Names of the columns beside the key; may be empty."""
        return tuple(column.name for column in self.columns if not column.key)

    @property
    def now(self) -> str:
        return f"{self.lake}.{self.register.name}"

    @property
    def past(self) -> str:
        return f"{self.now}_past"

    @property
    def affirmed(self) -> str:
        return f"{self.now}_affirmed"

    def same_key(self, left: str, right: str) -> str:
        """SQL: the rows ``left`` and ``right`` have the same key; optional key columns may be null."""
        required = {column.name for column in self.columns if column.required}
        return " AND ".join(
            f"{left}.{name} {'=' if name in required else 'IS NOT DISTINCT FROM'} {right}.{name}"
            for name in self.key
        )

    def key_hash(self, alias: str = "") -> str:
        """SQL: 64 bits of the key, for finding candidates; equal keys have equal hashes."""
        return f"hash({', '.join(f'{alias}.{name}' if alias else name for name in self.key)})"

    def create(self, con: duckdb.DuckDBPyConnection) -> None:
        """Create the three tables where they are missing."""
        columns = ", ".join(f"{column.name} {column.kind.value}" for column in self.columns)
        key = ", ".join(f"{column.name} {column.kind.value}" for column in self.columns if column.key)
        con.execute(f"CREATE TABLE IF NOT EXISTS {self.now} ({columns}, {_STAMP_TYPES})")
        con.execute(
            f"CREATE TABLE IF NOT EXISTS {self.past}"
            f" ({columns}, {_STAMP_TYPES}, superseded_on DATE, retracted BOOLEAN)"
        )
        con.execute(f"CREATE TABLE IF NOT EXISTS {self.affirmed} ({key}, {_STAMP_TYPES})")


def main_part(register: Register) -> Part:
    """The part features may read."""
    return Part(MAIN, register, register.known)


def parts(register: Register) -> tuple[Part, ...]:
    """Main part first; the identity part too where the register has identity columns."""
    main = main_part(register)
    if not register.identity:
        return (main,)
    key = tuple(column for column in register.columns if column.key)
    return (main, Part(IDENTITY, register, (*key, *register.identity)))


def create_tables(con: duckdb.DuckDBPyConnection, lake: str) -> None:
    """Create the tables of all registers in the attached ``lake``, where missing, in one transaction."""
    wanted = [part for register in REGISTERS.values() for part in parts(register) if part.lake == lake]
    found = con.execute(f"SELECT count(*) FROM ducklake_table_info('{lake}')").fetchall()[0][0]
    if found >= 1 + 3 * len(wanted):
        return
    # Half the size of the default, written and read as fast.
    con.execute(f"CALL {lake}.set_option('parquet_compression', 'zstd')")
    con.execute("BEGIN")
    con.execute(_DELIVERIES.format(lake))
    for part in wanted:
        part.create(con)
    con.execute("COMMIT")
