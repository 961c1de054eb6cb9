"""How far two distributions lie apart: effect sizes, which do not grow with the number of pupils."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from monitoring.drift.profile import ColumnProfile

Floats = NDArray[np.float64]
SMALLEST = 1e-4
"""A share of nought counts as one in ten thousand, so that a logarithm has a place for it."""


def psi(before: Sequence[int], now: Sequence[int]) -> float:
    """Population stability index of two histograms over the same bins.

    >>> psi([50, 50], [50, 50])
    0.0
    >>> round(psi([50, 50], [80, 20]), 2)
    0.42
    """
    p, q = _shares(before), _shares(now)
    return float(((q - p) * np.log(np.maximum(q, SMALLEST) / np.maximum(p, SMALLEST))).sum())


def jensen_shannon(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Distance of two mixes, 0–1: the root of the divergence in bits (Endres & Schindelin 2003).

    >>> jensen_shannon({"A": 1}, {"B": 1})
    1.0
    """
    names = sorted({*before, *now})
    p = _shares([before.get(name, 0) for name in names])
    q = _shares([now.get(name, 0) for name in names])
    m = (p + q) / 2
    divergence = (_information(p, m) + _information(q, m)) / 2
    return float(np.sqrt(max(divergence, 0.0)))


def wasserstein(before: ColumnProfile, counts: Sequence[int], now: ColumnProfile) -> float:
    """How far the mass moved, in standard deviations of ``before``; ``counts`` are of now, in its bins.

    The area between the two distribution functions, straight between the edges of the bins (the ends are
    the outer quantiles of either). Nothing is said of a column that was the same for everybody.
    """
    if not before.edges or not before.spread or not sum(counts) or before.low is None or now.low is None:
        return 0.0
    low, high = min(before.low, now.low), max(before.high or 0.0, now.high or 0.0)
    places = np.array([min(low, before.edges[0]), *before.edges, max(high, before.edges[-1])])
    gap = np.abs(np.cumsum(_shares(before.counts)) - np.cumsum(_shares(counts)))
    heights = np.concatenate(([0.0], gap))
    area = (np.diff(places) * (heights[1:] + heights[:-1]) / 2).sum()
    return float(area / before.spread)


def chance(before: Sequence[int], now: Sequence[int], design_effect: float) -> float:
    """Chance of two histograms so far apart if nothing changed: chi-squared over independent pupils."""
    from scipy.special import chdtrc  # scipy.stats does the same and takes seconds to import

    table = np.array([before, now], dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum() / design_effect
    return float(chdtrc(table.shape[1] - 1, statistic))


def discoveries(chances: Mapping[str, float], rate: float) -> frozenset[str]:
    """Which are no chance, at most ``rate`` of them wrongly (Benjamini & Hochberg 1995).

    >>> sorted(discoveries({"a": 0.001, "b": 0.04, "c": 0.5}, 0.05))
    ['a']
    """
    ordered = sorted(chances.items(), key=lambda item: item[1])
    passed = [place for place, (_, p) in enumerate(ordered, start=1) if p <= rate * place / len(ordered)]
    return frozenset(name for name, _ in ordered[: max(passed, default=0)])


def _shares(counts: Sequence[int]) -> Floats:
    numbers = np.asarray(counts, dtype=np.float64)
    total = numbers.sum()
    return numbers / total if total else numbers


def _information(p: Floats, m: Floats) -> float:
    there = p > 0
    return float((p[there] * np.log2(p[there] / m[there])).sum())
