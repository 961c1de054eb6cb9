"""``python -m benchmarks.evidently_everybody [PUPILS…]``: our drift beside Evidently over everybody.

At each size, in the same run: our profile, comparison and quality of columns over all made-up pupils × all
features, and Evidently's report (drift and summary, as ``monitor`` asks for) over all of the same values;
first its report over the sample of ``monitor``. Each is a process of its own, whose seconds, processor
seconds and peak memory are told. A size at which Evidently would, in a straight line from the sizes before,
hold more than ``--most-memory`` is not begun, and ``stopped_before`` tells it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np
import pandas as pd

from benchmarks.monitoring import night, own
from benchmarks.nightly import peak_memory
from monitoring.evidently.making import make
from risk_model.features.declared import FEATURE_NAMES
from risk_model.settings import MonitoringSettings

MEASURED = ("seconds", "cpu_seconds", "peak_memory_mb")


def beside(pupils: int) -> dict[str, Any]:
    """Both at one size, and Evidently's figures over ours."""
    ours, theirs = _ours(pupils), _evidently(pupils)
    return {"pupils": pupils, "own": ours, "evidently": theirs, "load": os.getloadavg()[0],
            "ratio": {name: theirs[name] / ours[name] for name in MEASURED}}  # fmt: skip


def _measured(work: Callable[[], None]) -> dict[str, float]:
    """What the processes begun by ``work`` cost together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = perf_counter()
    with peak_memory() as peak:
        work()
    seconds = perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_memory_mb": peak[0]}


def _ours(pupils: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.evidently_everybody", "--own", str(pupils)]
    return _measured(lambda: subprocess.run(command, check=True))


def _evidently(pupils: int) -> dict[str, float]:
    rules = MonitoringSettings(evidently_seconds=3600)
    sides = [_values(pupils, seed) for seed in (1, 2)]

    def report() -> None:
        with tempfile.TemporaryDirectory() as folder:
            told, failed = make(*sides, None, Path(folder), "everybody", rules)
        if failed is not None:
            raise SystemExit(f"Evidently over {pupils} pupils: {told['not_done']}")

    return _measured(report)


def _values(pupils: int, seed: int) -> pd.DataFrame:
    values = np.concatenate([part.values for part in night(pupils, seed)])
    return pd.DataFrame(values, columns=list(FEATURE_NAMES))


def _expected(steps: list[dict[str, Any]], pupils: int) -> float:
    """Megabytes Evidently would hold at ``pupils``, from what it held before."""
    rows = [step["pupils"] for step in steps]
    held = [step["evidently"]["peak_memory_mb"] for step in steps]
    slope, level = np.polyfit(rows, held, 1) if len(steps) > 1 else (0.0, 0.0)
    return float(slope * pupils + level)


@click.command()
@click.argument("sizes", nargs=-1, type=int)
@click.option("--most-memory", default=8_000.0, show_default=True, help="MB Evidently may hold.")
@click.option("--own", "alone", type=int, help="Ours alone over so many pupils, in this process.")
def main(sizes: tuple[int, ...], most_memory: float, alone: int | None) -> None:
    """Measure, and print one JSON document."""
    if alone is not None:
        own(alone)
        return
    steps: list[dict[str, Any]] = []
    told: dict[str, Any] = {"features": len(FEATURE_NAMES), "steps": steps, "stopped_before": None}
    for pupils in (MonitoringSettings().evidently_rows, *(sizes or (100_000, 1_000_000))):
        expected = _expected(steps, pupils)
        if expected > most_memory:
            told["stopped_before"] = {"pupils": pupils, "expected_memory_mb": expected}
            told["own_there"] = _ours(pupils)
            break
        steps.append(beside(pupils))
        print(json.dumps(steps[-1]), file=sys.stderr)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
