"""A search over the estimator's numbers; those started from stay unless others are shown to be better."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from risk_model.api import Explanation
from risk_model.errors import UsageError
from risk_model.estimator import RiskClassifier
from risk_model.flat.columns import Matrix
from risk_model.flat.fitting import Shape, Table, blended, cross_fit
from risk_model.flat.parts import losses


class RiskSearch(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Look for better numbers for a :class:`RiskClassifier` by cross-fitted log-loss (Optuna's TPE).

    Every trial is judged on the same folds. Of many trials the best looks better than it is, so it is taken
    only if its rows' mean gain over the numbers started from is more than one standard error of that mean.

    Parameters
    ----------
    estimator : RiskClassifier, optional
        Where to start; its ``monotone`` and ``random_state`` are kept.
    trials : int
        How many numbers to try besides those started from, 0 or more.
    budget : float, optional
        Seconds after which no further trial is begun. With a budget the answer depends on the machine.
    random_state : int
        Seed of the search.

    Attributes
    ----------
    best_estimator_ : the RiskClassifier fitted on the whole table
    best_params_ : what it was told, of what was searched
    default_chosen_ : whether the numbers started from stayed
    trials_ : one row per trial: its numbers, ``loss``, ``seconds``; row 0 is what was started from

    Examples
    --------
    >>> dice = np.random.default_rng(1)
    >>> table = pd.DataFrame({"missed": dice.integers(0, 20, 300), "grade": dice.integers(7, 10, 300)})
    >>> left = (dice.random(300) < table["missed"] / 25).astype(int)
    >>> search = RiskSearch(RiskClassifier(monotone={"missed": 1}), trials=2).fit(table, left)
    >>> len(search.trials_), search.best_estimator_.monotone
    (3, {'missed': 1})
    """

    def __init__(
        self,
        estimator: RiskClassifier | None = None,
        *,
        trials: int = 10,
        budget: float | None = None,
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.trials = trials
        self.budget = budget
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> RiskSearch:  # noqa: N803
        """Search, then fit on the whole table; arguments and errors as :meth:`RiskClassifier.fit`."""
        if self.trials < 0 or (self.budget is not None and self.budget < 0):
            raise UsageError(f"trials ({self.trials}) and budget ({self.budget}) must not be below 0.")
        start = RiskClassifier() if self.estimator is None else clone(self.estimator)
        table = start.checked_table(X, y, sample_weight)
        tried = [_judged(start, {}, table)]
        if np.isfinite(tried[0].loss):  # a table too small for folds cannot compare anything
            tried += _searched(start, table, self.trials, self.budget, self.random_state)
        best = min(tried, key=lambda trial: trial.loss)
        self.default_chosen_ = not _shown_better(best, tried[0], table.rows)
        self.best_params_ = {} if self.default_chosen_ else best.numbers
        self.trials_ = pd.DataFrame([t.numbers | {"loss": t.loss, "seconds": t.seconds} for t in tried])
        self.best_estimator_ = clone(start).set_params(**self.best_params_).fit(X, y, sample_weight)
        self.classes_ = self.best_estimator_.classes_
        self.n_features_in_ = self.best_estimator_.n_features_in_
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """As :meth:`RiskClassifier.decision_function` of the chosen one."""
        return self._chosen().decision_function(X)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """As :meth:`RiskClassifier.predict_proba` of the chosen one."""
        return self._chosen().predict_proba(X)

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """As :meth:`RiskClassifier.predict` of the chosen one."""
        return self._chosen().predict(X)

    def explain(self, X: Any) -> Explanation:  # noqa: N803
        """As :meth:`RiskClassifier.explain` of the chosen one."""
        return self._chosen().explain(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def _chosen(self) -> RiskClassifier:
        check_is_fitted(self, "best_estimator_")
        chosen: RiskClassifier = self.best_estimator_
        return chosen


@dataclass(frozen=True)
class _Trial:
    """What one set of numbers lost on each row; nothing and infinity where there were no folds."""

    numbers: dict[str, Any]
    lost: Matrix
    loss: float
    seconds: float


def _judged(start: RiskClassifier, numbers: dict[str, Any], table: Table) -> _Trial:
    begun = monotonic()
    shape = Shape.of(start.get_params() | numbers)
    margins = cross_fit(table, shape)
    if not len(margins.linear):
        return _Trial(numbers, np.empty(0), float("inf"), monotonic() - begun)
    lost = losses(blended(table, margins).margin(margins.linear, margins.boosted), table.y)
    return _Trial(numbers, lost, float(np.average(lost, weights=table.rows)), monotonic() - begun)


def _searched(
    start: RiskClassifier, table: Table, trials: int, budget: float | None, seed: int
) -> list[_Trial]:
    import optuna

    tried: list[_Trial] = []

    def loss(trial: optuna.Trial) -> float:
        tried.append(_judged(start, _numbers(trial), table))
        return tried[-1].loss

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=5))
        study.optimize(loss, n_trials=trials, timeout=budget)
    finally:
        optuna.logging.set_verbosity(before)
    return tried


def _numbers(trial: Any) -> dict[str, Any]:
    """The space: shallow and regularised throughout, the default about its middle."""
    return {
        "max_depth": trial.suggest_int("max_depth", 1, 5),
        "rounds": trial.suggest_int("rounds", 150, 900, step=50),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 10, 100, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1.0, 100.0, log=True),
        "column_share": trial.suggest_float("column_share", 0.1, 0.8, log=True),
        "row_share": trial.suggest_float("row_share", 0.4, 0.9),
        "linear_strength": trial.suggest_float("linear_strength", 0.003, 3.0, log=True),
    }


def _shown_better(best: _Trial, default: _Trial, rows: Matrix) -> bool:
    if best is default:
        return False
    gain = (default.lost - best.lost) * rows
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))
