"""LightGBM's text format as trees of plain arrays; LightGBM itself is not imported."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import RiskModelError

CATEGORICAL, DEFAULT_LEFT = 1, 2
"""Bits of ``decision_type``; the two bits above them are the missing type."""
MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 1, 2


class DoesNotFitError(RiskModelError, ValueError):
    """A model that pattern tables cannot hold; ``pred_contrib`` explains it, slowly."""


@dataclass(frozen=True)
class Tree:
    """One tree. Children are inner nodes, or leaves where negative: ``~child`` is the leaf's number."""

    feature: NDArray[np.int64]
    """(m,) column each inner node splits on."""
    threshold: NDArray[np.float64]
    """(m,) at most this goes left; for a categorical split the number of its set."""
    decision: NDArray[np.int64]
    """(m,) LightGBM's ``decision_type``."""
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    count: NDArray[np.int64]
    """(m,) rows of the training that reached each inner node."""
    leaf_value: NDArray[np.float64]
    """(m + 1,) raw log-odds."""
    leaf_count: NDArray[np.int64]
    categories: tuple[frozenset[int], ...]
    """Sets of categories that go left."""

    def count_of(self, child: int) -> int:
        """Rows of the training that reached a child."""
        return int(self.leaf_count[~child] if child < 0 else self.count[child])


@dataclass(frozen=True)
class Forest:
    """All trees of a model with one margin, and the names of its features in order."""

    features: tuple[str, ...]
    trees: tuple[Tree, ...]


def read_forest(text: str) -> Forest:
    """Read what ``Booster.model_to_string`` or ``save_model`` wrote.

    Raises
    ------
    DoesNotFitError
        The model has several margins, averages its trees, has linear leaves, or is no such text.
    """
    header, *sections = text.split("\nTree=")
    about = _pairs(header)
    _check_header(header, about)
    features = tuple(about["feature_names"].split())
    try:
        trees = tuple(_tree(_pairs(section.split("\n\n", 1)[0])) for section in sections)
    except (KeyError, ValueError, IndexError) as error:
        raise DoesNotFitError(f"A tree of the model cannot be read ({error!r}).") from None
    return Forest(features, trees)


def _check_header(header: str, about: Mapping[str, str]) -> None:
    if "feature_names" not in about:
        raise DoesNotFitError("This is no LightGBM model in text.")
    if about.get("num_tree_per_iteration") != "1":
        raise DoesNotFitError("The model has more than one margin.")
    if "average_output" in header.split("\n"):
        raise DoesNotFitError("The model averages its trees (a random forest) instead of adding them.")


def _pairs(section: str) -> dict[str, str]:
    lines = (line.partition("=") for line in section.split("\n"))
    return {key: value for key, mark, value in lines if mark}


def _tree(fields: Mapping[str, str]) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise DoesNotFitError("The model has linear leaves.")
    nodes = int(fields["num_leaves"]) - 1
    tree = Tree(
        feature=_array(fields, "split_feature", np.int64, nodes),
        threshold=_array(fields, "threshold", np.float64, nodes),
        decision=_array(fields, "decision_type", np.int64, nodes),
        left=_array(fields, "left_child", np.int64, nodes),
        right=_array(fields, "right_child", np.int64, nodes),
        count=_array(fields, "internal_count", np.int64, nodes),
        leaf_value=_array(fields, "leaf_value", np.float64, nodes + 1),
        leaf_count=_array(fields, "leaf_count", np.int64, nodes + 1 if nodes else 0),
        categories=tuple(_category_sets(fields)),
    )
    _check_counts(tree)
    return tree


def _array(fields: Mapping[str, str], name: str, kind: type[Any], length: int) -> NDArray[Any]:
    """One line of numbers; a tree of one leaf has no line about splits."""
    words: Sequence[str] = fields[name].split() if length else ()
    if len(words) != length:
        raise ValueError(f"{name} has {len(words)} entries instead of {length}")
    return np.array([kind(word) for word in words], dtype=kind)


def _category_sets(fields: Mapping[str, str]) -> Iterator[frozenset[int]]:
    if int(fields.get("num_cat", "0")) == 0:
        return
    words = [int(word) for word in fields["cat_threshold"].split()]
    bounds = [int(word) for word in fields["cat_boundaries"].split()]
    for start, stop in itertools.pairwise(bounds):
        bits = enumerate(words[start:stop])
        yield frozenset(32 * place + bit for place, word in bits for bit in range(32) if word >> bit & 1)


def _check_counts(tree: Tree) -> None:
    for node in range(len(tree.feature)):
        children = tree.count_of(int(tree.left[node])) + tree.count_of(int(tree.right[node]))
        if children != tree.count[node]:
            raise DoesNotFitError(
                f"A node of {tree.count[node]} rows has children of {children} together: the counts of the "
                "model contradict each other, and so would its explanations."
            )
