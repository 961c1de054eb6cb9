"""The registers of pupils dealt out to the parts of a night in one pass, so that no part reads all of them.

Without it every part looks for its pupils among everybody's: at a million pupils in twenty parts the same
five million enrolments and twenty million results were read forty times. Marks are not dealt out, nor exams
where the state has them; a part reads both by county from there (:mod:`risk_model.state`).

A folder holds ``<register>/part=<n>/*.parquet`` for part ``n``, and ``pupils`` the pupils it looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from risk_model.features.exam_rows import looked_at
from risk_model.lake.attaching import has_table, quoted
from risk_model.lake.known import ALIASES
from risk_model.parts import PUPILS, Part, pupils_of_parts

if TYPE_CHECKING:
    import duckdb

DEALT = ("students", "enrolments", "families", "travel", "aid", "results")
"""Registers that are dealt out: of pupils, and read by features."""
OBSERVED = ("families", "travel")
"""Of these features read what was observed last; a household's and a way's earlier years are left out."""
RENAMED = "renamed_results"
"""In place of ``results`` where exams are read from the state: those of pupils who changed identifier."""
OF_EXAMS = "student_id, subject, assessed_on, score, max_score, sat"
"""What features read of results, the register with the most rows that are dealt: the rest costs a quarter."""


NO_RESULTS = f"(SELECT {OF_EXAMS} FROM known.results WHERE false)"
"""SQL of rows like the dealt ones, where a part has none."""


def deal_out(
    con: duckdb.DuckDBPyConnection,
    day: date,
    parts: Sequence[Part],
    folder: Path,
    sealed: str = "",
    *,
    exams_kept: bool = False,
) -> None:
    """Write the rows of each part as known on ``day``; needs ``known.*`` of it, and an empty ``folder``.

    Exams are cut to those that features look at. ``sealed``: further options of ``COPY``, as of encryption.
    ``exams_kept``: the parts read exams from the state.
    """
    pupils_of_parts(con, parts)
    options = f"FORMAT parquet, PARTITION_BY (part){sealed}"
    con.execute(f"COPY {PUPILS} TO {quoted(folder / PUPILS)} ({options})")
    for register, asked in _asked(con, day, exams_kept).items():
        rows = f"SELECT r.*, part FROM ({asked}) AS r JOIN {PUPILS} USING (student_id)"
        con.execute(f"COPY ({rows}) TO {quoted(folder / register)} ({options})")
    con.execute(f"DROP TABLE {PUPILS}")


def _asked(con: duckdb.DuckDBPyConnection, day: date, exams_kept: bool) -> dict[str, str]:
    """SQL of what is dealt out, by name."""
    today = f"DATE '{day}'"
    asked = {register: f"FROM known.{register}" for register in DEALT}
    asked |= {register: _LATEST.format(register=register, today=today) for register in OBSERVED}
    exams = f"SELECT {OF_EXAMS} FROM known.results WHERE {looked_at(today)}"
    if not exams_kept:
        return asked | {"results": exams}
    del asked["results"]
    if not has_table(con, "temp", ALIASES):
        return asked
    return asked | {RENAMED: f"{exams} AND student_id IN (SELECT new_id FROM {ALIASES})"}


def dealt_to(folder: Path, number: int, reader: str = "") -> dict[str, str]:
    """SQL of the rows of part ``number`` by register; a register of which it has none is left out.

    ``reader``: what ``read_parquet`` takes besides, as the key of encrypted files.
    """
    found = {}
    for name in (PUPILS, *DEALT, RENAMED):
        files = sorted(str(file) for file in (folder / name / f"part={number}").glob("*.parquet"))
        if files:
            found[name] = f"read_parquet({files}, hive_partitioning = false{reader})"
    return found


_LATEST = """
SELECT told.* FROM known.{register} AS told JOIN (
    SELECT student_id, max(observed_on) AS observed_on FROM known.{register}
    WHERE observed_on <= {today} GROUP BY student_id) USING (student_id, observed_on)
"""
