"""What the model must stand against at equal length: the school's rule, two glass boxes, the school alone.

Each baseline is fitted on the rows the model may use and answers a risk, so that it is judged by the
same figures. Ranking ties are left standing: the evaluation shares them out by expected value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.features.feature import Feature
from risk_model.model.platt import fit_platt
from risk_model.school_rule import flags
from risk_model.settings import TrainingSettings
from training.fit import Rows, fit_trees, margins

Risks = NDArray[np.float64]
PSEUDO_EVENTS = 5.0
"""A rate is drawn towards its parent's as if so many events had been seen at the parent's rate."""
RIDGE = 10.0
"""Ridge of the regression in events per standardised coefficient."""


class Baseline(Protocol):
    """Answers a risk for rows of feature values and the pupils they belong to."""

    def predict(self, x: NDArray[np.floating[Any]], pupils: pd.DataFrame) -> Risks: ...


@dataclass(frozen=True)
class SchoolRule:
    """Absence ≥ 10 % or a failed core subject: the more of the two, the higher on the list."""

    features: tuple[str, ...]
    rates: Risks
    """Observed rate of pupils with 0, 1 and 2 flags, never falling."""

    def predict(self, x: NDArray[np.floating[Any]], pupils: pd.DataFrame) -> Risks:
        return self.rates[flags(x, self.features)]


def fit_school_rule(rows: Rows, features: Sequence[str]) -> SchoolRule:
    """Rates of each number of flags on ``rows``; a level hardly seen takes the one below it."""
    count = flags(rows.x, features)
    positives = np.bincount(count, rows.weight * rows.y, minlength=3)
    pupils = np.bincount(count, rows.weight, minlength=3)
    overall = positives.sum() / pupils.sum()
    rates = (positives + PSEUDO_EVENTS) / (pupils + PSEUDO_EVENTS / overall)
    # A hair apart, so that more flags always rank higher even where the rates are the same.
    return SchoolRule(tuple(features), np.maximum.accumulate(rates) * (1 + 1e-9 * np.arange(3)))


@dataclass(frozen=True)
class Regression:
    """Logistic regression over every feature, nulls flagged, Platt-calibrated as the model is."""

    pipeline: Any
    slope: float
    intercept: float

    def predict(self, x: NDArray[np.floating[Any]], pupils: pd.DataFrame) -> Risks:
        margin = self.slope * self.pipeline.decision_function(x) + self.intercept
        return 1 / (1 + np.exp(-margin))


def fit_regression(fit: Rows, calibration: Rows) -> Regression:
    """Fit on the fitting slice, calibrate on the calibration slice."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=1 / RIDGE, solver="newton-cholesky", tol=1e-6, max_iter=200),
    )
    pipeline.fit(fit.x.astype(np.float64), fit.y, logisticregression__sample_weight=fit.weight)
    margin = pipeline.decision_function(calibration.x)
    platt = fit_platt(margin, calibration.y, calibration.weight)
    return Regression(pipeline, platt.slope, platt.intercept)


@dataclass(frozen=True)
class Additive:
    """Boosted stumps: each feature adds its own curve and nothing else, so a person can read it whole."""

    booster: Any
    slope: float
    intercept: float

    def predict(self, x: NDArray[np.floating[Any]], pupils: pd.DataFrame) -> Risks:
        margin = self.slope * margins(self.booster, x) + self.intercept
        return 1 / (1 + np.exp(-margin))


def fit_additive(
    fit: Rows, calibration: Rows, features: Sequence[Feature], settings: TrainingSettings
) -> Additive:
    """A generalised additive model (Lou, Caruana & Gehrke 2012) under the model's own constraints."""
    booster = fit_trees(fit, features, settings, {"max_depth": 1, "num_leaves": 2})
    platt = fit_platt(margins(booster, calibration.x), calibration.y, calibration.weight)
    return Additive(booster, platt.slope, platt.intercept)


@dataclass(frozen=True)
class SchoolOnly:
    """Everybody of a school and grade has that school's and grade's risk, shrunken."""

    overall: float
    grades: pd.Series
    schools: pd.Series
    """How many times as many leave as the grades alone would tell."""

    def predict(self, x: NDArray[np.floating[Any]], pupils: pd.DataFrame) -> Risks:
        grade = pupils["grade"].map(self.grades).fillna(self.overall).to_numpy(dtype=np.float64)
        school = pupils["school_id"].map(self.schools).fillna(1.0).to_numpy(dtype=np.float64)
        return np.clip(grade * school, 0.0, 1.0)


def fit_school_only(rows: Rows) -> SchoolOnly:
    """Rates by grade drawn to the overall rate, ratios by school drawn to 1."""
    overall = float(np.average(rows.y, weights=rows.weight))
    counted = pd.DataFrame(
        {
            "grade": rows.pupils["grade"].to_numpy(),
            "school": rows.pupils["school_id"].to_numpy(),
            "events": rows.y.astype(np.float64),
            "pupils": rows.weight,
        }
    )
    grade = counted.groupby("grade")[["events", "pupils"]].sum()
    rate = (grade["events"] + PSEUDO_EVENTS) / (grade["pupils"] + PSEUDO_EVENTS / overall)
    counted["expected"] = counted["grade"].map(rate) * counted["pupils"]
    school = counted.groupby("school")[["events", "expected"]].sum()
    ratio = (school["events"] + PSEUDO_EVENTS) / (school["expected"] + PSEUDO_EVENTS)
    return SchoolOnly(overall, rate, ratio)


def fit_baselines(
    fit: Rows, calibration: Rows, features: Sequence[Feature], settings: TrainingSettings
) -> dict[str, Baseline]:
    """All baselines, by the name they have in the document of ``train``."""
    both = Rows.concatenated(fit, calibration)
    names = [feature.name for feature in features]
    return {
        "school_rule": fit_school_rule(both, names),
        "logistic": fit_regression(fit, calibration),
        "additive": fit_additive(fit, calibration, features, settings),
        "school_only": fit_school_only(both),
    }
