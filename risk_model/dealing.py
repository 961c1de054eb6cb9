"""The registers of pupils dealt out to the parts of a night in one pass, so that no part reads all of them.

Without it every part looks for its pupils among everybody's: at a million pupils in twenty parts the same
five million enrolments and twenty million results were read forty times. Marks are not dealt out; a part
reads them by county from the state (:mod:`risk_model.state`).

A folder holds ``<register>/part=<n>/*.parquet`` for part ``n``, and ``pupils`` the pupils it looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from risk_model.features.exam_terms import looked_at
from risk_model.lake.attaching import quoted
from risk_model.parts import PUPILS, Part, pupils_of_parts

if TYPE_CHECKING:
    import duckdb

DEALT = ("students", "enrolments", "families", "travel", "aid", "results")
"""Registers that are dealt out: of pupils, and read by features."""
OF_EXAMS = "student_id, subject, assessed_on, score, max_score, sat"
"""What features read of results, the register with the most rows that are dealt: the rest costs a quarter."""


def deal_out(
    con: duckdb.DuckDBPyConnection, day: date, parts: Sequence[Part], folder: Path, sealed: str = ""
) -> None:
    """Write the rows of each part as known on ``day``; needs ``known.*`` of it, and an empty ``folder``.

    Exams are cut to those that features look at. ``sealed``: further options of ``COPY``, as of encryption.
    """
    pupils_of_parts(con, parts)
    today = f"DATE '{day}'"
    options = f"FORMAT parquet, PARTITION_BY (part){sealed}"
    con.execute(f"COPY {PUPILS} TO {quoted(folder / PUPILS)} ({options})")
    for register in DEALT:
        asked = f"FROM known.{register}"
        if register == "results":
            asked = f"SELECT {OF_EXAMS} {asked} WHERE {looked_at(today)}"
        rows = f"SELECT r.*, part FROM ({asked}) AS r JOIN {PUPILS} USING (student_id)"
        con.execute(f"COPY ({rows}) TO {quoted(folder / register)} ({options})")
    con.execute(f"DROP TABLE {PUPILS}")


def dealt_to(folder: Path, number: int, reader: str = "") -> dict[str, str]:
    """SQL of the rows of part ``number`` by register; a register of which it has none is left out.

    ``reader``: what ``read_parquet`` takes besides, as the key of encrypted files.
    """
    found = {}
    for name in (PUPILS, *DEALT):
        files = sorted(str(file) for file in (folder / name / f"part={number}").glob("*.parquet"))
        if files:
            found[name] = f"read_parquet({files}, hive_partitioning = false{reader})"
    return found
