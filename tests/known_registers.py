"""Registers as known on a day, made from plain rows, for tests that need no lake."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb

from risk_model.registers.declaration import Register
from risk_model.registers.declared import REGISTERS

Row = dict[str, Any]
LONG_AGO = date(2000, 1, 1)


def make_known(con: duckdb.DuckDBPyConnection, **registers: list[Row]) -> None:
    """(Re)create schema ``known`` with a table per declared register, filled with ``registers``.

    Columns not given are null. ``recorded_on`` defaults to the row's event day (a spell that has
    ended: the day it ended), else 2000-01-01; ``imported_on`` to ``recorded_on``. Days may be
    given as text. An undeclared register or column is a KeyError.
    """
    for name in registers:
        REGISTERS[name]
    con.execute("CREATE SCHEMA IF NOT EXISTS known")
    for name, register in REGISTERS.items():
        _make(con, register, registers.get(name, []))


def _make(con: duckdb.DuckDBPyConnection, register: Register, rows: list[Row]) -> None:
    columns = [*(column.name for column in register.known), "recorded_on", "imported_on"]
    types = [*(column.kind.value for column in register.known), "DATE", "DATE"]
    declared = ", ".join(f"{name} {kind}" for name, kind in zip(columns, types, strict=True))
    con.execute(f"DROP VIEW IF EXISTS known.{register.name}" if _is_view(con, register.name) else "SELECT 1")
    con.execute(f"CREATE OR REPLACE TABLE known.{register.name} ({declared})")
    if not rows:
        return
    # One statement for all rows: executemany costs a millisecond a row.
    filled = [_filled(register, row, columns) for row in rows]
    for start in range(0, len(filled), 2000):
        part = filled[start : start + 2000]
        marks = ", ".join("(" + ", ".join("?" * len(columns)) + ")" for _ in part)
        con.execute(
            f"INSERT INTO known.{register.name} VALUES {marks}", [cell for row in part for cell in row]
        )


def _is_view(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    found = con.execute(
        "SELECT 1 FROM duckdb_views() WHERE schema_name = 'known' AND view_name = ?", [name]
    ).fetchone()
    return found is not None


def _filled(register: Register, row: Row, columns: list[str]) -> list[Any]:
    for name in row:
        if name not in columns:
            raise KeyError(f"{register.name} has no column {name!r} in the main lake.")
    event = row.get(register.closing_column or "") or row.get(register.event_column or "") or LONG_AGO
    recorded_on = row.get("recorded_on", event)
    defaults = {"recorded_on": recorded_on, "imported_on": recorded_on}
    return [row.get(name, defaults.get(name)) for name in columns]
