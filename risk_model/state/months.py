"""One month of marks: from rows to a byte a day, and back to files."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from risk_model.lake.attaching import quoted
from risk_model.state.storage import DAYS, STATE
from risk_model.timeline.marks import MARK


def last_day(month: date) -> date:
    """The last day of the calendar month of a day."""
    return month.replace(day=monthrange(month.year, month.month)[1])


def month_of(day: date) -> date:
    """The first day of the calendar month of a day."""
    return day.replace(day=1)


def build_month(con: duckdb.DuckDBPyConnection, month: date) -> None:
    """Write a month that the state does not hold yet, from the rows in force."""
    pupils = _all_pupils(con)
    marks = np.zeros((len(pupils), DAYS), dtype=np.uint8)
    _put_codes(con, month, f"SELECT student_id, day, mark FROM lake.attendance WHERE {_days(month)}")
    _write(con, month, pupils, _over(con, pupils, marks))


def rewrite_month(con: duckdb.DuckDBPyConnection, month: date, counties: Sequence[str]) -> None:
    """Write a month of some counties anew: ``state_touched`` as the lake has it, all else as it was."""
    files = f"month = DATE '{month}' AND county_id IN ({', '.join(map(quoted, counties))})"
    _put_codes(con, month, _touched(con, month))
    pupils = _pupils_of(con, files)
    marks = np.zeros((len(pupils), DAYS), dtype=np.uint8)
    for pupil, rows in blobs(con, f"SELECT pupil, marks FROM {STATE}.mark_months WHERE {files}", "pupil"):
        marks[np.searchsorted(pupils, pupil)] = rows
    con.execute(f"DELETE FROM {STATE}.mark_months WHERE {files}")
    _write(con, month, pupils, _over(con, pupils, marks))


def blobs(con: duckdb.DuckDBPyConnection, query: str, *names: str) -> Iterator[tuple[NDArray[Any], ...]]:
    """Columns ``names`` and the months ``marks`` (rows, 31) of ``query``, some rows at a time.

    Raises
    ------
    duckdb.InvalidInputException
        A month has not its 31 bytes.
    """
    for batch in con.execute(query).to_arrow_reader(1 << 20):
        column, width = batch.column("marks"), len(batch) * DAYS
        _, ends, held = column.buffers()
        ends = np.frombuffer(ends, dtype=np.int32, count=len(column) + 1, offset=4 * column.offset)
        if np.any(np.diff(ends) != DAYS):
            raise duckdb.InvalidInputException("A month of the state has not its 31 bytes.")
        rows = np.frombuffer(held, dtype=np.uint8, count=width, offset=ends[0]).reshape(-1, DAYS)
        yield (*(batch.column(name).to_numpy() for name in names), rows)


def _days(month: date) -> str:
    return f"day BETWEEN DATE '{month}' AND DATE '{last_day(month)}'"


def _touched(con: duckdb.DuckDBPyConnection, month: date) -> str:
    """SQL: the touched marks of a month as the lake has them; null where it has none any more."""
    touched = f"FROM state_touched WHERE {_days(month)}"
    days = [day for (day,) in con.execute(f"SELECT DISTINCT day {touched} ORDER BY ALL").fetchall()]
    listed = ", ".join(f"DATE '{day}'" for day in days) or "NULL"
    return f"""
        SELECT student_id, day, mark FROM (SELECT * {touched}) LEFT JOIN (
            SELECT student_id, day, mark FROM lake.attendance WHERE day IN ({listed}))
        USING (student_id, day)"""


def _put_codes(con: duckdb.DuckDBPyConnection, month: date, told: str) -> None:
    """Make ``state_codes(pupil, place, code)``: marks as bytes and where they belong; 0 takes one away."""
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE state_codes AS
        SELECT pupil, (day - DATE '{month}')::UTINYINT AS place,
            coalesce(enum_code(mark::{MARK}) + 1, 0)::UTINYINT AS code
        FROM ({told}) JOIN {STATE}.pupils USING (student_id)""")


def _all_pupils(con: duckdb.DuckDBPyConnection) -> NDArray[np.int32]:
    return np.arange(
        int(con.execute(f"SELECT count(*) FROM {STATE}.pupils").fetchall()[0][0]), dtype=np.int32
    )


def _pupils_of(con: duckdb.DuckDBPyConnection, files: str) -> NDArray[np.int32]:
    """Numbers of the pupils of these files and of ``state_codes``, ascending."""
    held = f"SELECT pupil FROM {STATE}.mark_months WHERE {files}"
    found = con.execute(f"{held} UNION SELECT pupil FROM state_codes ORDER BY pupil").fetchnumpy()
    return np.asarray(found["pupil"])


def _over(
    con: duckdb.DuckDBPyConnection, pupils: NDArray[np.int32], marks: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """``marks`` of ``pupils`` with ``state_codes`` written over them."""
    found = con.execute("FROM state_codes").fetchnumpy()
    pupil, place, code = (np.asarray(found[name]) for name in ("pupil", "place", "code"))
    marks.reshape(-1)[np.searchsorted(pupils, pupil) * DAYS + place] = code
    return marks


def _write(
    con: duckdb.DuckDBPyConnection, month: date, pupils: NDArray[np.int32], marks: NDArray[np.uint8]
) -> None:
    """File a month; pupils without a mark in it have no row."""
    import pyarrow as pa

    marked = marks.any(axis=1)
    rows = np.ascontiguousarray(marks[marked])
    told = pa.Array.from_buffers(pa.binary(DAYS), len(rows), [None, pa.py_buffer(rows)])
    con.register("state_rows", pa.table({"pupil": pa.array(pupils[marked]), "marks": told}))
    con.execute(f"""
        INSERT INTO {STATE}.mark_months
        SELECT county_id, pupil, DATE '{month}', marks FROM state_rows JOIN {STATE}.pupils USING (pupil)
        ORDER BY pupil""")
    con.unregister("state_rows")
