"""Real data, the whole way: OULAD's registers imported, trained on 2013, scored on AAA 2014J.

``python -m benchmarks.oulad DIR_OF_OULAD --json``. The mapping into registers is documented in
``benchmarks/oulad_registers.py``. The model is trained on the two 2013 presentations as they were known on
30 September 2014; ``dropout-risk score`` then scores AAA 2014J on its day 28 and day 56, and the scores are
held against who withdrew, and against a logistic regression on the same features and rows.
"""

from __future__ import annotations

import csv
import json
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.oulad_registers import STARTS, write_registers
from benchmarks.whole_way import run_stage

TRAINED_ON = date(2014, 9, 30)
HORIZON_DAYS = 90
SNAPSHOTS = tuple(
    date.fromisoformat(STARTS[presentation]) + timedelta(days=day)
    for presentation, days in {"2013B": (28, 56, 84, 112), "2013J": (28, 42, 168, 182, 196)}.items()
    for day in days
)
"""The first two months of both presentations are fitted on; the gap of 118 days leaves the last of 2013J to
calibrate on. None lies within a fortnight of a year before ``TRAINED_ON``, where the calibration slice would
begin and take all of 2013J from the trees."""
TESTED = "AAA-2014J"
TEST_DAYS = (28, 56)
SAMPLES = 2000


@dataclass(frozen=True)
class Tested:
    """Pupils of one test day: who left within the horizon, who ever did, and what was said before."""

    left: NDArray[np.bool_]
    left_ever: NDArray[np.bool_]
    model: NDArray[np.float64]
    logistic: NDArray[np.float64]


def measure(source: Path, home: Path) -> dict[str, Any]:
    """Import, train, score and judge; every figure with its 95 % interval over pupils."""
    home.mkdir(parents=True, exist_ok=True)
    rows = write_registers(source, home / "registers")
    run_stage(home, "import", str(home / "registers"))
    days = ",".join(day.isoformat() for day in SNAPSHOTS)
    trained = run_stage(
        home, "train", "--snapshots", days, "--label", "dropped_out", "--as-of", TRAINED_ON.isoformat(),
        "--promote", "force",
    ).document  # fmt: skip
    logistic = Regression(home)
    start = date.fromisoformat(STARTS[TESTED.split("-")[1]])
    tests = {
        f"day {day}": judge(tested(source, home, start + timedelta(days=day), logistic)) for day in TEST_DAYS
    }
    return {
        "rows": rows,
        "trained": {key: trained[key] for key in ("version", "labels", "gate")},
        "tests": tests,
    }


class Regression:
    """The logistic regression of ``training.baselines`` on the same features, rows and slices."""

    def __init__(self, home: Path) -> None:
        from risk_model.features.declared import FEATURES
        from risk_model.home import Home
        from risk_model.lake.reading import open_lake
        from risk_model.settings import Settings
        from training.baselines import fit_regression
        from training.snapshots import Snapshots
        from training.splits import split_at

        plain = Settings()
        rules = plain.labels.model_copy(update={"components": ("dropped_out",), "horizon_days": HORIZON_DAYS})
        settings = plain.model_copy(update={"labels": rules})
        with open_lake(Home(home), settings) as lake:
            snapshots = Snapshots(lake, settings, FEATURES)
            for day in SNAPSHOTS:
                snapshots.add(day)
            split = split_at(TRAINED_ON, SNAPSHOTS, HORIZON_DAYS + rules.reporting_lag_days)
            if split is None:
                raise SystemExit("the 2013 presentations give no training and calibration slices")
            snapshots.label_as_known_on(TRAINED_ON, split.days)
            self.fitted = fit_regression(snapshots.rows(split.fit), snapshots.rows(split.calibration))
        self.home, self.settings = Home(home), settings
        self.names = [feature.name for feature in FEATURES]

    def predict(self, day: date) -> pd.Series:
        """Risk by student_id of everybody scored on ``day``."""
        from risk_model.features.snapshot import snapshot_frame
        from risk_model.lake.reading import open_lake

        with open_lake(self.home, self.settings) as lake:
            frame = snapshot_frame(lake, day, self.settings)
        scored = frame[frame["status"] == "scored"]
        risk = self.fitted.predict(scored[self.names].to_numpy(np.float32), scored)
        return pd.Series(risk, index=scored["student_id"].to_numpy())


def tested(source: Path, home: Path, day: date, logistic: Regression) -> Tested:
    """Score ``day`` with the real command and hold it against who withdrew after it."""
    run_stage(home, "score", "--as-of", day.isoformat(), "--republish")
    listed = run_stage(home, "lists", "--all", "--unit", f"school:{TESTED}").document
    risk = pd.Series({row["student_id"]: row["risk"] for row in listed if row["risk"] is not None})
    left_on = pd.Series(withdrawals(source)).reindex(risk.index)
    left_on = pd.to_datetime(left_on)
    left = (left_on > pd.Timestamp(day)) & (left_on <= pd.Timestamp(day + timedelta(days=HORIZON_DAYS)))
    return Tested(
        left.to_numpy(), (left_on > pd.Timestamp(day)).to_numpy(), risk.to_numpy(np.float64),
        logistic.predict(day).reindex(risk.index).to_numpy(np.float64),
    )  # fmt: skip


def withdrawals(source: Path) -> dict[str, date]:
    """Day of unregistration by pupil of the tested presentation, from OULAD's own table."""
    module, presentation = TESTED.split("-")
    start = date.fromisoformat(STARTS[presentation])
    with (source / "studentRegistration.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["code_module"] == module]
    return {
        row["id_student"]: start + timedelta(days=int(float(row["date_unregistration"])))
        for row in rows
        if row["code_presentation"] == presentation and row["date_unregistration"]
    }


def judge(test: Tested) -> dict[str, Any]:
    """AUC of both and their difference, for leaving within the horizon and for leaving at all."""
    return {
        "students": len(test.left),
        "left_within_90_days": compared(test.left, test),
        "left_later": compared(test.left_ever, test),
    }


def compared(left: NDArray[np.bool_], test: Tested) -> dict[str, Any]:
    """Both AUCs, their difference and the recall of the highest tenth, with bootstrap intervals."""
    from sklearn.metrics import roc_auc_score

    draws = np.random.default_rng(20260901)
    figures = []
    for number in range(SAMPLES + 1):
        rows = np.arange(len(left)) if number == 0 else draws.integers(0, len(left), len(left))
        if 0 < left[rows].sum() < len(rows):
            ours, theirs = (roc_auc_score(left[rows], said[rows]) for said in (test.model, test.logistic))
            figures.append((ours, theirs, ours - theirs))
    point, samples = figures[0], np.array(figures[1:])
    low, high = np.quantile(samples, [0.025, 0.975], axis=0)
    names = ("model_roc_auc", "logistic_roc_auc", "difference")
    found = {name: {"value": point[i], "low": low[i], "high": high[i]} for i, name in enumerate(names)}
    return {"positives": int(left.sum()), **found}


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(source: Path, as_json: bool) -> None:
    """Measure on the OULAD files in SOURCE."""
    with tempfile.TemporaryDirectory(prefix="oulad-") as folder:
        document = measure(source, Path(folder) / "home")
    print(json.dumps(document, indent=None if as_json else 2, default=float))


if __name__ == "__main__":
    main()
