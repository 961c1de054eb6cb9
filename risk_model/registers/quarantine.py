"""Rejected rows of a delivery as one CSV: register, file, line, column, value, reason.

Values of identity columns are hidden already; what is written cannot run as a formula.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from risk_model.lake.attaching import quoted
from risk_model.registers.staging import FAULTY, LINE_BITS, REJECTED

_FORMULA = r"(?s)[\s]*[=+\-@\t\r＝＋－＠].*"
_NUMBER = r"[+-]?\d+(\.\d+)?"


def rejected_rows(registers: Sequence[str]) -> str:
    """SQL of ``register, number, problem``; a row that fell twice is told with one reason."""
    return " UNION ALL ".join(
        f"SELECT register, number, min(problem) AS problem FROM {table}"
        f" WHERE register = '{name}' GROUP BY ALL"
        for name in registers
        for table in (FAULTY, REJECTED)
    )


def write_quarantine(
    con: duckdb.DuckDBPyConnection, rows: str, files: Mapping[int, str], target: Path
) -> Path | None:
    """Write the rejected ``rows`` into ``target``; None, and no file, where there are none.

    ``files`` names the delivered files by number. The same delivery writes the same file again.
    """
    if not rows or not con.execute(f"SELECT 1 FROM ({rows}) LIMIT 1").fetchall():
        target.unlink(missing_ok=True)
        return None
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = ", ".join(f"({number}, {quoted(name)})" for number, name in files.items())
    con.execute(f"""
        COPY (
            SELECT register, {_safe("name")} AS file, number & {(1 << LINE_BITS) - 1} AS line,
                   problem."column" AS "column", {_safe('problem."value"')} AS "value",
                   problem.reason AS reason
            FROM ({rows}) JOIN (VALUES {names}) AS named (file_number, name)
            ON file_number = number >> {LINE_BITS}
            ORDER BY register, file, line
        ) TO {quoted(target)} (HEADER, DELIMITER ',')""")
    target.chmod(0o600)
    return target


def _safe(cell: str) -> str:
    """SQL: the text so that no spreadsheet takes it for a formula; plain numbers stay numbers."""
    formula = f"regexp_full_match({cell}, '{_FORMULA}') AND NOT regexp_full_match({cell}, '{_NUMBER}')"
    return f"CASE WHEN {formula} THEN '''' || {cell} ELSE {cell} END"
