"""Resamples of schools: pupils of one school share its teachers and its register, so they go together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.95
"""Share of the resamples within an interval."""


def resamples(schools: NDArray[np.intp], samples: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """How often each row occurs (n,) in ``samples`` draws of as many schools as there are.

    The cluster bootstrap (Field & Welsh 2007): schools are drawn with replacement, each with all of its
    pupils of every snapshot. Deterministic by ``seed``.
    """
    count = int(schools.max()) + 1 if len(schools) else 0
    dice = np.random.default_rng(seed)
    for _ in range(samples if count else 0):
        drawn = np.bincount(dice.integers(count, size=count), minlength=count)
        yield drawn[schools]


def interval(values: list[float]) -> tuple[float, float] | None:
    """Percentile interval of the known values; None where fewer than half are known."""
    known = np.array([value for value in values if not np.isnan(value)])
    if len(known) == 0 or 2 * len(known) < len(values):
        return None
    lower, upper = np.quantile(known, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(lower), float(upper)
