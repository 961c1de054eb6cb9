"""What every pupil's score was made of: values, the class's values and contributions of every run.

Kept in an encrypted DuckLake of its own (``data/runs``), a file or more per run; the service database
holds only what lists show. A run is written in one transaction, before it is published, and writing
it again replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import RiskModelError
from risk_model.home import Home
from risk_model.lake.attaching import attach, connect, has_table
from risk_model.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TABLES = """
create table if not exists runs.facts (
    run_id varchar, student_id varchar, class_no integer, "values" blob, contributions blob);
create table if not exists runs.class_facts (run_id varchar, class_no integer, "values" blob)
"""
"""A matrix's row is a blob of little-endian float64: as a list each number would be encoded by itself, which
takes twice as long. A class's values are kept once for all its pupils."""
NUMBER = np.dtype("<f8")
LISTS = "evidence"
"""Runs of versions before 25 November 2026 lie in this table, a list of numbers a row; they are only read."""
_WHERE = "run_id in (select unnest(?::varchar[])) and student_id = ?"
_LISTS_OF = f'select run_id, "values", class_values, contributions from runs.{LISTS} where {_WHERE}'
_FACTS_OF = (
    'select f.run_id, f."values", c."values", f.contributions '
    f"from (from runs.facts where {_WHERE}) f join runs.class_facts c using (run_id, class_no)"
)


class ArchiveError(RiskModelError):
    """The archive of contributions cannot be written or read."""


@dataclass(frozen=True)
class Evidence:
    """Values, the class's values and contributions (log-odds) of scored pupils, shape (pupils, features)."""

    student_ids: Sequence[str]
    class_no: NDArray[np.int64]
    """(pupils,) number of the class; pupils of one class have the same class values."""
    values: NDArray[np.float64]
    class_values: NDArray[np.float64]
    contributions: NDArray[np.float64]


def write_evidence(home: Home, settings: Settings, run_id: str, evidence: Evidence) -> None:
    """Store the evidence of a run, in place of what an interrupted attempt may have left.

    Raises
    ------
    ArchiveError
        It cannot be written.
    """
    with _attached(home, settings, write=True) as con:
        con.register("pupils", _pupils(evidence))
        con.register("classes", _classes(evidence))
        con.execute("begin")
        _forget(con, [run_id])
        con.execute("insert into runs.facts select ?, * from pupils", [run_id])
        con.execute("insert into runs.class_facts select ?, * from classes", [run_id])
        con.execute("commit")


def remove_evidence(home: Home, settings: Settings, run_ids: Sequence[str]) -> None:
    """Forget runs that were never completed."""
    with _attached(home, settings, write=True) as con:
        _forget(con, run_ids)


def read_evidence(
    home: Home, settings: Settings, run_ids: Sequence[str], student_id: str
) -> dict[str, dict[str, list[float]]]:
    """The pupil's evidence in each run that has some; null values are NaN."""
    asked = [list(run_ids), student_id]
    kept: dict[str, dict[str, list[float]]] = {}
    with _attached(home, settings, write=False) as con:
        if has_table(con, "runs", LISTS):
            kept |= {run_id: _named(parts) for run_id, *parts in con.execute(_LISTS_OF, asked).fetchall()}
        if has_table(con, "runs", "facts"):
            for run_id, *parts in con.execute(_FACTS_OF, asked).fetchall():
                kept[run_id] = _named([np.frombuffer(part, NUMBER).tolist() for part in parts])
    return kept


def _named(parts: Sequence[list[float]]) -> dict[str, list[float]]:
    return dict(zip(("values", "class_values", "contributions"), parts, strict=True))


def _forget(con: duckdb.DuckDBPyConnection, run_ids: Sequence[str]) -> None:
    for table in ("facts", "class_facts"):
        con.execute(
            f"delete from runs.{table} where run_id in (select unnest(?::varchar[]))", [list(run_ids)]
        )


@contextmanager
def _attached(home: Home, settings: Settings, *, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    try:
        with connect(settings, home.data / "spill") as con:
            attach(con, home.runs, "runs", write=write)
            if write:
                con.execute(TABLES)
            yield con
    except duckdb.Error as error:
        said = str(error).partition("\n")[0].rstrip(".")
        raise ArchiveError(
            f"The contributions of runs cannot be {'written' if write else 'read'} in {home.runs}: {said}. "
            "Nothing new was published; see that its disk has space and may be written, and run again."
        ) from error


def _pupils(evidence: Evidence) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {
            "student_id": pa.array(list(evidence.student_ids), type=pa.string()),
            "class_no": pa.array(evidence.class_no.astype(np.int32)),
            "values": _blobs(evidence.values),
            "contributions": _blobs(evidence.contributions),
        }
    )


def _classes(evidence: Evidence) -> pa.Table:
    import pyarrow as pa

    numbers, pupils = np.unique(evidence.class_no, return_index=True)
    return pa.table(
        {"class_no": pa.array(numbers.astype(np.int32)), "values": _blobs(evidence.class_values[pupils])}
    )


def _blobs(matrix: NDArray[np.float64]) -> pa.Array:
    """The rows of a matrix as bytes, without copying it."""
    import pyarrow as pa

    rows = np.ascontiguousarray(matrix, dtype=NUMBER)
    width = max(rows.shape[1], 1) * NUMBER.itemsize if len(rows) else NUMBER.itemsize
    return pa.Array.from_buffers(pa.binary(width), len(rows), [None, pa.py_buffer(rows)]).cast(pa.binary())
