"""Reference quantiles: what each feature looked like at training, kept in the bundle for drift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from risk_model.model.manifest import Reference

LEVELS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Levels of the quantiles. No minimum and no maximum: each would be one pupil's own value."""
ROWS = 200_000
"""At most so many rows are looked at, evenly spaced."""


def reference_quantiles(matrix: NDArray[np.float64], features: Sequence[str]) -> dict[str, Reference]:
    """Share of nulls and quantiles of every column of ``matrix`` (n, k).

    >>> reference_quantiles(np.array([[1.0], [np.nan], [3.0], [2.0]]), ["km"])["km"].null_share
    0.25
    """
    step = max(1, -(-len(matrix) // ROWS))
    sample = matrix[::step]
    return {name: _reference(sample[:, column]) for column, name in enumerate(features)}


def _reference(values: NDArray[np.float64]) -> Reference:
    known = values[np.isfinite(values)]
    null_share = 1 - len(known) / len(values) if len(values) else 1.0
    if len(known) == 0:
        return Reference(null_share, ())
    return Reference(null_share, tuple(float(value) for value in np.quantile(known, LEVELS)))
