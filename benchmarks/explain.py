"""Everybody explained: ours beside ``shap.TreeExplainer``, ``pred_contrib``, ``woodelf`` and prediction.

``python -m benchmarks.explain --rows 100000 --json``: a model of the champion's shape and ten random ones of
depth 4 to 6, or with ``--bundle DIR`` a trained champion on rows drawn from its own reference quantiles. All
take turns in one process, round after round, on the same threads; a ratio is taken within a round, and the
document holds the median over the rounds. ``woodelf`` knows one thread only and is compared on one; it
prepares itself anew for every call, so it gets all rows at once. ``pred_contrib`` and ``shap``, whose cost
per row does not depend on their number, get a hundredth. Processor seconds stand beside the wall's: on a
shared machine they are the steadier of the two.
"""

from __future__ import annotations

import json
import os
import platform
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import click
import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from risk_model.model.bundle import Bundle
from risk_model.model.loading import load
from risk_model.model.reference import LEVELS
from risk_model.model.trees import MODEL
from risk_model.shap_tables import PatternTables
from training.fit import ROUNDS, SHAPE

Matrix = NDArray[np.float64]
SHARE = {"ours": 1.0, "predict": 1.0, "woodelf": 1.0, "pred_contrib": 0.01, "shap": 0.01}
"""Of the rows each contestant explains; its time is per row."""
FEWEST = 300
TARGETS = {"shap": 50.0, "woodelf": 5.0, "predict": 1.0}
"""How many times faster ours has to be."""
PACKAGES = ("lightgbm", "numba", "numpy", "shap", "woodelf-explainer")


@dataclass(frozen=True)
class Contest:
    """One model and the rows to be explained."""

    name: str
    booster: lightgbm.Booster
    matrix: Matrix
    """(n, k)"""


def champion_shaped(rows: int, features: int = 90) -> Contest:
    """600 trees of depth 2, fitted as ``train`` does it, over made-up registers."""
    dice = np.random.default_rng(1)
    booster = _fitted(dice, features, SHAPE | {"seed": 1}, ROUNDS)
    return Contest("champion-shaped", booster, _registers(dice, rows, features))


def random_model(seed: int, rows: int, features: int = 40) -> Contest:
    """200 trees of depth 4, 5 or 6 with as many leaves as they may have."""
    dice = np.random.default_rng(seed)
    depth = 4 + seed % 3
    settings = {"objective": "binary", "max_depth": depth, "num_leaves": 2**depth, "learning_rate": 0.05}
    booster = _fitted(dice, features, settings | {"seed": seed}, 200)
    return Contest(f"random {seed}, depth {depth}", booster, _registers(dice, rows, features))


def trained_champion(folder: Path, rows: int) -> Contest:
    """A bundle's model, on rows that have its features' quantiles and nulls one by one."""
    bundle = load(folder)
    booster = lightgbm.Booster(model_file=str(folder / MODEL))
    return Contest(f"trained {bundle.digest[:12]}", booster, _like_reference(bundle, rows))


def measured(contest: Contest, threads: Sequence[int], rounds: int) -> dict[str, Any]:
    """Seconds, ratios and exactness of one contest."""
    started = perf_counter()
    tables = PatternTables.of(contest.booster)
    built = perf_counter() - started
    sample = contest.matrix[:500]
    wanted = contest.booster.predict(sample, pred_contrib=True)[:, :-1]
    return {
        "model": contest.name,
        "trees": contest.booster.num_trees(),
        "features": contest.matrix.shape[1],
        "lookups_per_row": len(tables.layout.member),
        "tables_mb": tables.layout.table.nbytes / 1e6,
        "seconds_to_build_tables": built,
        "largest_gap": float(np.abs(tables.explain(sample)[1] - wanted).max()),
        "threads": {str(count): _raced(contest, tables, count, rounds) for count in threads},
    }


def _raced(contest: Contest, tables: PatternTables, threads: int, rounds: int) -> dict[str, Any]:
    runs = {name: run for name, run in _contestants(contest, tables, threads).items() if run is not None}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    processor: dict[str, list[float]] = {name: [] for name in runs}
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap tells of an older shape of its answer
        for turn in range(rounds + 1):
            for name, run in runs.items():
                rows = max(FEWEST, int(SHARE[name] * len(contest.matrix))) if turn else FEWEST
                part = contest.matrix[:rows]
                wall, cpu = _timed(run, part)
                if turn:  # the first round warms up: code is loaded or compiled
                    seconds[name].append(wall / len(part))
                    processor[name].append(cpu / len(part))
    return {
        "microseconds_per_row": {name: 1e6 * median(found) for name, found in seconds.items()},
        "processor_microseconds_per_row": {name: 1e6 * median(found) for name, found in processor.items()},
        "times_faster": _ratios(seconds),
        "times_less_processor": _ratios(processor),
    }


def _contestants(
    contest: Contest, tables: PatternTables, threads: int
) -> dict[str, Callable[[Matrix], object] | None]:
    import shap
    from woodelf import WoodelfExplainer
    from woodelf.core.trees.parse_models import load_decision_tree_ensemble_model

    booster = contest.booster
    names = booster.feature_name()
    explainer = shap.TreeExplainer(booster)
    parsed = load_decision_tree_ensemble_model(booster, names)
    woodelf = WoodelfExplainer(parsed, feature_perturbation="tree_path_dependent") if threads == 1 else None
    return {
        "ours": lambda rows: tables.explain(rows, threads),
        "predict": lambda rows: booster.predict(rows, raw_score=True, num_threads=threads),
        "woodelf": woodelf
        and (lambda rows: woodelf.shap_values(pd.DataFrame(rows, columns=names), verbose=False)),
        "pred_contrib": lambda rows: booster.predict(rows, pred_contrib=True, num_threads=threads),
        "shap": lambda rows: explainer.shap_values(rows),
    }


def _timed(run: Callable[[Matrix], object], rows: Matrix) -> tuple[float, float]:
    wall, cpu = perf_counter(), process_time()
    run(rows)
    return perf_counter() - wall, process_time() - cpu


def _ratios(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Median over the rounds of each contestant's time over ours."""
    ours = seconds["ours"]
    return {
        name: median(other / own for other, own in zip(found, ours, strict=True))
        for name, found in seconds.items()
        if name != "ours"
    }


def _fitted(
    dice: np.random.Generator, features: int, settings: Mapping[str, Any], rounds: int
) -> lightgbm.Booster:
    x = _registers(dice, 20_000, features)
    weight = dice.normal(size=features) * (dice.random(features) < 0.5) * 0.4
    margin = np.nan_to_num(x) @ weight + 0.3 * np.nan_to_num(x[:, 2] * x[:, 3])
    left = dice.random(len(x)) < 1 / (1 + np.exp(3 + margin.mean() - margin))
    names = [f"f{column}" for column in range(features)]
    data = lightgbm.Dataset(x, left.astype(int), feature_name=names)
    return lightgbm.train({**settings, "num_threads": 1, "verbose": -1}, data, rounds)


def _registers(dice: np.random.Generator, rows: int, features: int) -> Matrix:
    """A fifth yes or no, a fifth counts, the rest skewed amounts; 5 % nulls."""
    x = dice.gamma(1.0, 1.0, (rows, features))
    x[:, ::5] = x[:, ::5] > 1
    x[:, 1::5] = np.floor(4 * x[:, 1::5])
    x[dice.random(x.shape) < 0.05] = np.nan
    return x


def _like_reference(bundle: Bundle, rows: int) -> Matrix:
    dice = np.random.default_rng(1)
    x = np.full((rows, len(bundle.features)), np.nan)
    for column, name in enumerate(bundle.features):
        known = bundle.manifest.reference.get(name)
        if known is not None and known.quantiles:
            drawn = np.interp(dice.random(rows), LEVELS, known.quantiles)
            x[:, column] = np.where(dice.random(rows) < known.null_share, np.nan, drawn)
    return x


def _document(contests: Sequence[dict[str, Any]], rows: int, rounds: int) -> dict[str, Any]:
    worst = {
        name: min(
            one["threads"][count]["times_faster"][name]
            for one in contests
            for count in one["threads"]
            if name in one["threads"][count]["times_faster"]
        )
        for name in TARGETS
    }
    machine = {"processors": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()}
    return {
        "machine": machine | {name: version(name) for name in PACKAGES},
        "rows": rows,
        "rounds": rounds,
        "targets_times_faster": TARGETS,
        "worst_times_faster": worst,
        "met": {name: worst[name] >= TARGETS[name] for name in TARGETS},
        "models": list(contests),
    }


@click.command()
@click.option("--rows", default=100_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--models", default=10, show_default=True, help="Random models beside the champion's shape.")
@click.option("--threads", default="1,2", show_default=True)
@click.option("--bundle", type=click.Path(exists=True, path_type=Path), help="A trained champion instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(rows: int, rounds: int, models: int, threads: str, bundle: Path | None, as_json: bool) -> None:
    """Time exact explanations of everybody, side by side."""
    counts = [int(count) for count in threads.split(",")]
    if bundle is not None:
        contests = (trained_champion(folder, rows) for folder in [bundle])
    else:
        made = [
            champion_shaped,
            *(lambda rows, seed=seed: random_model(seed, rows) for seed in range(models)),
        ]
        contests = (make(rows) for make in made)
    found = []
    for contest in contests:
        found.append(measured(contest, counts, rounds))
        if not as_json:
            _print(found[-1])
    if as_json:
        print(json.dumps(_document(found, rows, rounds)))


def _print(found: dict[str, Any]) -> None:
    print(f"{found['model']}: {found['lookups_per_row']} lookups, gap {found['largest_gap']:.1e}", flush=True)
    for count, one in found["threads"].items():
        own = one["microseconds_per_row"]["ours"]
        ratios = ", ".join(f"{name} {times:.1f}" for name, times in one["times_faster"].items())
        print(f"  {count} threads: {own:.2f} µs a row; times faster: {ratios}", flush=True)


if __name__ == "__main__":
    main()
