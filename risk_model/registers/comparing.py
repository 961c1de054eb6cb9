"""What is wrong with a row only beside others: unknown pupils and schools, contradictions."""

from __future__ import annotations

import duckdb

from risk_model.lake.attaching import has_table
from risk_model.lake.storage import MAIN
from risk_model.registers.checking import struct
from risk_model.registers.declaration import Column, Register
from risk_model.registers.staging import REJECTED, STAGE

_PERSON = {"students": "pupil", "schools": "school"}


def reject_unknown(con: duckdb.DuckDBPyConnection, register: Register) -> None:
    """Reject rows that name a pupil or a school unknown to the lake and the delivery.

    A register without any rows knows nobody and is not asked. A pupil whose own row is in
    quarantine is known all the same: one wrong birth date does not cost a term of marks.
    """
    for column in register.columns:
        if column.refers_to is not None and (known := _known(con, column)):
            con.execute(f"""
                INSERT INTO {REJECTED}
                SELECT '{register.name}', number, {_problem(column)}
                FROM {STAGE}.{register.name}
                WHERE fault = 0 AND NOT retracted AND {column.name} IS NOT NULL
                  AND {column.name} NOT IN ({known})""")


def reject_contradictions(
    con: duckdb.DuckDBPyConnection, register: Register, facts: str, repeated: str, key_hash: str
) -> bool:
    """Reject all rows of one key that tell different content for the same day; True if there are any."""
    key = ", ".join(register.key)
    content = ", ".join(
        f"{column.name} := {column.name}" for column in register.columns if not column.key
    )  # fmt: skip
    packed = f"struct_pack({', '.join(filter(None, ['gone := retracted', content]))})"
    shown = "concat_ws(', ', " + ", ".join(f"{name}::VARCHAR" for name in register.key) + ")"
    told = "'the same key has other content in another row of this delivery'"
    problem = struct(f"'{key}'", shown, told)
    many = f"FROM {facts} WHERE {key_hash} IN (FROM {repeated})"
    before = _count(con)
    con.execute(f"""
        INSERT INTO {REJECTED}
        SELECT DISTINCT '{register.name}', number, {problem}
        FROM (SELECT *, min({packed}) OVER one AS least, max({packed}) OVER one AS most {many}
              WINDOW one AS (PARTITION BY {key}, recorded_on))
        WHERE least IS DISTINCT FROM most""")
    return _count(con) > before


def _count(con: duckdb.DuckDBPyConnection) -> int:
    return int(con.execute(f"SELECT count(*) FROM {REJECTED}").fetchall()[0][0])


def _known(con: duckdb.DuckDBPyConnection, column: Column) -> str | None:
    """SQL of all identifiers known, or None where the register referred to has no rows at all."""
    assert column.refers_to is not None
    sources = _sources(con, column.refers_to, column.refers_to.removesuffix("s") + "_id")
    if not sources:
        return None
    if column.refers_to == "students":
        # A changed identifier makes the new one known, and the old one stays so.
        for name in ("old_student_id", "student_id"):
            sources += _sources(con, "student_aliases", name)
    return " UNION ".join(sources)


def _sources(con: duckdb.DuckDBPyConnection, register: str, name: str) -> list[str]:
    tables = [f"{catalog}.{register}" for catalog in (STAGE, MAIN) if has_table(con, catalog, register)]
    return [
        f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL"
        for table in tables
        if con.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()
    ]


def _problem(column: Column) -> str:
    who = _PERSON[str(column.refers_to)]
    reason = f"names a {who} unknown to the lake and to this delivery; send {column.refers_to} first"
    return struct(f"'{column.name}'", column.name, f"'{reason}'")
