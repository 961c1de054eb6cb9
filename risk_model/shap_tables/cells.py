"""Values as cells: the intervals between a feature's thresholds, within which no split tells rows apart.

Cell ``i`` of a feature is ``(edge[i-1], edge[i]]``, the cell above the last edge is open, and the one after
it is "not a number". Routing a cell is then routing its upper end, once and by LightGBM's own rules, and
what is left for every row is to find its cell: exact whatever the missing type, default or category.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk_model.shap_tables.reading import (
    CATEGORICAL,
    DEFAULT_LEFT,
    MISSING_NAN,
    MISSING_ZERO,
    DoesNotFitError,
)

NEAR_ZERO = float(np.float32(1e-35))
"""LightGBM reads every value this close to zero as zero."""
BELOW_ZERO = math.nextafter(-NEAR_ZERO, -math.inf)
MOST_CELLS = 2**15
"""Cells are kept in 16 bits."""


@dataclass(frozen=True)
class Split:
    """What a node asks of one feature; equal splits are equal wherever they stand."""

    feature: int
    decision: int
    threshold: float
    """Of a number; 0 for categories."""
    categories: frozenset[int] = frozenset()

    @property
    def missing(self) -> int:
        return self.decision >> 2 & 3

    @property
    def default_left(self) -> bool:
        return bool(self.decision & DEFAULT_LEFT)

    @property
    def categorical(self) -> bool:
        return bool(self.decision & CATEGORICAL)

    def goes_left(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """LightGBM's decision (``NumericalDecision`` and ``CategoricalDecision`` of its ``tree.h``), (n,).

        >>> Split(0, MISSING_NAN << 2 | DEFAULT_LEFT, 3.0).goes_left(np.array([3.0, 4.0, np.nan]))
        array([ True, False,  True])
        """
        unknown = np.isnan(values)
        if self.categorical:
            known = np.where(unknown | (values >= 2**31), -1.0, values)
            return np.isin(np.trunc(known), list(self.categories)) & (known > -1)
        zero = np.abs(values) <= NEAR_ZERO
        if self.missing != MISSING_NAN:
            zero |= unknown
        left: NDArray[np.bool_] = np.where(zero, 0.0, values) <= self.threshold
        default = zero if self.missing == MISSING_ZERO else unknown & ~zero
        return np.where(default, self.default_left, left)

    def edges(self) -> Iterator[float]:
        """Values at and below which the answer may differ from the one above."""
        if not self.categorical:
            yield _snapped(self.threshold)
            if self.missing == MISSING_ZERO:
                yield from (BELOW_ZERO, NEAR_ZERO)
            return
        for category in self.categories:
            yield -1.0 if category == 0 else math.nextafter(category, -math.inf)
            yield math.nextafter(category + 1, -math.inf)


@dataclass(frozen=True)
class Cells:
    """The cells of one feature."""

    feature: int
    edges: NDArray[np.float64]
    """(e,) ascending; there are ``e + 2`` cells."""

    @property
    def count(self) -> int:
        return len(self.edges) + 2

    def lefts(self, split: Split) -> NDArray[np.bool_]:
        """Whether each cell goes left, (e + 2,)."""
        return split.goes_left(np.append(self.edges, [np.inf, np.nan]))


def cells_of(splits: Iterable[Split]) -> list[Cells]:
    """Cells of every feature that is split on, features ascending.

    Raises
    ------
    DoesNotFitError
        A feature has more cells than 16 bits can tell apart.
    """
    edges: dict[int, set[float]] = {}
    for split in splits:
        edges.setdefault(split.feature, set()).update(split.edges())
    return [_cells(feature, sorted(edges[feature])) for feature in sorted(edges)]


def _cells(feature: int, edges: Sequence[float]) -> Cells:
    if len(edges) + 2 > MOST_CELLS:
        raise DoesNotFitError(f"Feature {feature} has {len(edges):,} thresholds; {MOST_CELLS:,} cells fit.")
    return Cells(feature, np.array(edges, dtype=np.float64))


def _snapped(threshold: float) -> float:
    """The end of the zone that counts as zero, for a threshold within it."""
    if not -NEAR_ZERO <= threshold <= NEAR_ZERO:
        return threshold
    return NEAR_ZERO if threshold >= 0 else BELOW_ZERO
