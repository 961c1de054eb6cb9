"""Fit the trees: shallow, monotone where the declaration says so, and the same bytes every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.features.feature import Feature
from risk_model.settings import TrainingSettings

if TYPE_CHECKING:
    import lightgbm as lgb

ROUNDS = 600
"""Fixed, not stopped early: a later slice inside the training slice holds too few leavers to stop on,
and it would cost the trees their latest snapshots."""

SHAPE: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "max_depth": 2,
    "num_leaves": 4,
    "min_data_in_leaf": 50,
    "min_sum_hessian_in_leaf": 1.0,
    "lambda_l2": 10.0,
    "feature_fraction": 0.12,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "max_bin": 127,
}
"""Many small, strongly regularised trees: a county has a few hundred leavers in its history, each seen
in up to three overlapping snapshots. docs/model.md compares the settings."""

FURTHEST = 30.0
"""Rounds × rate at which trees that are stopped early end at the latest; the default comes to 18."""
PATIENCE = 1.5
"""…and how many rounds × rate they go on although the later slice is not foretold better."""
SHORTEST_PATIENCE = 20
MINIMUM_LATER_POSITIVES = 150
"""Leavers the later slice needs to stop on; with fewer, rounds × rate are as by default. On about a hundred
the default's trees stopped anywhere between 120 and 820 rounds, and foretold new days no better for it."""


@dataclass(frozen=True)
class Rows:
    """Labelled rows in the order of snapshot and student_id."""

    x: NDArray[np.float32]
    """(n, k), one column per feature; NaN is null."""
    y: NDArray[np.int8]
    weight: NDArray[np.float64]
    """How many rows of the cohort a row stands for; negatives are sampled."""
    pupils: pd.DataFrame
    """snapshot, student_id, school_id, grade; n rows."""

    @property
    def positives(self) -> int:
        return int(self.y.sum())

    @classmethod
    def concatenated(cls, first: Rows, second: Rows) -> Rows:
        """The rows of both, in this order."""
        return cls(
            np.concatenate([first.x, second.x]),
            np.concatenate([first.y, second.y]),
            np.concatenate([first.weight, second.weight]),
            pd.concat([first.pupils, second.pupils], ignore_index=True),
        )


def fit_trees(
    rows: Rows,
    features: Sequence[Feature],
    settings: TrainingSettings,
    changes: Mapping[str, Any] | None = None,
    later: Rows | None = None,
) -> lgb.Booster:
    """Fit the trees on the rows of the fitting slice; ``changes`` replace parts of ``SHAPE``.

    With a ``later`` slice there are as many rounds as foretell it best, else ``ROUNDS``. Same rows,
    features and seed give the same ``model_to_string()`` to the last byte, on any machine: the trees
    are grown on one thread.
    """
    import lightgbm as lgb

    told = parameters(features, settings) | dict(changes or {})
    data = lgb.Dataset(
        rows.x,
        label=rows.y,
        weight=rows.weight,
        feature_name=[feature.name for feature in features],
        params={"max_bin": told["max_bin"], "verbose": -1, "feature_pre_filter": False},
    )
    if later is None:
        return lgb.train(told, data, num_boost_round=ROUNDS)
    if not stops_early(later):
        rounds = round(ROUNDS * SHAPE["learning_rate"] / told["learning_rate"])
        return lgb.train(told, data, num_boost_round=rounds)
    return _stopped(told, data, rows, later)


def stops_early(later: Rows) -> bool:
    """Whether a later slice holds leavers enough to stop on."""
    return later.positives >= MINIMUM_LATER_POSITIVES


def _stopped(told: dict[str, Any], data: lgb.Dataset, rows: Rows, later: Rows) -> lgb.Booster:
    import lightgbm as lgb

    patience = max(SHORTEST_PATIENCE, round(PATIENCE / told["learning_rate"]))
    judged = lgb.Dataset(later.x, label=later.y, weight=_at_the_rate_of(rows, later), reference=data)
    booster = lgb.train(
        told | {"metric": "binary_logloss"},
        data,
        num_boost_round=round(FURTHEST / told["learning_rate"]),
        valid_sets=[judged],
        callbacks=[lgb.early_stopping(patience, verbose=False)],
    )
    best: str = booster.model_to_string(num_iteration=booster.best_iteration)
    return lgb.Booster(model_str=best)  # whoever reads it meets no round beyond the best


def _at_the_rate_of(rows: Rows, later: Rows) -> NDArray[np.float64]:
    """Weights of ``later`` with as large a share of leavers as ``rows``.

    The later slice is of another season, and the calibration puts its level right anyway; without this
    the trees would be stopped for what is no fault of theirs.
    """
    here, there = (_odds(part) for part in (rows, later))
    return np.where(later.y == 1, later.weight * here / there, later.weight)


def _odds(rows: Rows) -> float:
    left = float(rows.weight @ rows.y)
    return left / (float(rows.weight.sum()) - left)


def parameters(features: Sequence[Feature], settings: TrainingSettings) -> dict[str, Any]:
    """Everything LightGBM is told; recorded with the run."""
    return SHAPE | {
        "monotone_constraints": [feature.direction for feature in features],
        "monotone_constraints_method": "basic",
        "seed": settings.seed % 2**31,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,  # two threads wait for each other longer than they work; test days run side by side
        "feature_pre_filter": False,
        "verbose": -1,
    }


def margins(booster: lgb.Booster, x: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Raw log-odds, (n,), before calibration."""
    return np.asarray(booster.predict(x, raw_score=True), dtype=np.float64)
