"""What every pupil's score of a run was made of, read back: for explaining (serving) and for monitoring.

A run's parts lie under ``data/runs/nights/<run_id>/<part>/``, encrypted, opened by the key beside them.
``facts.parquet`` has a row per scored pupil, its numbers a blob of little-endian float64 in the order of the
run's features. Serving writes them (``serving/run_files.py``, ``serving/archive.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from risk_model.home import Home
from risk_model.lake.attaching import quoted

if TYPE_CHECKING:
    import duckdb

FOLDER = "nights"
KEY = "key"
EVIDENCE = ("facts.parquet", "class_facts.parquet")
"""What of a part stays after publication."""
NUMBER = np.dtype("<f8")


@dataclass(frozen=True)
class SealedRun:
    """The folder of a run, for reading."""

    folder: Path

    @classmethod
    def of(cls, home: Home, run_id: str) -> Self:
        return cls(home.runs / FOLDER / run_id)

    def files(self, name: str, parts: Iterable[str] = ()) -> list[str]:
        """Paths of the files ``name`` of these parts, or of all there are."""
        found = (self.folder / part / name for part in parts) if parts else self.folder.glob(f"*/{name}")
        return sorted(str(file) for file in found)

    def source(self, con: duckdb.DuckDBPyConnection, files: Collection[str], extra: str = "") -> str:
        """SQL: the rows of these files; ``extra`` are further arguments of ``read_parquet``."""
        return f"read_parquet({list(files)}{self.unlocked(con)}{extra})"

    def unlocked(self, con: duckdb.DuckDBPyConnection) -> str:
        """The argument of ``read_parquet`` that opens the files; the key is made known to ``con``."""
        return f", encryption_config = {{footer_key: '{self._key(con)}'}}"

    def _key(self, con: duckdb.DuckDBPyConnection) -> str:
        """Name under which ``con`` knows the run's key."""
        name = f"run_{self.folder.name}"
        con.execute(f"PRAGMA add_parquet_key('{name}', {quoted((self.folder / KEY).read_text())})")
        return name


@dataclass(frozen=True)
class PartFacts:
    """Some pupils of a run: values and contributions (log-odds), shape (pupils, features)."""

    student_ids: NDArray[np.object_]
    values: NDArray[np.float64]
    contributions: NDArray[np.float64]


def facts_of_run(
    con: duckdb.DuckDBPyConnection, home: Home, run_id: str, *, rows: int = 100_000
) -> Iterator[PartFacts]:
    """All pupils of a run, some ``rows`` at a time; nothing if its evidence has been thinned away."""
    run = SealedRun.of(home, run_id)
    files = run.files(EVIDENCE[0])
    if not files:
        return
    asked = f'select student_id, "values", contributions from {run.source(con, files)}'
    for batch in con.execute(asked).to_arrow_reader(rows):
        ids, values, contributions = batch.columns
        yield PartFacts(
            ids.to_numpy(zero_copy_only=False), *(matrix(part, len(ids)) for part in (values, contributions))
        )


def values_of_some(
    con: duckdb.DuckDBPyConnection, home: Home, run_id: str, pupils: int
) -> NDArray[np.float64]:
    """Values (pupils, features) of about so many pupils of a run, the same ones if asked again.

    Nobody at all if its evidence has been thinned away.
    """
    run = SealedRun.of(home, run_id)
    files = run.files(EVIDENCE[0])
    if not files:
        return np.empty((0, 0))
    source = run.source(con, files)
    (total,) = con.execute(f"select count(*) from {source}").fetchall()[0]
    drawn = f"hash(student_id || '{run_id}') % {max(total, 1)} < {pupils}"
    asked = f'select "values" from {source} where {drawn} order by student_id'
    blobs = con.execute(asked).to_arrow_table().column(0)
    parts = [matrix(chunk, len(chunk)) for chunk in blobs.chunks if len(chunk)]
    return np.concatenate(parts) if parts else np.empty((0, 0))


def matrix(blobs: object, rows: int) -> NDArray[np.float64]:
    """Rows of numbers out of an Arrow array of blobs of equal length, without copying where it can."""
    import pyarrow as pa

    assert isinstance(blobs, pa.Array)
    offsets = np.frombuffer(blobs.buffers()[1], np.int32)[blobs.offset : blobs.offset + rows + 1]
    numbers = np.frombuffer(blobs.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return numbers.view(NUMBER).reshape(rows, -1)
