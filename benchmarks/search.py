"""What a search for better numbers brings on test days it has not seen.

``python -m benchmarks.search HOME [--budget 5m] [--json]`` searches as ``train --budget`` would, and lets the
default and the best other trial – taken or not – score everybody of the backtest's days. Trials are kept in
memory: nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from risk_model.command.surface import Office
from risk_model.evaluation.judged import Judged
from risk_model.evaluation.paired import paired_difference
from risk_model.evaluation.pooled import pooled
from risk_model.features.declared import FEATURES
from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.settings import Settings
from training.backtest import fit_model, material
from training.commands import BudgetType
from training.search.searching import Budget, Given, Searched, search
from training.snapshots import Snapshots
from training.splits import Plan, plan, snapshot_days
from training.watch import Watch

DEFAULT, OTHER = "default", "other"
FIGURES = ("roc_auc", "log_loss", "brier", "calibration_slope", "expected_over_observed", "recall_at")


def looked_back(lake: Any, settings: Settings, watch: Watch) -> tuple[Snapshots, Plan]:
    """The snapshots of a training as of the latest day, with their features."""
    as_of, first = lake.latest_recorded_on(), lake.first_day()
    gap = settings.labels.horizon_days + settings.labels.reporting_lag_days
    days = snapshot_days(first, as_of, settings.training.snapshot_every_days, gap)
    snapshots = Snapshots(lake, settings, FEATURES)
    with watch.stage("features", "Looking back", len(days)) as advance:
        for day in days:
            snapshots.add(day)
            advance(1)
    return snapshots, plan(days, as_of, gap, settings.training.test_snapshots)


def best_other(found: Searched) -> Mapping[str, Any]:
    """The numbers of the trial of least mean regret beside the default."""
    best = min(found.runs[1:], key=lambda run: run.metrics["regret"]["mean"])
    return {name: value for name, value in best.params.items() if name != "trial"}


def on_test_days(given: Given, numbers: Mapping[str, Any], as_of: Any) -> dict[str, Any]:
    """Figures of the default and of ``numbers`` over the test days, and the difference of their recalls."""
    parts = []
    for split in given.plan.tests:
        given.source.label_as_known_on(split.known_on, split.days)
        rows, everybody = material(given.source, split), given.source.everybody(split.known_on)
        risks = {
            name: fit_model(rows, FEATURES, given.settings.training, told).predict(everybody.x)
            for name, told in ((DEFAULT, None), (OTHER, numbers))
        }
        parts.append(everybody.pupils.assign(snapshot=pd.Timestamp(split.known_on), **risks))
    days = [split.known_on for split in given.plan.tests]
    given.source.label_as_known_on(as_of, days)
    labels = given.source.labels(days)[["snapshot", "student_id", "label"]]
    labels = labels.astype({"snapshot": "datetime64[us]", "label": "float64"})
    told = pd.concat(parts).astype({"snapshot": "datetime64[us]"}).merge(labels).dropna(subset="label")
    default, other = (_judged(told, name) for name in (DEFAULT, OTHER))
    return {
        "positives": int(told["label"].sum()),
        DEFAULT: _figures(default),
        OTHER: _figures(other),
        "recall_gained": paired_difference(other, default),
    }


def _judged(told: pd.DataFrame, name: str) -> Judged:
    return Judged(
        told["label"].to_numpy(), told[name].to_numpy(np.float64), told["school_id"], told["snapshot"]
    )


def _figures(judged: Judged) -> dict[str, Any]:
    measured = pooled(judged, samples=0)
    return {name: measured[name] for name in FIGURES}


@click.command()
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--budget", type=BudgetType(), default="5m", show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(home: Path, budget: float, as_json: bool) -> None:
    """Search in HOME and judge the outcome on the test days."""
    office = Office(Home(home.resolve()), Home(home.resolve()).config)
    with office.accounts() as accounts, open_lake(office.home, office.settings) as lake:
        watch = Watch(accounts)
        snapshots, planned = looked_back(lake, office.settings, watch)
        given = Given(snapshots, planned, FEATURES, office.settings)
        with watch.stage("search", "Searching", int(budget)) as advance:
            found = search(given, Budget(budget), None, {}, advance)
        if len(found.runs) < 2:
            raise click.ClickException(f"Nothing to compare: {found.not_done or 'one trial alone'}")
        numbers = best_other(found)
        judged = on_test_days(given, numbers, lake.latest_recorded_on())
    document = {"search": found.document, "other": numbers, "test_days": judged, "stages": watch.stages}
    print(json.dumps(document, indent=None if as_json else 1, default=float))


if __name__ == "__main__":
    main()
