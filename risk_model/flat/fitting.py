"""Both parts and their blend, fitted on a table of numbers; the blend on rows the parts have not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import UsageError
from risk_model.flat.columns import Columns, Design, Matrix
from risk_model.flat.parts import (
    Blend,
    BoostedPart,
    Labels,
    LinearPart,
    fit_blend,
    fit_boosted,
    fit_linear,
)

FOLDS = 5
LEARNING_RATE = 0.03
DEEPER_FROM = 500
"""So many rows of the rarer class before trees of depth 3 pay; below, depth 2."""
LARGEST_LEAF = 8
"""A leaf must hold an eighth of a small table at most, or nothing could be split."""
PULL = 5.0
"""Rows' worth of belief that the trees alone are right; see :func:`risk_model.flat.parts.fit_blend`."""


LIMITS: dict[str, tuple[float, float]] = {
    "max_depth": (1, 16),
    "rounds": (1, 100_000),
    "min_samples_leaf": (1, 1_000_000),
    "reg_lambda": (0.0, 1e9),
    "column_share": (1e-6, 1.0),
    "row_share": (1e-6, 1.0),
    "linear_strength": (1e-9, 1e9),
}
"""Least and greatest value of every number of a :class:`Shape`; whole numbers where the limits are."""


@dataclass(frozen=True)
class Shape:
    """What the estimator's constructor was told of size and penalty; see ``RiskClassifier``."""

    max_depth: int | Literal["auto"]
    rounds: int
    min_samples_leaf: int
    reg_lambda: float
    column_share: float
    row_share: float
    linear_strength: float

    @classmethod
    def of(cls, numbers: Mapping[str, Any]) -> Shape:
        """The numbers of an estimator's ``get_params``, checked; what else it holds is ignored.

        Raises
        ------
        UsageError
            One is out of range.
        """
        for name, (low, high) in LIMITS.items():
            value = numbers[name]
            if name == "max_depth" and isinstance(value, str) and value == "auto":
                continue
            wanted, kind = (Integral, "whole number") if isinstance(low, int) else (Real, "number")
            if isinstance(value, bool) or not isinstance(value, wanted) or not low <= float(value) <= high:
                raise UsageError(f"{name} is {value!r}; it must be a {kind} between {low} and {high}.")
        return cls(**{name: numbers[name] for name in LIMITS})

    def options(self, y: Labels, directions: tuple[int, ...], seed: int) -> dict[str, Any]:
        """LightGBM's options for a table with these labels."""
        rarer = min(float(y.sum()), float((1 - y).sum()))
        depth = self.max_depth if self.max_depth != "auto" else (3 if rarer >= DEEPER_FROM else 2)
        options = {
            "learning_rate": LEARNING_RATE,
            "max_depth": depth,
            "num_leaves": 2 ** min(depth, 10),
            "min_data_in_leaf": min(self.min_samples_leaf, max(1, len(y) // LARGEST_LEAF)),
            "lambda_l2": self.reg_lambda,
            "feature_fraction": self.column_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "seed": seed,
        }
        return options | ({"monotone_constraints": list(directions)} if any(directions) else {})


@dataclass(frozen=True)
class Table:
    """A table of numbers with its labels."""

    codes: Matrix
    """(n, k); see :class:`risk_model.flat.columns.Columns`."""
    y: Labels
    """(n,) 0 and 1."""
    rows: Matrix
    """(n,) weight of each row, mean 1."""
    columns: Columns
    directions: tuple[int, ...]
    seed: int

    def at(self, rows: NDArray[np.intp]) -> Table:
        """These rows alone, weights brought back to mean 1."""
        weight = self.rows[rows] / self.rows[rows].mean()
        return Table(self.codes[rows], self.y[rows], weight, self.columns, self.directions, self.seed)


@dataclass(frozen=True)
class CrossFitted:
    """Margins of every row from parts fitted without it; both empty where the table is too small."""

    linear: Matrix
    boosted: Matrix


def fit_parts(table: Table, shape: Shape) -> tuple[LinearPart, BoostedPart]:
    """Both parts on the whole table."""
    categorical = table.columns.categorical
    design = Design.of(table.codes, categorical)
    linear = fit_linear(table.codes, table.y, table.rows, design, table.directions, shape.linear_strength)
    options = shape.options(table.y, table.directions, table.seed)
    boosted = fit_boosted(table.codes, table.y, table.rows, categorical, options, shape.rounds)
    return linear, boosted


def cross_fit(table: Table, shape: Shape) -> CrossFitted:
    """Margins by stratified folds, the same for every shape, so that shapes may be compared."""
    linear, boosted = np.empty(len(table.y)), np.empty(len(table.y))
    found = False
    for fitted, held in _folds(table):
        found = True
        parts = fit_parts(table.at(fitted), shape)
        linear[held], boosted[held] = (part.margin(table.codes[held]) for part in parts)
    return CrossFitted(linear, boosted) if found else CrossFitted(np.empty(0), np.empty(0))


def blended(table: Table, margins: CrossFitted) -> Blend:
    """The blend these margins ask for; the trees alone, as they are, where there are none."""
    if not len(margins.linear):
        return Blend()
    return fit_blend(margins.linear, margins.boosted, table.y, table.rows, PULL)


def _folds(table: Table) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    from sklearn.model_selection import StratifiedKFold

    rarer = int(min(table.y.sum(), (1 - table.y).sum()))
    if rarer < 2:
        return
    folds = StratifiedKFold(min(FOLDS, rarer), shuffle=True, random_state=table.seed)
    yield from folds.split(table.codes, table.y)
