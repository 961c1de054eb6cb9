"""The model that this training offers: calibrated trees, or the school's rule where trees have no ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import BundleError
from risk_model.features.feature import Feature
from risk_model.model.bundle import Bundle
from risk_model.model.exactness import tables_gap
from risk_model.model.golden import golden_gap
from risk_model.model.loading import load
from risk_model.model.logistic import LogisticModel
from risk_model.model.manifest import Provenance
from risk_model.model.platt import CalibrationError, Platt
from risk_model.model.reference import reference_quantiles
from risk_model.model.storing import save_lightgbm, save_logistic
from risk_model.settings import TrainingSettings
from training.backtest import Fitted, Source, TooFewLeaversError, enough, fit_model, material
from training.fit import Rows
from training.rule import fit_rule
from training.splits import Plan

CHECKED_ROWS = 2000
"""Rows on which the written bundle must explain itself before it is registered."""
COMPARED_ROWS = 500
"""Rows of these that LightGBM explains as well, which takes it a thousand times longer."""


@dataclass(frozen=True)
class Candidate:
    """A fitted model before it is written."""

    trees: Fitted | None
    rule: LogisticModel | None
    """Exactly one of the two is there."""
    why: str
    """Why it is this kind of model."""
    rows: Rows | None
    """What it was fitted on; None for the rule without labels."""
    snapshots: tuple[date, ...]
    calibration_snapshots: tuple[date, ...]

    @property
    def kind(self) -> str:
        return "lightgbm" if self.trees else "logistic"

    @property
    def calibrator(self) -> Platt:
        return self.trees.calibrator if self.trees else Platt()

    def grounded(self, labelled: int, left: int) -> Candidate:
        """The same; a rule's ``why`` begins with how many pupils have a label and how many of them left."""
        if self.trees:
            return self
        ground = f"{left:,} of {labelled:,} labelled pupils left" if labelled else "No pupil has a label yet"
        return replace(self, why=f"{ground}. {self.why}")

    def reference(self, features: Sequence[Feature]) -> dict[str, object]:
        """Quantiles of the features it was fitted on, for drift."""
        if self.rows is None:
            return {}
        stayed = self.rows.x[self.rows.y == 0]  # a plain sample of the cohort; leavers are all there
        return dict(reference_quantiles(stayed.astype(np.float64), [feature.name for feature in features]))

    def save(self, folder: Path, provenance: Provenance) -> None:
        """Write the bundle."""
        if self.trees:
            save_lightgbm(folder, self.trees.booster, self.calibrator, provenance)
        elif self.rule:
            save_logistic(folder, self.rule, self.calibrator, provenance)


def make_candidate(
    source: Source,
    plan: Plan,
    history_days: int,
    features: Sequence[Feature],
    settings: TrainingSettings,
    *,
    tests: int,
    changes: Mapping[str, Any] | None = None,
) -> Candidate:
    """Fit on the final split; ``source`` holds the labels of today, ``changes`` what a search has chosen.

    The school's rule is offered where history is shorter than ``minimum_history_days``, leavers are too
    few, none of the ``tests`` days of the backtest could judge the trees, or the trees' risks fall where
    their margins rise.
    """
    if history_days < settings.minimum_history_days or plan.final is None:
        why = (
            f"{history_days} days of history are too few for a model of its own "
            f"({settings.minimum_history_days} are needed)"
        )
        return _rule(source, plan, features, why)
    given = material(source, plan.final)
    try:
        enough(given)
        if tests == 0:
            return _rule(source, plan, features, "No day of the past could judge a fitted model yet")
        trees = fit_model(given, features, settings, changes)
    except (TooFewLeaversError, CalibrationError) as error:
        return _rule(source, plan, features, str(error).rstrip("."))
    return Candidate(trees, None, "", trees.fit, plan.final.fit, plan.final.calibration)


def _rule(source: Source, plan: Plan, features: Sequence[Feature], why: str) -> Candidate:
    rows = source.rows(plan.snapshots) if plan.snapshots else None
    model, fitted = fit_rule(rows, [feature.name for feature in features])
    origin = (
        "with coefficients from this office's own leavers" if fitted else "with published orders of magnitude"
    )
    said = f"{why}; the school's rule is used, {origin}, and the list says so."
    return Candidate(None, model, said, rows, plan.snapshots if fitted else (), ())


@dataclass(frozen=True)
class Soundness:
    """Whether the written bundle can be read back and explains its risks."""

    verified: bool
    largest_gap: float | None
    """Largest distance between a risk and what its contributions add up to; None: not explained."""
    says: str
    golden_gap: float | None = None
    """Largest distance between a golden risk and the one asked again; None: not asked."""
    tables_gap: float | None = None
    """Largest distance of the pattern tables from LightGBM, raw log-odds; None: it has no tables."""


def check_bundle(folder: Path, rows: Rows | None, features: Sequence[Feature]) -> Soundness:
    """Read the bundle as the nightly run will, and explain a sample of rows."""
    try:
        bundle = load(folder)
        matrix = _sample(bundle, rows, features)
        return Soundness(
            True,
            _largest_gap(bundle, matrix),
            "read back and explained",
            golden_gap(bundle),
            tables_gap(bundle, matrix[:COMPARED_ROWS]),
        )
    except BundleError as error:
        return Soundness(False, None, str(error))


def _sample(bundle: Bundle, rows: Rows | None, features: Sequence[Feature]) -> NDArray[np.float64]:
    names = [feature.name for feature in features]
    columns = [names.index(name) for name in bundle.features]
    matrix = np.full((1, len(columns)), np.nan)
    if rows is not None and len(rows.x):
        matrix = rows.x[:: max(1, len(rows.x) // CHECKED_ROWS), columns].astype(np.float64)
    return matrix


def _largest_gap(bundle: Bundle, matrix: NDArray[np.float64]) -> float:
    explained = bundle.explain(matrix, threads=1)
    added = 1 / (1 + np.exp(-(explained.base + explained.contributions.sum(axis=1))))
    return float(np.max(np.abs(added - explained.risk)))
