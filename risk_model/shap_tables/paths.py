"""Leaves as conditions on features, and what a leaf gives each of its features: exact Shapley values.

A leaf of value ``v`` asks ``d`` features. For feature ``j`` let ``z_j`` be the product of the shares of
training rows that followed the path at its splits, and ``o_j`` whether the row passes all of them. Knowing
only the features ``S``, the expected value of the leaf is ``v · Π_{j∈S} o_j · Π_{j∉S} z_j``, so that

    φ_i = v · (o_i − z_i) · Σ_{S ⊆ D∖i}  |S|! (d−1−|S|)! / d!  ·  Π_{j∈S} o_j · Π_{j∉S} z_j

and the inner sum needs only the products grouped by ``|S|``: the coefficients of ``Π_{j≠i} (z_j + o_j·t)``.
Only sums and products of numbers that are not negative occur, so nothing cancels and no share is divided
by: a branch no row of the training took (``z = 0``) is no special case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from risk_model.shap_tables.cells import Split
from risk_model.shap_tables.reading import CATEGORICAL, Tree


@dataclass(frozen=True)
class Condition:
    """What one feature must satisfy on the way to a leaf."""

    splits: tuple[tuple[Split, bool], ...]
    """Splits on the feature and whether the path goes left."""
    share: float
    """Product over the splits of the share of the training rows that went the path's way, 0–1."""


@dataclass(frozen=True)
class Leaf:
    """A leaf and the way to it."""

    value: float
    """Raw log-odds."""
    conditions: dict[int, Condition]
    """By feature, in the order first asked."""

    @property
    def splits(self) -> frozenset[Split]:
        return frozenset(split for condition in self.conditions.values() for split, _ in condition.splits)

    @property
    def expected(self) -> float:
        """What the leaf adds to the expected margin of a row of which nothing is known."""
        found = self.value
        for condition in self.conditions.values():
            found *= condition.share
        return found


def leaves_of(tree: Tree) -> Iterator[Leaf]:
    """Leaves from left to right."""
    splits = [_split(tree, node) for node in range(len(tree.feature))]
    waiting: list[tuple[int, dict[int, Condition]]] = [(0 if splits else ~0, {})]
    while waiting:
        node, conditions = waiting.pop()
        if node < 0:
            yield Leaf(float(tree.leaf_value[~node]), conditions)
            continue
        left, right = int(tree.left[node]), int(tree.right[node])
        share = _left_share(tree.count_of(left), tree.count_of(right))
        waiting.append((right, _narrowed(conditions, splits[node], False, 1 - share)))
        waiting.append((left, _narrowed(conditions, splits[node], True, share)))


def leaf_contributions(values: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley values of leaves that ask equally many features, for every answer a row may give.

    Parameters
    ----------
    values : array (l,)
    shares : array (l, d)
        ``z`` of each feature of each leaf.

    Returns
    -------
    array (l, d, 2**d)
        Of each feature when the row passes the features whose bits are set: bit ``j`` is feature ``j``.

    >>> leaf_contributions(np.array([8.0]), np.array([[0.25]])).tolist()  # fails: −2, passes: +6
    [[[-2.0, 6.0]]]
    """
    leaves, degree = shares.shape
    passed = (np.arange(2**degree) >> np.arange(degree)[:, None] & 1).astype(np.float64)
    found = np.empty((leaves, degree, 2**degree))
    for one in range(degree):
        others = [other for other in range(degree) if other != one]
        weight = _weighted(shares[:, others], passed[others])
        found[:, one] = values[:, None] * (passed[one] - shares[:, one, None]) * weight
    return found


def _weighted(shares: NDArray[np.float64], passed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the subsets of the other features, weighted as Shapley does; (l, 2**d)."""
    products = [np.ones((len(shares), passed.shape[1]))]
    for column, bits in enumerate(passed):
        share = shares[:, column, None]
        taken = [np.zeros_like(products[0]), *(bits * product for product in products)]
        left_out = [*(share * product for product in products), np.zeros_like(products[0])]
        products = [one + other for one, other in zip(taken, left_out, strict=True)]
    degree = len(products)
    total = np.zeros_like(products[0])
    for size, product in enumerate(products):
        total += product / (degree * comb(degree - 1, size))
    return total


def _narrowed(
    conditions: dict[int, Condition], split: Split, left: bool, share: float
) -> dict[int, Condition]:
    before = conditions.get(split.feature, Condition((), 1.0))
    return conditions | {split.feature: Condition((*before.splits, (split, left)), before.share * share)}


def _left_share(left: int, right: int) -> float:
    """Where no row of the training ever came, both ways are as likely."""
    return left / (left + right) if left + right else 0.5


def _split(tree: Tree, node: int) -> Split:
    feature, decision = int(tree.feature[node]), int(tree.decision[node])
    if decision & CATEGORICAL:
        return Split(feature, decision, 0.0, tree.categories[int(tree.threshold[node])])
    return Split(feature, decision, float(tree.threshold[node]))
