"""How well the features tell each protected attribute: a ban on a column is no ban on its shadow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.protected import ATTRIBUTES

ROWS = 3000
"""Pupils looked at: enough to tell an AUC to two digits."""
STRONGEST = 3
FEWEST = 6
"""Pupils of the smaller side below which nothing is told."""


def proxies(
    x: NDArray[np.float32], attributes: pd.DataFrame, names: Sequence[str], *, seed: int
) -> dict[str, dict[str, Any]]:
    """How well the features tell each attribute: AUC by cross-validation, and the strongest features.

    Parameters
    ----------
    x : array (n, k)
        Feature values of pupils.
    attributes : DataFrame (n rows)
        A column per attribute of ``ATTRIBUTES``; where it has several values, the largest group is told
        from all others.

    Returns
    -------
    dict
        By attribute: ``roc_auc``, ``strongest`` and ``said``, which says why there is no figure.
    """
    order = np.random.default_rng(seed).permutation(len(x))[:ROWS]
    sample = attributes.iloc[order]
    return {name: _proxy(x[order], sample[name], names, seed) for name in ATTRIBUTES if name in sample}


def _proxy(x: NDArray[np.float32], values: pd.Series, names: Sequence[str], seed: int) -> dict[str, Any]:
    known = values.notna().to_numpy()
    largest = values[known].mode().iloc[0] if known.any() else None
    y = (values[known] != largest).to_numpy(dtype=np.int8)
    smaller = int(min(y.sum(), len(y) - y.sum()))
    if smaller < FEWEST:
        said = f"too few to tell ({smaller} of {len(y)} pupils are not of the largest group)"
        return {"roc_auc": None, "strongest": [], "said": said}
    auc, gain = _told_apart(x[known], y, seed)
    strongest = [names[column] for column in np.argsort(-gain)[:STRONGEST] if gain[column] > 0]
    return {"roc_auc": auc, "strongest": strongest, "said": None}


def _told_apart(x: NDArray[np.float32], y: NDArray[np.int8], seed: int) -> tuple[float, NDArray[np.float64]]:
    """AUC of small trees on rows they were not fitted on, and each feature's gain (k,)."""
    import lightgbm as lgb
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    options = {"objective": "binary", "max_depth": 3, "num_leaves": 8, "verbose": -1, "num_threads": 1}
    options |= {"seed": seed % 2**31, "deterministic": True, "force_row_wise": True, "min_data_in_leaf": 20}
    margin, gain = np.zeros(len(y)), np.zeros(x.shape[1])
    for fit, test in StratifiedKFold(2, shuffle=True, random_state=seed % 2**31).split(x, y):
        booster = lgb.train(options, lgb.Dataset(x[fit], label=y[fit]), num_boost_round=40)
        margin[test] = booster.predict(x[test], raw_score=True)
        gain += booster.feature_importance("gain")
    return float(roc_auc_score(y, margin)), gain
