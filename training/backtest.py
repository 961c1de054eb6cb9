"""What would have happened: on each past test day a model is made from what was known, and judged later.

Nothing is shared between test days. Each model is fitted on labels as known on its own day; what it said
is judged by labels as known today.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.errors import RiskModelError
from risk_model.features.feature import Feature
from risk_model.model.platt import CalibrationError, Platt, fit_platt
from risk_model.settings import TrainingSettings
from training.baselines import fit_baselines
from training.fit import Rows, fit_trees, margins
from training.snapshots import PUPIL, Everybody
from training.splits import Split

if TYPE_CHECKING:
    from lightgbm import Booster

MODEL = "model"
BASELINES = ("school_rule", "logistic", "additive", "school_only")
SCORERS = (MODEL, *BASELINES)
MINIMUM_POSITIVES = 50
"""Leavers the trees need in the fitting slice; below this the school's rule is as good."""
MINIMUM_CALIBRATION_POSITIVES = 10


class TooFewLeaversError(RiskModelError, ValueError):
    """The slices of a split hold too few leavers for trees and a calibration."""


class Source(Protocol):
    """Where rows come from: :class:`training.snapshots.Snapshots`, or made-up ones in a test."""

    def label_as_known_on(self, day: date, snapshots: Sequence[date]) -> None: ...
    def labels(self, snapshots: Sequence[date]) -> pd.DataFrame: ...
    def rows(self, snapshots: Sequence[date]) -> Rows: ...
    def everybody(self, day: date) -> Everybody: ...


@dataclass(frozen=True)
class Fitted:
    """A calibrated model of one split and the rows it was made from."""

    split: Split
    booster: Booster
    calibrator: Platt
    fit: Rows
    calibration: Rows

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated risk (n,) of rows (n, k)."""
        log_odds = self.calibrator.slope * margins(self.booster, x) + self.calibrator.intercept
        return 1 / (1 + np.exp(-log_odds))


@dataclass(frozen=True)
class Material:
    """All that one split needs, read from the lake; the fitting itself needs nothing else."""

    split: Split
    fit: Rows
    calibration: Rows


def material(source: Source, split: Split) -> Material:
    """The rows of ``split`` with the labels ``source`` holds now."""
    return Material(split, source.rows(split.fit), source.rows(split.calibration))


def fit_model(
    given: Material,
    features: Sequence[Feature],
    settings: TrainingSettings,
    changes: Mapping[str, Any] | None = None,
) -> Fitted:
    """Fit the trees on one slice and calibrate them on the other.

    ``changes`` are the numbers a search has chosen; trees of such numbers also stop on the later slice.

    Raises
    ------
    TooFewLeaversError
        A slice holds too few leavers.
    CalibrationError
        Risk falls where the margin rises.
    """
    fit, calibration = given.fit, given.calibration
    enough(given)
    booster = fit_trees(fit, features, settings, changes, later=calibration if changes else None)
    calibrator = fit_platt(margins(booster, calibration.x), calibration.y, calibration.weight)
    return Fitted(given.split, booster, calibrator, fit, calibration)


@dataclass(frozen=True)
class Backtest:
    """What the models of the past said, and on which days none could be made."""

    predictions: pd.DataFrame
    """``snapshot``, the pupils' columns, ``missing`` (share of features that are null), one risk per scorer;
    everybody of each test snapshot."""
    skipped: Mapping[date, str]
    """Test days without a model, and why."""

    @property
    def days(self) -> int:
        """Test days on which a model was made."""
        return int(self.predictions["snapshot"].nunique())


def backtest(
    source: Source,
    splits: Sequence[Split],
    features: Sequence[Feature],
    settings: TrainingSettings,
    advance: Callable[[int], None],
    changes: Mapping[str, Any] | None = None,
) -> Backtest:
    """Make a model and all baselines on each test day and let them score everybody of that day.

    ``changes`` are the numbers a search has chosen for the model.

    Rows are read one test day after the other, ``settings.threads`` test days are fitted at a time,
    each on one thread: the answer does not depend on how many. One more at most has its rows read, so that
    memory does not grow with the number of test days.
    """
    from threadpoolctl import threadpool_limits

    parts: list[pd.DataFrame] = []
    skipped: dict[date, str] = {}
    waiting: deque[tuple[Split, Future[pd.DataFrame]]] = deque()

    def take() -> None:
        split, tested = waiting.popleft()
        try:
            parts.append(tested.result())
        except (TooFewLeaversError, CalibrationError) as error:
            skipped[split.known_on] = str(error)
        advance(1)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(settings.threads) as pool:
        for split in splits:
            tested = pool.submit(_tested, *_given(source, split), features, settings, changes)
            waiting.append((split, tested))
            if len(waiting) > settings.threads:
                take()
        while waiting:
            take()
    empty = pd.DataFrame(columns=["snapshot", *PUPIL, "missing", *SCORERS])
    return Backtest(pd.concat(parts, ignore_index=True) if parts else empty, skipped)


def _given(source: Source, split: Split) -> tuple[Material, Everybody]:
    source.label_as_known_on(split.known_on, split.days)
    return material(source, split), source.everybody(split.known_on)


def _tested(
    given: Material,
    everybody: Everybody,
    features: Sequence[Feature],
    settings: TrainingSettings,
    changes: Mapping[str, Any] | None,
) -> pd.DataFrame:
    fitted = fit_model(given, features, settings, changes)
    baselines = fit_baselines(fitted.fit, fitted.calibration, features, settings)
    risks = {MODEL: fitted.predict(everybody.x)}
    risks |= {name: baselines[name].predict(everybody.x, everybody.pupils) for name in BASELINES}
    day = pd.Timestamp(given.split.known_on).as_unit("us")
    missing = np.isnan(everybody.x).mean(axis=1)
    return everybody.pupils.assign(snapshot=day, missing=missing, **risks)


def enough(given: Material) -> None:
    """Raise TooFewLeaversError if a slice holds too few leavers for trees and a calibration."""
    fit, calibration = given.fit.positives, given.calibration.positives
    if fit < MINIMUM_POSITIVES or calibration < MINIMUM_CALIBRATION_POSITIVES:
        raise TooFewLeaversError(
            f"{fit} leavers to fit on and {calibration} to calibrate on are too few (trees need "
            f"{MINIMUM_POSITIVES} and {MINIMUM_CALIBRATION_POSITIVES}). Collect more history."
        )
