"""A scikit-learn classifier for any flat table: calibrated risks with reasons that add up to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from risk_model.api import Explanation
from risk_model.errors import UsageError
from risk_model.flat.columns import Columns, Matrix, directions
from risk_model.flat.fitting import Shape, Table, blended, cross_fit, fit_parts
from risk_model.flat.parts import losses


class RiskClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Shallow boosted trees and a ridge regression, blended and calibrated; two classes.

    Both parts are sums over columns in log-odds, and so is their blend: ``explain`` says what every column
    adds to the risk, exactly. The weights of the blend are Platt's calibration with one slope for each part,
    learnt by cross-fitting, so a table on which the regression is better gets mostly the regression.

    Why in production: default LightGBM was below a logistic regression on 15 of 24 school tables we tried;
    this is meant to be used as it is, on tables of a few hundred to a few hundred thousand rows.

    Parameters
    ----------
    max_depth : int or "auto"
        Depth of the trees, 1 or more. "auto": 3 from 500 rows of the rarer class on, else 2.
    rounds : int
        Number of trees, 1 or more.
    min_samples_leaf : int
        Rows a leaf must hold, 1 or more; at most an eighth of the table is asked.
    reg_lambda : float
        Ridge on the values of the leaves, 0 or more.
    column_share, row_share : float
        Share of columns and of rows each tree sees, above 0 and at most 1.
    linear_strength : float
        Inverse of the ridge on standardised columns, above 0.
    monotone : mapping from column name to direction, or sequence of directions, or None
        1: the risk never falls as the value rises; −1: never rises; 0: free. Categories are always free.
    random_state : int, RandomState or None
        Folds and samples. With an int the same rows give the same model to the last digit.

    Attributes
    ----------
    classes_ : array (2,); ``classes_[1]`` is the one whose risk is told
    n_features_in_, feature_names_in_ : as everywhere in scikit-learn
    columns_ : names and levels of the columns
    blend_ : weights of the two parts
    cross_fit_loss_ : mean log-loss on rows the parts had not seen; NaN in a table too small for folds

    Notes
    -----
    A DataFrame's ``category``, ``object`` and text columns are categories; a level not seen at fitting
    counts as null. NaN is "not known" and never a zero. ``predict`` answers at a risk of one half, which in
    a table with few leavers nobody reaches: rank by ``decision_function`` instead.

    Examples
    --------
    >>> dice = np.random.default_rng(1)
    >>> pupils = pd.DataFrame({"missed": dice.integers(0, 20, 400), "way": dice.choice(["foot", "bus"], 400)})
    >>> left = (dice.random(400) < pupils["missed"] / 25).astype(int)
    >>> model = RiskClassifier(monotone={"missed": 1}).fit(pupils, left)
    >>> new = pd.DataFrame({"missed": [0, 19], "way": ["bus", "foot"]})
    >>> bool(np.diff(model.predict_proba(new)[:, 1])[0] > 0.4)
    True
    >>> told = model.explain(new)
    >>> list(told.contributions), bool(told.contributions.loc[1, "missed"] > 0)
    (['missed', 'way'], True)
    """

    def __init__(
        self,
        *,
        max_depth: int | Literal["auto"] = "auto",
        rounds: int = 400,
        min_samples_leaf: int = 30,
        reg_lambda: float = 10.0,
        column_share: float = 0.3,
        row_share: float = 0.5,
        linear_strength: float = 0.1,
        monotone: Mapping[str, int] | Sequence[int] | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.max_depth = max_depth
        self.rounds = rounds
        self.min_samples_leaf = min_samples_leaf
        self.reg_lambda = reg_lambda
        self.column_share = column_share
        self.row_share = row_share
        self.linear_strength = linear_strength
        self.monotone = monotone
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> RiskClassifier:  # noqa: N803
        """Learn from a table (n, k) and labels (n,) of two classes.

        Parameters
        ----------
        X : DataFrame or array (n, k)
        y : array (n,), two different values
        sample_weight : array (n,), optional
            0 or above; a row of weight 0 is as if it were not there.

        Raises
        ------
        UsageError, TableError
            A parameter is out of range, ``y`` has not two classes, or a column cannot be used.
        """
        shape, table = Shape.of(self.get_params()), self.checked_table(X, y, sample_weight)
        margins = cross_fit(table, shape)
        self.blend_ = blended(table, margins)
        self.cross_fit_loss_ = float("nan")
        if len(margins.linear):
            lost = losses(self.blend_.margin(margins.linear, margins.boosted), table.y)
            self.cross_fit_loss_ = float(np.average(lost, weights=table.rows))
        self.linear_, self.boosted_ = fit_parts(table, shape)
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Calibrated log-odds (n,) of ``classes_[1]``."""
        return self._log_odds(self._codes(X))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Calibrated risks (n, 2) in the order of ``classes_``."""
        from scipy.special import expit

        risk = expit(self.decision_function(X))
        return np.column_stack([1 - risk, risk])

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """The likelier class (n,)."""
        above = (self.decision_function(X) > 0).astype(np.intp)
        return np.asarray(self.classes_[above])

    def explain(self, X: Any) -> Explanation:  # noqa: N803
        """Risk of ``classes_[1]`` and what every column adds to its log-odds.

        Raises
        ------
        AdditivityError
            The contributions do not add up to the risk within 1e-6: never seen, always checked.
        """
        from scipy.special import expit

        codes = self._codes(X)
        expected, of_trees = self.boosted_.contributions(codes)
        blend = self.blend_
        base = blend.intercept + blend.linear * self.linear_.base + blend.boosted * expected
        added = blend.linear * self.linear_.contributions(codes) + blend.boosted * of_trees
        risk = expit(self._log_odds(codes))
        index = X.index if isinstance(X, pd.DataFrame) else None
        return Explanation.of(base, added, risk, self.columns_.names, index)

    def checked_table(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Table:  # noqa: N803
        """The table as numbers; sets names, columns and classes. Arguments and errors as :meth:`fit`."""
        checked = self._validated(X, reset=True)
        target = column_or_1d(y, warn=True)
        if len(target) != len(checked):
            raise UsageError(f"X has {len(checked)} rows and y {len(target)}. Give one label for each row.")
        rows = _check_sample_weight(sample_weight, checked, dtype=np.float64, ensure_non_negative=True)
        kept = np.flatnonzero(rows > 0)
        checked = checked.iloc[kept] if isinstance(checked, pd.DataFrame) else checked[kept]
        coded = self._labels(target[kept])
        self.columns_ = Columns.of(checked, self._names(X))
        found = directions(self.monotone, self.columns_)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        weight = rows[kept] / rows[kept].mean()
        return Table(self.columns_.codes(checked), coded, weight, self.columns_, found, seed)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def _validated(self, X: Any, *, reset: bool) -> pd.DataFrame | Matrix:  # noqa: N803
        """Names and number of columns as at fitting; arrays as finite numbers or NaN."""
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
            if len(X) and X.shape[1]:
                return X
        checked = validate_data(
            self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan",
            ensure_min_samples=2 if reset else 1,
        )  # fmt: skip
        return np.asarray(checked, dtype=np.float64)

    def _labels(self, target: NDArray[Any]) -> NDArray[np.float64]:
        if target.dtype.kind == "f":
            assert_all_finite(target, input_name="y")
        check_classification_targets(target)
        kind = type_of_target(target, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise UsageError(f"Only binary classification is supported. The type of the target is {kind}.")
        self.classes_, codes = np.unique(target, return_inverse=True)
        if len(self.classes_) != 2:
            raise UsageError(
                f"y has {len(self.classes_)} class; a risk is learnt only where some left and some stayed."
            )
        return np.asarray(codes, dtype=np.float64)

    def _names(self, X: Any) -> list[str]:  # noqa: N803
        named = isinstance(X, pd.DataFrame)
        return [str(name) for name in X.columns] if named else [f"x{i}" for i in range(self.n_features_in_)]

    def _log_odds(self, codes: Matrix) -> Matrix:
        return self.blend_.margin(self.linear_.margin(codes), self.boosted_.margin(codes))

    def _codes(self, X: Any) -> Matrix:  # noqa: N803
        check_is_fitted(self, "boosted_")
        return self.columns_.codes(self._validated(X, reset=False))
