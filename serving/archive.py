"""What every pupil's score was made of: values, the class's values and contributions of every run.

The parts of a run write it (:mod:`serving.parts`), encrypted, one file each, and there it stays
(:mod:`serving.run_files`); the service database holds only what lists show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from risk_model.home import Home
from risk_model.lake.attaching import attach, connect, has_table
from risk_model.run_evidence import EVIDENCE, NUMBER
from risk_model.settings import Settings
from serving.run_files import RunFiles

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FACTS, CLASS_FACTS = EVIDENCE
_FACTS_OF = (
    'select f."values", c."values", f.contributions '
    "from (from {facts} where student_id = ?) f join {classes} c "
    "on c.class_no = f.class_no and parse_dirpath(c.filename) = parse_dirpath(f.filename)"
)

LAKE_TABLES = {
    "evidence": 'select run_id, "values", class_values, contributions from runs.evidence '
    "where run_id in (select unnest(?::varchar[])) and student_id = ?",
    "facts": 'select f.run_id, f."values", c."values", f.contributions from runs.facts f '
    "join runs.class_facts c using (run_id, class_no) "
    "where f.run_id in (select unnest(?::varchar[])) and f.student_id = ?",
}
"""Runs of versions before 26 November 2026 lie in a DuckLake beside; they are only read and removed."""


@dataclass(frozen=True)
class Evidence:
    """Values, the class's values and contributions (log-odds) of scored pupils, shape (pupils, features)."""

    student_ids: Sequence[str]
    class_no: NDArray[np.int64]
    """(pupils,) number of the class; pupils of one class have the same class values."""
    values: NDArray[np.float64]
    class_values: NDArray[np.float64]
    contributions: NDArray[np.float64]


def evidence_tables(evidence: Evidence) -> dict[str, pa.Table]:
    """The files of a part, by name.

    Snapshots are ordered by pupil, so that a file is skipped, or one piece of it read, for one pupil.
    """
    return {FACTS: _pupils(evidence), CLASS_FACTS: _classes(evidence)}


def remove_evidence(home: Home, settings: Settings, run_ids: Iterable[str]) -> None:
    """Forget these runs."""
    runs = list(run_ids)
    for run_id in runs:
        RunFiles.of(home, run_id).remove()
    if not (home.runs / "catalog.sqlite").exists():
        return
    with connect(settings, home.data / "spill") as con:
        attach(con, home.runs, "runs", write=True)
        for table in ("evidence", "facts", "class_facts"):
            if has_table(con, "runs", table):
                con.execute(f"delete from runs.{table} where run_id in (select unnest(?::varchar[]))", [runs])


def read_evidence(
    home: Home, settings: Settings, run_ids: Sequence[str], student_id: str
) -> dict[str, dict[str, list[float]]]:
    """The pupil's evidence in each run that has some; null values are NaN."""
    kept: dict[str, dict[str, list[float]]] = {}
    with connect(settings, home.data / "spill") as con:
        older = []
        for run_id in run_ids:
            run = RunFiles.of(home, run_id)
            if not run.files(FACTS):
                older.append(run_id)
            elif found := _read(con, run, student_id):
                kept[run_id] = found
        if older and (home.runs / "catalog.sqlite").exists():
            kept |= _of_the_lake(con, home, older, student_id)
    return kept


def _read(con: duckdb.DuckDBPyConnection, run: RunFiles, student_id: str) -> dict[str, list[float]] | None:
    sources = {
        "facts": run.source(con, run.files(FACTS), ", filename = true"),
        "classes": run.source(con, run.files(CLASS_FACTS), ", filename = true"),
    }
    found = con.execute(_FACTS_OF.format(**sources), [student_id]).fetchall()
    return _named(found[0]) if found else None


def _of_the_lake(
    con: duckdb.DuckDBPyConnection, home: Home, run_ids: Sequence[str], student_id: str
) -> dict[str, dict[str, list[float]]]:
    attach(con, home.runs, "runs")
    asked = [list(run_ids), student_id]
    return {
        run_id: _named(parts)
        for table, query in LAKE_TABLES.items()
        if has_table(con, "runs", table)
        for run_id, *parts in con.execute(query, asked).fetchall()
    }


def _named(parts: Sequence[list[float] | bytes]) -> dict[str, list[float]]:
    numbers = [np.frombuffer(part, NUMBER).tolist() if isinstance(part, bytes) else part for part in parts]
    return dict(zip(("values", "class_values", "contributions"), numbers, strict=True))


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
    """The rows of a matrix as bytes, without copying it: as lists each number would be encoded by itself,
    which takes twice as long. A class's values are kept once for all its pupils."""
    import pyarrow as pa

    rows = np.ascontiguousarray(matrix, dtype=NUMBER)
    width = max(rows.shape[1], 1) * NUMBER.itemsize if len(rows) else NUMBER.itemsize
    return pa.Array.from_buffers(pa.binary(width), len(rows), [None, pa.py_buffer(rows)]).cast(pa.binary())
