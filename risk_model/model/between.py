"""What moved a margin between two rows of values: exact Shapley values of trees, one row the reference.

Changing some of the values of ``before`` to those of ``now`` is a coalition; its worth is the margin of the
mixed row. A leaf is reached by a mixed row exactly if every feature on its path that only ``now`` satisfies
is taken from ``now`` and every one that only ``before`` satisfies from ``before``. Such a game has a closed
form: with ``a`` features of the first kind and ``b`` of the second, each of the first gets
``(a−1)! b! / (a+b)!`` of the leaf and each of the second loses ``a! (b−1)! / (a+b)!``. The sum over leaves
is exact; a feature whose value did not move is never of either kind and gets 0 (interventional TreeSHAP with
one reference row: Lundberg et al., From local explanations to global understanding, 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial, isnan
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import BundleError

NEARLY_ZERO = float(np.float32(1e-35))
"""LightGBM takes values no larger than this for zero."""


@dataclass(frozen=True)
class Split:
    """An inner node; ``missing`` is LightGBM's ``None``, ``Zero`` or ``NaN``."""

    feature: int
    threshold: float
    missing: str
    default_left: bool
    left: Node
    right: Node

    def goes_left(self, value: float) -> bool:
        """Where LightGBM sends ``value`` (``Tree::NumericalDecision``)."""
        if isnan(value):
            if self.missing == "NaN":
                return self.default_left
            value = 0.0
        if self.missing == "Zero" and abs(value) <= NEARLY_ZERO:
            return self.default_left
        return value <= self.threshold


Node: TypeAlias = Split | float
"""A leaf is its value in raw log-odds."""


def read_forest(model: Mapping[str, Any]) -> tuple[Node, ...]:
    """The trees of ``lightgbm.Booster.dump_model()``.

    Raises
    ------
    BundleError
        A tree splits by categories or has linear leaves.
    """
    return tuple(_node(tree["tree_structure"]) for tree in model["tree_info"])


def between(
    forest: Sequence[Node], before: NDArray[np.float64], now: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Raw log-odds (k,) that each feature moved the margin by from ``before`` (k,) to ``now`` (k,).

    They add up to the difference of the two margins; equal values, null and null too, get exactly 0.

    >>> tree = Split(0, 2.0, "None", False, -1.0, Split(1, 5.0, "None", False, 0.0, 3.0))
    >>> between([tree], np.array([1.0, 9.0]), np.array([3.0, 9.0])).tolist()
    [4.0, 0.0]
    """
    moved = np.zeros(len(now), dtype=np.float64)
    first, second = before.tolist(), now.tolist()
    for tree in forest:
        _descend(tree, first, second, frozenset(), frozenset(), moved)
    return moved


def _descend(
    node: Node,
    before: list[float],
    now: list[float],
    of_now: frozenset[int],
    of_before: frozenset[int],
    moved: NDArray[np.float64],
) -> None:
    """Add to ``moved`` the leaves below ``node``; the sets hold the features whose side is decided."""
    if not isinstance(node, Split):
        _share_out(node, of_now, of_before, moved)
        return
    feature = node.feature
    then_left, now_left = node.goes_left(before[feature]), node.goes_left(now[feature])
    of_then = node.left if then_left else node.right
    of_today = node.left if now_left else node.right
    if then_left == now_left or feature in of_now:
        _descend(of_today, before, now, of_now, of_before, moved)
    elif feature in of_before:
        _descend(of_then, before, now, of_now, of_before, moved)
    else:
        _descend(of_today, before, now, of_now | {feature}, of_before, moved)
        _descend(of_then, before, now, of_now, of_before | {feature}, moved)


def _share_out(
    leaf: float, of_now: frozenset[int], of_before: frozenset[int], moved: NDArray[np.float64]
) -> None:
    a, b = len(of_now), len(of_before)
    for feature in of_now:
        moved[feature] += leaf * factorial(a - 1) * factorial(b) / factorial(a + b)
    for feature in of_before:
        moved[feature] -= leaf * factorial(a) * factorial(b - 1) / factorial(a + b)


def _node(stored: Mapping[str, Any]) -> Node:
    if "leaf_value" in stored and "leaf_const" not in stored:
        return float(stored["leaf_value"])
    if stored.get("decision_type") != "<=":
        raise BundleError(
            "What changed cannot be split for trees with categories or linear leaves. Train with numeric "
            "features, or ask for the explanation without changes."
        )
    return Split(
        feature=int(stored["split_feature"]),
        threshold=float(stored["threshold"]),
        missing=str(stored["missing_type"]),
        default_left=bool(stored["default_left"]),
        left=_node(stored["left_child"]),
        right=_node(stored["right_child"]),
    )
