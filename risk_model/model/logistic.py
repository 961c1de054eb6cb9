"""The small linear model: the school's own rule, or a baseline, in log-odds around the training means.

A pupil's contribution of a term is ``coefficient · (value − mean)``; an unknown value is taken as the
mean and contributes nothing. So the base is the log-odds of a pupil with average values, and base plus
contributions is the margin exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import BundleError
from risk_model.model.manifest import read_json, write_json

LOGISTIC = "logistic.json"


@dataclass(frozen=True)
class Term:
    """One feature of a linear model."""

    feature: str
    coefficient: float
    """Log-odds per unit of the value."""
    mean: float
    """Mean of the known values at training, after ``at_least``."""
    at_least: float | None = None
    """With a threshold the value is 1 at or above it and 0 below: absence ≥ 10 % is ``0.10``."""

    def contribution(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds (n,) that ``values`` (n,) add to the base; 0 where the value is null."""
        centred = _indicated(values, self.at_least) - self.mean
        return np.where(np.isnan(values), 0.0, self.coefficient * centred)


@dataclass(frozen=True)
class LogisticModel:
    """Terms in the order of the bundle's features, and the log-odds at their means."""

    intercept: float
    terms: tuple[Term, ...]

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(term.feature for term in self.terms)

    def to_bytes(self) -> bytes:
        """The model file of a logistic bundle."""
        return write_json(asdict(self))

    def contributions(
        self, matrix: NDArray[np.float64], threads: int = 0
    ) -> tuple[float, NDArray[np.float64]]:
        """Log-odds at the means, and the raw log-odds (n, k) every value of ``matrix`` adds."""
        out = np.empty(matrix.shape, dtype=np.float64)
        for column, term in enumerate(self.terms):
            out[:, column] = term.contribution(matrix[:, column])
        return self.intercept, out

    def answer(
        self, matrix: NDArray[np.float64], threads: int = 0
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Log-odds at the means, contributions (n, k) and raw log-odds (n,)."""
        return *self.contributions(matrix, threads), self.margin(matrix, threads)

    def margin(self, matrix: NDArray[np.float64], threads: int = 0) -> NDArray[np.float64]:
        """Raw log-odds (n,) before calibration, term by term; ``threads`` is for the trees."""
        margin = np.full(len(matrix), self.intercept)
        with np.errstate(invalid="ignore"):  # infinities that cancel: the bundle refuses the row
            for column, term in enumerate(self.terms):
                margin += term.contribution(matrix[:, column])
        return margin

    def between(self, before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw log-odds (k,) by which each term moved from one row (k,) to another; 0 where nothing did."""
        return np.array(
            [
                float((term.contribution(now[[column]]) - term.contribution(before[[column]]))[0])
                for column, term in enumerate(self.terms)
            ]
        )


def fit_logistic(
    matrix: NDArray[np.float64],
    features: Sequence[str],
    y: NDArray[np.int_],
    weight: NDArray[np.float64] | None = None,
    *,
    at_least: Mapping[str, float] | None = None,
    penalty: float = 1.0,
) -> LogisticModel:
    """Fit a ridge logistic regression on standardised values, nulls at the mean; deterministic.

    Parameters
    ----------
    matrix : array (n, k)
        Feature values, NaN = null.
    features : names of the k columns
    y : array (n,) of 0 and 1, both present
    weight : array (n,), optional
    at_least : thresholds of the features that count as met or not met
    penalty : strength of the ridge, above 0, in pupils per standardised coefficient

    >>> rule = fit_logistic(np.array([[0.0], [0.05], [0.2], [0.3]]), ["absence"], np.array([0, 0, 1, 1]),
    ...                     at_least={"absence": 0.1})
    >>> rule.terms[0].mean, rule.terms[0].coefficient > 0
    (0.5, True)
    """
    thresholds = at_least or {}
    values = np.column_stack(
        [_indicated(matrix[:, column], thresholds.get(name)) for column, name in enumerate(features)]
    )
    means, spreads = _moments(values, weight)
    standard = np.where(np.isnan(values), 0.0, (values - means) / spreads)
    coefficients, intercept = _ridge(standard, y, weight, penalty)
    terms = tuple(
        Term(name, float(coefficients[i] / spreads[i]), float(means[i]), thresholds.get(name))
        for i, name in enumerate(features)
    )
    return LogisticModel(intercept, terms)


def read_logistic(content: bytes, features: Sequence[str]) -> LogisticModel:
    """Read the model file of a logistic bundle.

    Raises
    ------
    BundleError
        The file is no linear model over exactly ``features``.
    """
    document = read_json(content, LOGISTIC)
    try:
        model = LogisticModel(float(document["intercept"]), tuple(Term(**term) for term in document["terms"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{LOGISTIC} is no linear model ({error!r}). Use another version.") from None
    if model.features != tuple(features):
        raise BundleError(f"{LOGISTIC} has other features than the manifest. Use another version.")
    return model


def _indicated(values: NDArray[np.float64], at_least: float | None) -> NDArray[np.float64]:
    if at_least is None:
        return np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(values), np.nan, (values >= at_least).astype(np.float64))


def _moments(
    values: NDArray[np.float64], weight: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread (k,) of the known values; 0 and 1 where nothing is known or nothing varies."""
    known = ~np.isnan(values)
    share = known if weight is None else known * np.asarray(weight, dtype=np.float64)[:, None]
    total = share.sum(axis=0)
    total = np.where(total > 0, total, 1.0)
    filled = np.where(known, values, 0.0)
    means = (share * filled).sum(axis=0) / total
    spreads = np.sqrt((share * np.where(known, values - means, 0.0) ** 2).sum(axis=0) / total)
    return means, np.where(spreads > 0, spreads, 1.0)


def _ridge(
    standard: NDArray[np.float64],
    y: NDArray[np.int_],
    weight: NDArray[np.float64] | None,
    penalty: float,
) -> tuple[NDArray[np.float64], float]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-8, max_iter=200).fit(
        standard, y, sample_weight=weight
    )
    return fitted.coef_[0], float(fitted.intercept_[0])
