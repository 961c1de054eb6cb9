"""The boosted trees of a bundle: LightGBM's text format, margins and exact SHAP values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import BundleError
from risk_model.model.between import Node, between, read_forest

MODEL = "model.txt"


class Booster(Protocol):
    """What we use of ``lightgbm.Booster``."""

    def feature_name(self) -> list[str]: ...
    def num_model_per_iteration(self) -> int: ...
    def model_to_string(self) -> str: ...
    def dump_model(self) -> dict[str, Any]: ...
    def predict(self, data: Any, **options: Any) -> Any: ...


class TreeModel:
    """A LightGBM model that answers margins and contributions in raw log-odds."""

    def __init__(self, booster: Booster) -> None:
        self._booster = booster

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self._booster.feature_name())

    def margin(self, matrix: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
        """Raw log-odds (n,), by walking the trees."""
        raw = self._booster.predict(matrix, raw_score=True, num_threads=threads)
        return np.asarray(raw, dtype=np.float64)

    def contributions(self, matrix: NDArray[np.float64], threads: int) -> tuple[float, NDArray[np.float64]]:
        """Expected margin and SHAP values (n, k) in raw log-odds: ``pred_contrib``, equal to shap's
        ``TreeExplainer`` (Lundberg et al. 2020, tree-path-dependent)."""
        found = np.asarray(self._booster.predict(matrix, pred_contrib=True, num_threads=threads))
        expected = float(found[0, -1]) if len(found) else 0.0
        return expected, found[:, :-1]

    def between(self, before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw log-odds (k,) by which each feature moved the margin from one row (k,) to another."""
        return between(self._forest, before, now)

    @cached_property
    def _forest(self) -> tuple[Node, ...]:
        return read_forest(self._booster.dump_model())

    def answer(
        self, matrix: NDArray[np.float64], threads: int
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Expected margin, SHAP values and margin: two walks."""
        return *self.contributions(matrix, threads), self.margin(matrix, threads)


def read_trees(content: bytes, features: Sequence[str]) -> TreeModel:
    """Parse LightGBM's text format, whose hash the caller has verified.

    Raises
    ------
    BundleError
        LightGBM cannot read it, it is no model of one margin, or its features differ.
    """
    import lightgbm

    try:
        booster = lightgbm.Booster(model_str=content.decode())
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise BundleError(f"{MODEL} cannot be read ({error}). Use another version.") from None
    model = TreeModel(booster)
    if model.features != tuple(features) or booster.num_model_per_iteration() != 1:
        raise BundleError(
            f"{MODEL} has other features than the manifest, or more than one margin. Use another version."
        )
    return model
