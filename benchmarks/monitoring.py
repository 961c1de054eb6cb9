"""``python -m benchmarks.monitoring [PUPILS]``: profile and comparison of a night, everybody, all features.

Values are made up; the functions are those of ``monitor``. Beside them, in the same run, Evidently over a
sample of as many rows as ``monitor`` gives it, and, asked for by ``--evidently-rows``, over more.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from monitoring.drift.comparing import compare
from monitoring.drift.profile import Profile, column_profiles, counted, load_facts, of_array
from monitoring.evidently.making import make
from monitoring.quality.columns import judge_columns, outside_of
from risk_model.features.declared import FEATURE_NAMES
from risk_model.lake.attaching import connect
from risk_model.run_evidence import PartFacts
from risk_model.settings import MonitoringSettings, Settings

BATCH = 100_000


def night(pupils: int, seed: int) -> Iterator[PartFacts]:
    """Values and contributions of everybody, a batch at a time: flags, counts and measures in turn."""
    dice = np.random.default_rng(seed)
    for start in range(0, pupils, BATCH):
        rows = min(BATCH, pupils - start)
        values = dice.normal(size=(rows, len(FEATURE_NAMES)))
        values[:, ::3] = np.round(np.abs(values[:, ::3]) * 3)
        values[dice.random(rows) < 0.1, ::5] = np.nan
        yield PartFacts(np.arange(rows), values, values * 0.1)


def main(pupils: int = 1_000_000, evidently_rows: int = 5_000) -> None:
    """Measure, and print one JSON document."""
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
        started = perf_counter()
        samples = [
            pd.DataFrame(next(night(evidently_rows, seed)).values, columns=FEATURE_NAMES) for seed in (1, 2)
        ]
        made_by, _ = make(*samples, None, Path(folder) / "evidently", "night", rules)
        told |= {"evidently_seconds": perf_counter() - started, "evidently": made_by.get("rows") or made_by}
    print(json.dumps(told))


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


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
