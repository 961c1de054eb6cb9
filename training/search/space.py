"""What a search may try: shallow, regularised trees, of which the default is one point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.fit import SHAPE


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, both included."""

    low: float
    high: float
    whole: bool = False
    log: bool = True


SPACE = {
    "max_depth": Range(1, 5, whole=True, log=False),
    "num_leaves": Range(2, 32, whole=True),
    "min_data_in_leaf": Range(20, 500, whole=True),
    "min_sum_hessian_in_leaf": Range(0.1, 20),
    "lambda_l1": Range(0.001, 10),
    "lambda_l2": Range(0.1, 100),
    "feature_fraction": Range(0.05, 1, log=False),
    "bagging_fraction": Range(0.3, 1, log=False),
    "max_bin": Range(31, 255, whole=True),
    "learning_rate": Range(0.02, 0.15),
}
"""Rounds are not searched: they stop on a later slice, see ``training/fit.py``."""

Point = Mapping[str, Any]
"""A value of every range."""

DEFAULT: Point = {name: SHAPE.get(name, span.low) for name, span in SPACE.items()}
"""Where the default lies, for the sampler to know; its L1 is 0, which a range in logarithms cannot hold."""


def changes(point: Point) -> dict[str, Any]:
    """What the trees of ``point`` are told instead of ``SHAPE``; no more leaves than the depth allows.

    >>> changes({**DEFAULT, "max_depth": 3, "num_leaves": 20})["num_leaves"]
    8
    """
    return {**point, "num_leaves": min(point["num_leaves"], 2 ** point["max_depth"])}


def described() -> dict[str, Any]:
    """The space as the report tells it."""
    return {name: [span.low, span.high] for name, span in SPACE.items()}


def distributions() -> dict[str, Any]:
    """The space as Optuna takes it."""
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        name: IntDistribution(int(span.low), int(span.high), log=span.log)
        if span.whole
        else FloatDistribution(span.low, span.high, log=span.log)
        for name, span in SPACE.items()
    }
