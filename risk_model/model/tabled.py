"""How a bundle answers with its boosted trees: by pattern tables, or by LightGBM where none fit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import BundleError
from risk_model.model.manifest import TABLES
from risk_model.model.trees import MODEL, TreeModel, read_trees
from risk_model.shap_tables import DoesNotFitError, PatternTables, TablesError, from_bytes, to_bytes


class SlowExplanationWarning(UserWarning):
    """The model fits no pattern tables and is explained by ``pred_contrib``, which takes far longer."""


@dataclass(frozen=True)
class TabledTrees:
    """Margins and contributions looked up; LightGBM only checks them and compares two rows."""

    tables: PatternTables
    model: bytes = field(repr=False)
    """LightGBM's text, which the tables were made from."""

    def margin(self, matrix: NDArray[np.float64], threads: int) -> NDArray[np.float64]:
        """Raw log-odds (n,)."""
        return self.tables.margin(matrix, threads)

    def contributions(self, matrix: NDArray[np.float64], threads: int) -> tuple[float, NDArray[np.float64]]:
        """Expected margin and SHAP values (n, k) in raw log-odds."""
        return self.tables.explain(matrix, threads)

    def answer(
        self, matrix: NDArray[np.float64], threads: int
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Expected margin, SHAP values and margin from one walk."""
        return self.tables.answer(matrix, threads)

    def between(self, before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw log-odds (k,) by which each feature moved the margin from one row (k,) to another."""
        return self.walked.between(before, now)

    @cached_property
    def walked(self) -> TreeModel:
        """The same model as LightGBM itself answers for it; imported when first asked."""
        return read_trees(self.model, self.tables.features)


def write_tables(model: bytes) -> bytes | None:
    """The part ``tables.npz`` of a bundle with this model; None, with a warning, where it does not fit."""
    tables = _made(model)
    return None if tables is None else to_bytes(tables, model)


def read_tabled(model: bytes, tables: bytes | None, features: Sequence[str]) -> TabledTrees | TreeModel:
    """The trees of a bundle whose parts were verified; tables a bundle does not have are made.

    Raises
    ------
    BundleError
        A part cannot be read, the tables are not of this model, or the features differ.
    """
    try:
        found = _made(model) if tables is None else from_bytes(tables, model)
    except TablesError as error:
        raise BundleError(f"{TABLES} of the model bundle is unsound: {error} Use another version.") from None
    if found is None:
        return read_trees(model, features)
    if found.features != tuple(features):
        raise BundleError(f"{MODEL} has other features than the manifest. Use another version.")
    return TabledTrees(found, model)


def _made(model: bytes) -> PatternTables | None:
    try:
        return PatternTables.of_text(model.decode())
    except (DoesNotFitError, UnicodeDecodeError) as error:
        says = f"The model fits no pattern tables and is explained slowly, by pred_contrib: {error}"
        warnings.warn(says, SlowExplanationWarning, stacklevel=2)
        return None
