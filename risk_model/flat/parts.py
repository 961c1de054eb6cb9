"""The two parts of a flat-table model, each a margin in log-odds that is a sum over columns.

The **linear part** is a ridge logistic regression on standardised columns; its contribution of a column
is ``w · (x − mean)``. The **boosted part** is shallow regularised LightGBM; its contributions are exact SHAP
values. A weighted sum of the two is additive too, which is why they may be blended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.flat.columns import Design, Matrix

Labels = NDArray[np.float64]


@dataclass(frozen=True)
class LinearPart:
    """Coefficients on standardised columns of the design."""

    design: Design
    mean: Matrix
    spread: Matrix
    weight: Matrix
    base: float

    def contributions(self, codes: Matrix) -> Matrix:
        """(n, k) log-odds each column of the table adds to ``base``."""
        terms = _standard(self.design.matrix(codes), self.mean, self.spread) * self.weight
        return np.asarray(terms @ np.eye(codes.shape[1])[self.design.source], dtype=np.float64)

    def margin(self, codes: Matrix) -> Matrix:
        """(n,) raw log-odds."""
        return np.asarray(self.base + self.contributions(codes).sum(axis=1), dtype=np.float64)


@dataclass(frozen=True)
class BoostedPart:
    """A LightGBM booster of one margin."""

    booster: Any

    def contributions(self, codes: Matrix) -> tuple[float, Matrix]:
        """Expected margin, and (n, k) SHAP values (LightGBM's ``pred_contrib``)."""
        found = np.asarray(self.booster.predict(codes, pred_contrib=True, num_threads=1), dtype=np.float64)
        return float(found[0, -1]), found[:, :-1]

    def margin(self, codes: Matrix) -> Matrix:
        """(n,) raw log-odds."""
        return np.asarray(self.booster.predict(codes, raw_score=True, num_threads=1), dtype=np.float64)


def fit_linear(
    codes: Matrix, y: Labels, rows: Matrix, design: Design, signs: Sequence[int], strength: float
) -> LinearPart:
    """Fit by maximum likelihood under a ridge; deterministic.

    Parameters
    ----------
    codes : array (n, k)
    y : array (n,) of 0 and 1
    rows : array (n,)
        Weight of each row, mean 1.
    design : columns of the regression
    signs : direction of each of the k columns; a coefficient of a number keeps its sign or is 0
    strength : inverse of the ridge, as ``C`` of scikit-learn's LogisticRegression
    """
    from scipy.optimize import minimize

    raw = design.matrix(codes)
    mean, spread = _moments(raw, rows)
    standard = np.column_stack([_standard(raw, mean, spread), np.ones(len(raw))])
    ridge = np.append(np.full(raw.shape[1], 1 / strength), 0.0)

    def loss(weight: Matrix) -> tuple[float, Matrix]:
        value, slope = _log_loss(standard @ weight, y, rows)
        return value + 0.5 * float(ridge @ weight**2), standard.T @ slope + ridge * weight

    start = np.append(np.zeros(raw.shape[1]), _log_odds(float(np.average(y, weights=rows))))
    limits = [*_bounds(design, signs), (None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 500})
    return LinearPart(design, mean, spread, found.x[:-1], float(found.x[-1]))


def fit_boosted(
    codes: Matrix, y: Labels, rows: Matrix, categorical: Sequence[int], options: dict[str, Any], rounds: int
) -> BoostedPart:
    """Grow ``rounds`` trees on one thread; same rows, options and seed give the same bytes."""
    import lightgbm

    settings = {
        "objective": "binary",
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "feature_pre_filter": False,
        "verbose": -1,
    } | options
    data = lightgbm.Dataset(codes, y, weight=rows, categorical_feature=list(categorical), params=settings)
    return BoostedPart(lightgbm.train(settings, data, rounds))


@dataclass(frozen=True)
class Blend:
    """Calibrated log-odds are ``linear · margin + boosted · margin + intercept``, no weight below 0."""

    linear: float = 0.0
    boosted: float = 1.0
    intercept: float = 0.0

    def margin(self, linear: Matrix, boosted: Matrix) -> Matrix:
        """(n,) calibrated log-odds."""
        return self.linear * linear + self.boosted * boosted + self.intercept


def fit_blend(linear: Matrix, boosted: Matrix, y: Labels, rows: Matrix, pull: float) -> Blend:
    """Platt's calibration (1999) with a slope for each part, on margins of rows no part has seen.

    ``pull`` draws the weights to 0 and 1: the trees are the model, and the linear part must earn its
    place. It is worth so many rows, so it fades in a large table, and keeps small ones finite.
    """
    from scipy.optimize import minimize

    columns = np.column_stack([linear, boosted, np.ones(len(y))])
    home, hold = np.array([0.0, 1.0, 0.0]), 2 * pull * np.array([1.0, 1.0, 0.0])

    def loss(weight: Matrix) -> tuple[float, Matrix]:
        value, slope = _log_loss(columns @ weight, y, rows)
        away = weight - home
        return value + 0.5 * float(hold @ away**2), columns.T @ slope + hold * away

    limits = [(0, None), (0, None), (None, None)]
    found = minimize(loss, np.array([0.3, 0.7, 0.0]), jac=True, method="L-BFGS-B", bounds=limits)
    return Blend(*(float(one) for one in found.x))


def losses(margin: Matrix, y: Labels) -> Matrix:
    """(n,) log-loss of each row at these log-odds."""
    return np.asarray(np.logaddexp(0, margin) - y * margin, dtype=np.float64)


def _log_loss(margin: Matrix, y: Labels, rows: Matrix) -> tuple[float, Matrix]:
    from scipy.special import expit

    return float(rows @ losses(margin, y)), rows * (expit(margin) - y)


def _standard(raw: Matrix, mean: Matrix, spread: Matrix) -> Matrix:
    return np.where(np.isnan(raw), 0.0, (raw - mean) / spread)


def _moments(raw: Matrix, rows: Matrix) -> tuple[Matrix, Matrix]:
    """Weighted mean and spread (d,) of what is known; 0 and 1 where nothing is known or varies."""
    known = ~np.isnan(raw)
    share = known * rows[:, None]
    total = np.maximum(share.sum(axis=0), np.finfo(np.float64).tiny)
    mean = (share * np.where(known, raw, 0.0)).sum(axis=0) / total
    spread = np.sqrt((share * np.where(known, raw - mean, 0.0) ** 2).sum(axis=0) / total)
    return mean, np.where(spread > 1e-9 * np.maximum(1.0, np.abs(mean)), spread, np.inf)


def _bounds(design: Design, signs: Sequence[int]) -> list[tuple[float | None, float | None]]:
    limits: dict[int, tuple[float | None, float | None]] = {1: (0, None), -1: (None, 0), 0: (None, None)}
    return [
        limits[signs[column] if np.isnan(level) else 0]
        for column, level in zip(design.source, design.level, strict=True)
    ]


def _log_odds(share: float) -> float:
    return float(np.log(share / (1 - share)))
