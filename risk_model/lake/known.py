"""Registers as the office knew them on a day: views ``known.<register>`` over an attached lake.

A view is a plain filter where nothing was ever superseded and no pupil changed identifier, which
is what makes forty snapshots over years of marks cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import duckdb

from risk_model.lake.storage import main_part
from risk_model.registers.declaration import Register
from risk_model.registers.declared import REGISTERS

ALIASES = "known_aliases"
_OLD_KEY, _NEW_ID = "old_student_id", "student_id"


def create_views(con: duckdb.DuckDBPyConnection, day: date, filled: frozenset[str]) -> None:
    """(Re)create ``known.<register>`` for every register, cut by ``recorded_on <= day``.

    ``filled`` names the tables of the lake that have rows.
    """
    con.execute("CREATE SCHEMA IF NOT EXISTS known")
    aliased = _resolve_aliases(con, day, filled)
    for register in REGISTERS.values():
        select = _in_force(register, day, filled)
        if aliased and "student_id" in _names(register):
            select = _under_newest_id(register, select)
        con.execute(f"CREATE OR REPLACE VIEW known.{register.name} AS {select}")


def narrow_views(
    con: duckdb.DuckDBPyConnection, pupils: str, sources: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Let every view of a register of pupils hold only those in the table ``pupils(student_id)``.

    ``sources``: SQL of these very rows, by register, where somebody has looked them up already.
    """
    for register in REGISTERS.values():
        if "student_id" in _names(register):
            whole = f"{register.name}_of_all"
            con.execute(f"DROP VIEW IF EXISTS known.{whole}")
            con.execute(f"ALTER VIEW known.{register.name} RENAME TO {whole}")
            some = sources.get(register.name, f"known.{whole} SEMI JOIN {pupils} USING (student_id)")
            con.execute(f"CREATE VIEW known.{register.name} AS FROM {some}")


def _names(register: Register) -> list[str]:
    return [column.name for column in register.known]


def _in_force(register: Register, day: date, filled: frozenset[str]) -> str:
    """Rows in force on ``day``: those in force now and told by then, and those superseded since."""
    part = main_part(register)
    if register.name not in filled and f"{register.name}_past" not in filled:
        nulls = ", ".join(f"NULL::{column.kind.value} AS {column.name}" for column in register.known)
        return f"SELECT {nulls}, NULL::DATE AS recorded_on, NULL::DATE AS imported_on WHERE false"
    columns = ", ".join([*_names(register), "recorded_on", "imported_on"])
    select = f"SELECT {columns} FROM {part.now} WHERE recorded_on <= DATE '{day}'"
    if f"{register.name}_past" in filled:
        select += (
            f" UNION ALL SELECT {columns} FROM {part.past} WHERE recorded_on <= DATE '{day}'"
            f" AND superseded_on > DATE '{day}' AND NOT retracted"
        )
    return select


def _resolve_aliases(con: duckdb.DuckDBPyConnection, day: date, filled: frozenset[str]) -> bool:
    """Make ``known_aliases(old_id, new_id)`` with chains followed to their end; True if it has rows.

    Identifiers that were changed in a circle keep the first name of the circle, by text order.
    """
    register = REGISTERS["student_aliases"]
    if not {register.name, f"{register.name}_past"} & filled:
        return False
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {ALIASES} AS
        WITH RECURSIVE step AS (
            SELECT {_OLD_KEY} AS old_id, {_NEW_ID} AS new_id FROM ({_in_force(register, day, filled)})
            WHERE {_OLD_KEY} <> {_NEW_ID}
        ), reach(old_id, new_id) AS (
            SELECT old_id, new_id FROM step
            UNION
            SELECT reach.old_id, step.new_id FROM reach JOIN step ON reach.new_id = step.old_id
        ), circle AS (
            SELECT old_id, least(old_id, min(new_id)) AS new_id FROM reach
            WHERE old_id IN (SELECT old_id FROM reach WHERE old_id = new_id) GROUP BY old_id
        ), resolved AS (
            SELECT old_id, new_id FROM circle
            UNION ALL
            SELECT reach.old_id, coalesce(min(circle.new_id), min(reach.new_id)) FROM reach
            LEFT JOIN circle ON circle.old_id = reach.new_id
            WHERE reach.old_id NOT IN (SELECT old_id FROM circle)
              AND (circle.old_id IS NOT NULL OR reach.new_id NOT IN (SELECT old_id FROM step))
            GROUP BY reach.old_id
        )
        SELECT old_id, new_id FROM resolved WHERE old_id <> new_id""")
    return bool(con.execute(f"SELECT 1 FROM {ALIASES} LIMIT 1").fetchall())


def _under_newest_id(register: Register, select: str) -> str:
    """Rows under the newest identifier; of two that then share a key the latest recorded one wins.

    Only rows of pupils who changed identifier are ranked; everybody else's pass untouched.
    """
    others = ", ".join(
        [*(name for name in _names(register) if name != "student_id"), "recorded_on", "imported_on"]
    )
    ordered = ", ".join([*_names(register), "recorded_on", "imported_on"])
    touched = f"(SELECT old_id FROM {ALIASES} UNION SELECT new_id FROM {ALIASES})"
    key = ", ".join(register.key)
    return f"""
        SELECT {ordered} FROM ({select}) WHERE student_id NOT IN {touched}
        UNION ALL
        SELECT {ordered} FROM (
            SELECT coalesce(new_id, told.student_id) AS student_id, new_id IS NULL AS own, {others}
            FROM ({select}) AS told LEFT JOIN {ALIASES} ON old_id = told.student_id
            WHERE told.student_id IN {touched}
            QUALIFY row_number() OVER (
                PARTITION BY {
        key.replace("student_id", "coalesce(new_id, told.student_id)") if "old_student_id" not in key else key
    }
                ORDER BY recorded_on DESC, own DESC, imported_on DESC, told.student_id) = 1)"""
