"""What a night looked like, in counts: a histogram of every column, the risks, the reasons, who was there.

Counts are over everybody, made in DuckDB; the edges of the bins are quantiles of a sample of the night. A
profile holds no pupil's row: its ends are the 0.1 % and 99.9 % quantiles, never a smallest or largest value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from risk_model.run_evidence import PartFacts

if TYPE_CHECKING:
    import duckdb

LEVELS = (0.01, *(step / 20 for step in range(1, 20)), 0.99)
"""Quantiles that become edges: twenty bands and a little of each end."""
SAMPLE = 50_000
NEAR = 0.25
"""Standard deviations above a quantile within which its edge may lie…"""
CONTINUOUS = 0.25
"""…unless so many of the values are different ones: then no edge lies on many."""
TABLE = "tonight"


@dataclass(frozen=True)
class ColumnProfile:
    """One column over everybody: bins are ``(…, edge]``, the last is open."""

    n: int
    nulls: int
    low: float | None
    """0.1 % quantile; then the 99.9 % one."""
    high: float | None
    mean: float | None
    spread: float | None
    """Standard deviation."""
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def known(self) -> int:
        return self.n - self.nulls

    @property
    def null_share(self) -> float:
        return self.nulls / self.n if self.n else 1.0


@dataclass(frozen=True)
class Profile:
    """A night, or a day of the past as the registers tell it."""

    as_of: date
    source: str
    """``run``: scored that night; ``registers``: features of that day made afterwards."""
    model_digest: str
    model_version: str
    pupils: int
    columns: Mapping[str, ColumnProfile]
    risk: ColumnProfile
    importance: Mapping[str, float]
    """Mean |contribution| (log-odds) of each feature."""
    mixes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Pupils by ``county``, ``grade``, ``status``."""
    listed: int = 0
    listed_risk: float | None = None
    """Mean risk of the listed: the precision to be expected."""

    def weights(self) -> dict[str, float]:
        """Share of each feature in the reasons; they add up to 1."""
        total = sum(self.importance.values())
        return {name: value / total if total else 0.0 for name, value in self.importance.items()}

    @property
    def label(self) -> str:
        """How sentences name it."""
        return self.as_of.isoformat()


def load_facts(
    con: duckdb.DuckDBPyConnection, parts: Iterable[PartFacts], features: Sequence[str]
) -> tuple[int, dict[str, float]]:
    """Make the temp table ``tonight`` of feature values; how many rows, and the mean |contribution| of each.

    Values are kept as 32-bit numbers: half the memory, and the seventh digit tells nothing here.
    """
    import pyarrow as pa

    columns = ", ".join(f'"{name}" float' for name in features)
    con.execute(f"create or replace temp table {TABLE} ({columns})")
    rows, weight = 0, np.zeros(len(features))
    for part in parts:
        values = part.values.astype(np.float32)
        arrays = [pa.array(values[:, column], from_pandas=True) for column in range(values.shape[1])]
        con.register("part_facts", pa.table(arrays, names=list(features)))
        con.execute(f"insert into {TABLE} from part_facts")
        con.unregister("part_facts")
        rows += len(values)
        weight += np.abs(part.contributions).sum(axis=0)
    return rows, dict(zip(features, (weight / max(rows, 1)).tolist(), strict=True))


def column_profiles(con: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> dict[str, ColumnProfile]:
    """Histograms of the columns of ``tonight``, edges from a sample, counts over everybody."""
    edges = _edges(con, columns)
    counts = counted(con, {name: cut for name, (cut, _, _) in edges.items()})
    moments = _moments(con, columns)
    found = {}
    for name in columns:
        cut, low, high = edges[name]
        n, known, mean, spread = moments[name]
        found[name] = ColumnProfile(n, n - known, low, high, mean, spread, cut, counts[name])
    return found


def counted(
    con: duckdb.DuckDBPyConnection, edges: Mapping[str, Sequence[float]]
) -> dict[str, tuple[int, ...]]:
    """Values of ``tonight`` in the bins of ``edges``, one pass over everybody; of a gone column none."""
    there = {name for (name, *_) in con.execute(f"describe {TABLE}").fetchall()}
    asked = [name for name in edges if name in there and edges[name]]
    found: dict[str, tuple[int, ...]] = {name: (0,) * (len(cut) + 1) for name, cut in edges.items()}
    if not asked:
        return found
    # DuckDB adds the open bin only where something falls into it.
    told = ", ".join(f'histogram("{name}", ?::float[])' for name in asked)
    # As parameters: a written number is a decimal first, and rounds otherwise.
    cuts = [[float(edge) for edge in edges[name]] for name in asked]
    row = con.execute(f"select {told} from {TABLE}", cuts).fetchall()[0]
    for name, bins in zip(asked, row, strict=True):
        found[name] = _in_order(bins, len(edges[name]))
    return found


def _in_order(bins: Mapping[float, int] | None, edges: int) -> tuple[int, ...]:
    counts = list((bins or {}).values())
    return (*counts, *[0] * (edges + 1 - len(counts)))


def _edges(
    con: duckdb.DuckDBPyConnection, columns: Sequence[str]
) -> dict[str, tuple[tuple[float, ...], float | None, float | None]]:
    """Edges and ends of each column, from at most ``SAMPLE`` rows, evenly spaced."""
    (rows,) = con.execute(f"select count(*) from {TABLE}").fetchall()[0]
    step = max(1, rows // SAMPLE)
    sample = con.execute(f"from {TABLE} where rowid % {step} = 0").fetchnumpy()
    return {name: _cut(np.ma.filled(sample[name].astype(np.float32), np.nan)) for name in columns}


def _cut(values: np.ndarray[Any, Any]) -> tuple[tuple[float, ...], float | None, float | None]:
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return (), None, None
    low, high = (float(end) for end in np.quantile(known, [0.001, 0.999], method="inverted_cdf"))
    return quantile_edges(known), low, high


def _moments(
    con: duckdb.DuckDBPyConnection, columns: Sequence[str]
) -> dict[str, tuple[int, int, float | None, float | None]]:
    told = ", ".join(
        f'count("{name}"), avg("{name}"::double), stddev_pop("{name}"::double)' for name in columns
    )
    n, *values = con.execute(f"select count(*), {told} from {TABLE}").fetchall()[0]
    return {
        name: (n, values[3 * place], values[3 * place + 1], values[3 * place + 2])
        for place, name in enumerate(columns)
    }


def quantile_edges(values: np.ndarray[Any, Any]) -> tuple[float, ...]:
    """Edges in the widest gap at or just above each quantile: none where all values are the same.

    A rate over 60 days and one over 61 take other values; an edge on a value, or close by, would part them.
    """
    there = np.unique(values)
    if len(there) < 2:
        return ()
    gaps = np.diff(there)
    first = np.searchsorted(there, np.quantile(values, LEVELS, method="inverted_cdf"))
    near = NEAR * values.std() if len(there) < CONTINUOUS * len(values) else 0.0
    last = np.searchsorted(there, there[first] + near, "right")
    edges = set()
    for low, high in zip(first.tolist(), last.tolist(), strict=True):
        if low < len(gaps):
            place = low + int(np.argmax(gaps[low : max(high, low + 1)]))
            edges.add(float((there[place] + there[place + 1]) / 2))
    return tuple(sorted(edges))


def of_array(values: np.ndarray[Any, Any], edges: Sequence[float] | None = None) -> ColumnProfile:
    """The profile of one array (n,), NaN = null: risks, which the service database holds."""
    known = values[~np.isnan(values)]
    cut = tuple(edges) if edges is not None else quantile_edges(known)
    counts = np.bincount(np.searchsorted(cut, known, "left"), minlength=len(cut) + 1)
    ends = np.quantile(known, [0.001, 0.999]).tolist() if len(known) else [None, None]
    mean, spread = (float(known.mean()), float(known.std())) if len(known) else (None, None)
    nulls = len(values) - len(known)
    return ColumnProfile(len(values), nulls, ends[0], ends[1], mean, spread, cut, tuple(counts.tolist()))


def save(profile: Profile, folder: Path) -> None:
    """Keep the profile under its day, source and model."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    document = asdict(profile) | {"as_of": profile.as_of.isoformat()}
    (folder / _name(profile.as_of, profile.source, profile.model_digest)).write_text(json.dumps(document))


def kept(folder: Path, day: date, source: str, digest: str) -> Profile | None:
    """The stored profile of a day; None if there is none."""
    file = folder / _name(day, source, digest)
    return read(file) if file.exists() else None


def read(file: Path) -> Profile:
    """The profile that :func:`save` wrote."""
    told = json.loads(file.read_text())
    told["as_of"] = date.fromisoformat(told["as_of"])
    told["columns"] = {name: _column(column) for name, column in told["columns"].items()}
    told["risk"] = _column(told["risk"])
    return Profile(**told)


def _column(told: dict[str, Any]) -> ColumnProfile:
    return ColumnProfile(**{**told, "edges": tuple(told["edges"]), "counts": tuple(told["counts"])})


def _name(day: date, source: str, digest: str) -> str:
    return f"{day.isoformat()}-{source}-{digest[:12]}.json"
