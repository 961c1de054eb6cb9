"""What every pupil's score was made of: values, the class's values and contributions of every run.

Kept in an encrypted DuckLake of its own (``data/runs``), a file or more per run; the service database
holds only what lists show. A run is written in one transaction, before it is published, and writing
it again replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risk_model.home import Home
from risk_model.lake.attaching import attach, connect
from risk_model.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TABLE = """
create table if not exists runs.evidence (
    run_id varchar, student_id varchar, "values" double[], class_values double[], contributions double[]
)
"""


@dataclass(frozen=True)
class Evidence:
    """Values, the class's values and contributions (log-odds) of scored pupils, shape (pupils, features)."""

    student_ids: Sequence[str]
    values: NDArray[np.float64]
    class_values: NDArray[np.float64]
    contributions: NDArray[np.float64]


def write_evidence(home: Home, settings: Settings, run_id: str, evidence: Evidence) -> None:
    """Store the evidence of a run, in place of what an interrupted attempt may have left."""
    with _attached(home, settings, write=True) as con:
        con.execute("begin")
        con.execute("delete from runs.evidence where run_id = ?", [run_id])
        con.register("written", _as_arrow(evidence))
        con.execute(
            "insert into runs.evidence "
            "select ?, student_id, v::double[], c::double[], p::double[] from written",
            [run_id],
        )
        con.execute("commit")


def remove_evidence(home: Home, settings: Settings, run_ids: Sequence[str]) -> None:
    """Forget runs that were never completed."""
    with _attached(home, settings, write=True) as con:
        con.execute(
            "delete from runs.evidence where run_id in (select unnest(?::varchar[]))", [list(run_ids)]
        )


def read_evidence(
    home: Home, settings: Settings, run_ids: Sequence[str], student_id: str
) -> dict[str, dict[str, list[float]]]:
    """The pupil's evidence in each run that has some; null values are NaN."""
    with _attached(home, settings, write=False) as con:
        found = con.execute(
            'select run_id, "values", class_values, contributions from runs.evidence '
            "where run_id in (select unnest(?::varchar[])) and student_id = ?",
            [list(run_ids), student_id],
        ).fetchall()
    names = ("values", "class_values", "contributions")
    return {run_id: dict(zip(names, parts, strict=True)) for run_id, *parts in found}


@contextmanager
def _attached(home: Home, settings: Settings, *, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(settings, home.data / "spill") as con:
        attach(con, home.runs, "runs", write=write)
        if write:
            con.execute(TABLE)
        yield con


def _as_arrow(evidence: Evidence) -> pa.Table:
    import pyarrow as pa

    width = max(evidence.values.shape[1], 1)

    def column(matrix: NDArray[np.float64]) -> Any:
        flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, width)

    return pa.table(
        {
            "student_id": pa.array(list(evidence.student_ids), type=pa.string()),
            "v": column(evidence.values),
            "c": column(evidence.class_values),
            "p": column(evidence.contributions),
        }
    )
