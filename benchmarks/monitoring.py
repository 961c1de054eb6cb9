"""``python -m benchmarks.monitoring [PUPILS]``: profile and comparison of a night, everybody, all features.

Values are made up; the functions are those of ``monitor``. Beside them, in the same run, Evidently over a
sample of as many rows as ``monitor`` gives it, or as ``--evidently-rows`` asks for; over everybody:
:mod:`benchmarks.evidently_everybody`.

``--whole HOME`` measures the real command instead, in a home with scored nights (``benchmarks.nightly
FOLDER`` leaves one in ``FOLDER/tonight``), twice; ``--forget-cohorts`` lets the first judge all that has
matured, as on the first night of all. ``--evidently-everybody`` adds Evidently's own report over ever more
pupils of the last two nights, up to all of them or until its process holds half of ``--most-memory``; beyond
that the last two steps are continued in a straight line, and ``measured_whole`` is false.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np
import pandas as pd

from benchmarks.nightly import peak_memory
from benchmarks.whole_way import run_stage
from monitoring.drift.comparing import compare
from monitoring.drift.profile import Profile, column_profiles, counted, load_facts, of_array
from monitoring.evidently.making import make
from monitoring.quality.columns import judge_columns, outside_of
from monitoring.runs import open_service
from risk_model.features.declared import FEATURE_NAMES
from risk_model.home import Home
from risk_model.lake.attaching import connect
from risk_model.lake.reading import open_lake
from risk_model.run_evidence import PartFacts, values_of_some
from risk_model.settings import MonitoringSettings, Settings, load_settings

BATCH = 100_000
FIRST_STEP = 10_000
MEASURED = ("seconds", "cpu_seconds", "peak_memory_mb")


def night(pupils: int, seed: int) -> Iterator[PartFacts]:
    """Values and contributions of everybody, a batch at a time: flags, counts and measures in turn."""
    dice = np.random.default_rng(seed)
    for start in range(0, pupils, BATCH):
        rows = min(BATCH, pupils - start)
        values = dice.normal(size=(rows, len(FEATURE_NAMES)))
        values[:, ::3] = np.round(np.abs(values[:, ::3]) * 3)
        values[dice.random(rows) < 0.1, ::5] = np.nan
        yield PartFacts(np.arange(rows), values, values * 0.1)


def own(pupils: int) -> dict[str, Any]:
    """Own drift and quality of columns over made-up values."""
    rules, told = MonitoringSettings(), {"pupils": pupils, "features": len(FEATURE_NAMES)}
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(Settings(memory_limit="1500MB"), Path(folder)) as con,
    ):
        made = list(_profiles(con, pupils, told))
        started = perf_counter()
        reference, tonight = made
        counts = counted(con, {name: column.edges for name, column in reference.columns.items()})
        compare(tonight, reference, counts, reference.risk.counts, rules)
        judge_columns(tonight, reference, outside_of(con, tonight, reference), rules)
        told["comparison_seconds"] = perf_counter() - started
        told["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return told


def parts(pupils: int, evidently_rows: int) -> dict[str, Any]:
    """The same, and Evidently over a sample."""
    told = own(pupils)
    started = perf_counter()
    samples = [
        pd.DataFrame(next(night(evidently_rows, seed)).values, columns=FEATURE_NAMES) for seed in (1, 2)
    ]
    with tempfile.TemporaryDirectory() as folder:
        made_by, _ = make(*samples, None, Path(folder), "night", MonitoringSettings())
    return told | {
        "evidently_seconds": perf_counter() - started, "evidently": made_by.get("rows") or made_by
    }  # fmt: skip


def whole(home: Home, *, forget_cohorts: bool = False) -> dict[str, Any]:
    """The real ``monitor`` in ``home``, twice: first with what has matured, then as on any night."""
    if forget_cohorts:
        shutil.rmtree(home.monitoring / "cohorts", ignore_errors=True)
    return {"machine": {"processors": os.cpu_count(), "python": platform.python_version()},
            "first": _monitored(home), "again": _monitored(home)}  # fmt: skip


def _monitored(home: Home) -> dict[str, Any]:
    with peak_memory() as peak:
        stage = run_stage(home.folder, "monitor")
    told = stage.document
    own = [told["stages"][name] for name in ("quality", "drift")]
    return {
        "as_of": told["as_of"], "students": told["students"], "seconds": stage.seconds,
        "cpu_seconds": stage.cpu_seconds, "peak_memory_mb": peak[0], "by_stage": told["seconds"],
        "evidently": told["evidently"], "load": os.getloadavg()[0],
        "own": {"seconds": sum(one["seconds"] for one in own),
                "peak_memory_mb": max(one["peak_memory_mb"] for one in own)},
    }  # fmt: skip


def evidently_everybody(home: Home, most_memory_mb: float) -> dict[str, Any]:
    """Evidently over the newest night beside the one before, twice as many pupils at each step.

    The columns are those of ``monitor``; its process alone is measured, all its memory and processor seconds.
    """
    settings = load_settings(home.config)
    rules = settings.monitoring.model_copy(update={"evidently_seconds": 3600})
    with open_service(home, settings) as service:
        runs = service.runs(date.max)
        pupils = min(service.pupils(run) for run in runs[-2:])
    steps: list[dict[str, float]] = []
    rows, held = FIRST_STEP, 0.0
    with open_lake(home, settings) as lake, tempfile.TemporaryDirectory() as folder:
        while not steps or (steps[-1]["rows"] < pupils and 2 * held <= most_memory_mb):
            values = [values_of_some(lake.con, home, run.key, min(rows, pupils)) for run in runs[-2:]]
            sides = [pd.DataFrame(value, columns=list(runs[-1].features)) for value in values]
            steps.append(_evidently(sides, Path(folder), rules))
            print(json.dumps(steps[-1]), file=sys.stderr)
            held, rows = steps[-1]["peak_memory_mb"], 2 * rows
    return {"steps": steps, "pupils": pupils, "measured_whole": steps[-1]["rows"] >= 0.99 * pupils,
            "everybody": {name: _continued(steps, name, pupils) for name in MEASURED}}  # fmt: skip


def _evidently(sides: list[pd.DataFrame], folder: Path, rules: MonitoringSettings) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = perf_counter()
    with peak_memory() as peak:
        told, failed = make(sides[1], sides[0], None, folder, "everybody", rules)
    if failed is not None:
        raise SystemExit(f"Evidently over {len(sides[1])} pupils: {told['not_done']}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = perf_counter() - started
    return {"rows": len(sides[1]), "seconds": seconds, "cpu_seconds": cpu, "peak_memory_mb": peak[0]}


def _continued(steps: list[dict[str, float]], name: str, pupils: int) -> float:
    """A figure at ``pupils``: the last one, or the line through the last two gone on with.

    >>> _continued([{"rows": 10, "s": 3.0}, {"rows": 20, "s": 4.0}], "s", 100)
    12.0
    """
    last = steps[-1]
    if len(steps) == 1 or last["rows"] >= pupils:
        return last[name]
    slope = (last[name] - steps[-2][name]) / (last["rows"] - steps[-2]["rows"])
    return last[name] + slope * (pupils - last["rows"])


def _profiles(con, pupils: int, told: dict) -> Iterator[Profile]:
    """The reference, then tonight, whose seconds are told; making the values is not counted."""
    for seed in (1, 2):
        parts = night(pupils, seed)
        waiting, started = 0.0, perf_counter()

        def timed(parts=parts) -> Iterator[PartFacts]:
            nonlocal waiting
            while True:
                began = perf_counter()
                part = next(parts, None)
                waiting += perf_counter() - began
                if part is None:
                    return
                yield part

        rows, importance = load_facts(con, timed(), FEATURE_NAMES)
        columns = column_profiles(con, FEATURE_NAMES)
        risk = of_array(np.random.default_rng(seed).beta(1, 60, pupils))
        told["profile_seconds"] = perf_counter() - started - waiting
        yield Profile(date(2026, 3, 2), "run", "d", "1", rows, columns, risk, importance)


@click.command()
@click.argument("pupils", default=1_000_000)
@click.option("--evidently-rows", default=5_000, show_default=True, help="Made-up pupils for Evidently.")
@click.option("--whole", "home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--forget-cohorts", is_flag=True, help="With --whole: judge all cohorts anew.")
@click.option("--evidently-everybody", "everybody", is_flag=True, help="With --whole: Evidently over all.")
@click.option("--most-memory", default=3_000.0, show_default=True, help="MB that may be held by it.")
def main(
    pupils: int,
    evidently_rows: int,
    home: Path | None,
    forget_cohorts: bool,
    everybody: bool,
    most_memory: float,
) -> None:
    """Measure, and print one JSON document."""
    if home is None:
        print(json.dumps(parts(pupils, evidently_rows)))
        return
    told = whole(Home(home), forget_cohorts=forget_cohorts)
    if everybody:
        print(json.dumps(told), file=sys.stderr)  # the rest may take long
        told["evidently_everybody"] = evidently_everybody(Home(home), most_memory)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
