"""The days that date rows without an event of their own under ``--recorded-on event+N``."""

from __future__ import annotations

from datetime import date

import duckdb

from risk_model.lake.attaching import has_table
from risk_model.lake.storage import MAIN
from risk_model.registers.declared import REGISTERS
from risk_model.registers.recording import FIRST_SPELLS
from risk_model.registers.staging import STAGE


def date_pupils(con: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table of each pupil's first spell, in the delivery or in the lake."""
    sources = [f"SELECT student_id, started_on FROM {MAIN}.enrolments"]
    if has_table(con, STAGE, "enrolments"):
        sources.append(f"SELECT student_id, started_on FROM {STAGE}.enrolments WHERE fault = 0")
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {FIRST_SPELLS} AS
        SELECT student_id, min(started_on) AS started_on FROM ({" UNION ALL ".join(sources)})
        GROUP BY student_id""")


def earliest_event(con: duckdb.DuckDBPyConnection) -> date | None:
    """First day anything of the delivery happened; None where nothing has a day."""
    days = [
        f"SELECT min({register.event_column}) AS day FROM {STAGE}.{register.name} WHERE fault = 0"
        for register in REGISTERS.values()
        if register.event_column is not None and has_table(con, STAGE, register.name)
    ]
    if not days:
        return None
    found: date | None = con.execute(f"SELECT min(day) FROM ({' UNION ALL '.join(days)})").fetchall()[0][0]
    return found
