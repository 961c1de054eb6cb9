"""Evidently's report beside ours: columns listed and cast, dead ones left out, in a process that may fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring.findings import Finding
from risk_model.settings import MonitoringSettings

if TYPE_CHECKING:
    import pandas as pd

WINDOW = "window"
CURRENT, REFERENCE = "current", "reference"
DISCRETE = 12
"""A column with no more values than this is a category to Evidently."""
CHILD = "monitoring.evidently.child"


@dataclass(frozen=True)
class Columns:
    """Which columns Evidently is told of, and as what."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    dead: tuple[str, ...]
    """Without a value on one side: one of them stops its whole report."""


def columns_of(current: pd.DataFrame, reference: pd.DataFrame) -> Columns:
    """Sort the columns both sides have.

    >>> import pandas as pd
    >>> told = pd.DataFrame({"km": range(20), "flag": [0, 1] * 10, "gone": float("nan")})
    >>> columns_of(told, told)
    Columns(numbers=('km',), categories=('flag',), dead=('gone',))
    """
    shared = [name for name in current.columns if name in reference.columns]
    dead = [name for name in shared if current[name].isna().all() or reference[name].isna().all()]
    alive = [name for name in shared if name not in dead]
    numbers = [name for name in alive if current[name].nunique() > DISCRETE]
    return Columns(tuple(numbers), tuple(name for name in alive if name not in numbers), tuple(dead))


def make(
    current: pd.DataFrame,
    reference: pd.DataFrame,
    judged: pd.DataFrame | None,
    folder: Path,
    name: str,
    rules: MonitoringSettings,
) -> tuple[dict[str, Any], Finding | None]:
    """Have the report made; a failure is a finding that is told, and nothing else.

    Parameters
    ----------
    current, reference : DataFrame
        Samples of feature values, float64.
    judged : DataFrame or None
        ``label`` and ``risk`` of a mature cohort, for the classification.

    Returns
    -------
    dict
        ``html`` and ``json`` (paths), ``dead`` and ``rows``; or ``not_done``.
    """
    found = columns_of(current, reference)
    try:
        _run(current, reference, judged, found, folder, name, rules)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        reason = _said(error)
        finding = Finding(
            "evidently_failed", "tool", "tell", "data_scientist", window=name, figures={"reason": reason}
        )
        return {"not_done": reason, "dead": list(found.dead)}, finding
    paths = {shape: str(folder / f"{name}.{shape}") for shape in ("html", "json")}
    return {**paths, "dead": list(found.dead), "rows": [len(current), len(reference)]}, None


def _run(
    current: pd.DataFrame,
    reference: pd.DataFrame,
    judged: pd.DataFrame | None,
    found: Columns,
    folder: Path,
    name: str,
    rules: MonitoringSettings,
) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    order = {
        "numbers": found.numbers, "categories": found.categories, "psi": rules.psi,
        "wasserstein": rules.wasserstein, "jensen_shannon": rules.jensen_shannon,
        "html": str(folder / f"{name}.html"), "json": str(folder / f"{name}.json"),
    }  # fmt: skip
    # Through a pipe: values of pupils are written to no disk in clear.
    fed = json.dumps(order).encode() + b"\n" + _arrow(_both(current, reference, found, judged))
    environment = {**os.environ, "DO_NOT_TRACK": "true", "MPLBACKEND": "Agg"}
    subprocess.run(  # noqa: S603 – our own module, by our own interpreter
        [sys.executable, "-m", CHILD], input=fed, env=environment, check=True, capture_output=True,
        timeout=rules.evidently_seconds,
    )  # fmt: skip


def _both(
    current: pd.DataFrame, reference: pd.DataFrame, found: Columns, judged: pd.DataFrame | None
) -> pd.DataFrame:
    import pandas as pd

    names = [*found.numbers, *found.categories]
    parts = [current[names].assign(**{WINDOW: CURRENT}), reference[names].assign(**{WINDOW: REFERENCE})]
    if judged is not None and len(judged):
        parts.append(judged[["label", "risk"]].assign(**{WINDOW: "judged"}))
    return pd.concat(parts, ignore_index=True)


def _arrow(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    told: bytes = sink.getvalue().to_pybytes()
    return told


def _said(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took longer than {error.timeout:.0f} s"
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with exit code {error.returncode}"
    return str(error)
