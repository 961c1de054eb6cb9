"""LightGBM models of every kind for the pattern tables, and an oracle that adds up coalitions."""

from __future__ import annotations

import re
from itertools import combinations
from math import comb, isfinite, isnan
from typing import Any

import lightgbm
import numpy as np

from risk_model.shap_tables.reading import Tree, read_forest

NEAR_ZERO = float(np.float32(1e-35))
CATEGORICAL = (5, 6)
"""Columns that may be trained as categories."""


def values(dice: np.random.Generator, rows: int) -> np.ndarray:
    """Seven columns: smooth, with many zeros, rounded, skewed, yes or no, and two of categories."""
    x = dice.normal(size=(rows, 7))
    x[:, 1] *= dice.random(rows) < 0.5
    x[:, 2] = np.round(2 * x[:, 2]) / 2
    x[:, 3] = np.exp(2 * x[:, 3])
    x[:, 4] = x[:, 4] > 0
    x[:, 5:] = dice.integers(0, 40, (rows, 2))
    x[dice.random(x.shape) < 0.1] = np.nan
    return x


def trained(
    seed: int,
    depth: int,
    *,
    rows: int = 400,
    rounds: int = 12,
    after: lightgbm.Booster | None = None,
    **options: Any,
) -> lightgbm.Booster:
    """A model over :func:`values`; repeated features on a path come by themselves with seven columns."""
    dice = np.random.default_rng(seed)
    x = values(dice, rows)
    margin = np.nan_to_num(x[:, 0] * x[:, 2]) + np.isnan(x[:, 3]) + np.nan_to_num(x[:, 5]) % 3 - 1
    left = dice.random(rows) < 1 / (1 + np.exp(-margin))
    settings = {"objective": "binary", "max_depth": depth, "num_leaves": 2**depth, "verbose": -1}
    settings |= {"num_threads": 1, "seed": seed, "min_data_in_leaf": 2, "min_sum_hessian_in_leaf": 0.0}
    settings |= {"cat_smooth": 1.0, "min_data_per_group": 3, "max_cat_to_onehot": int(dice.integers(1, 5))}
    data = lightgbm.Dataset(x, left, categorical_feature=list(CATEGORICAL), free_raw_data=False)
    return lightgbm.train(settings | options, data, rounds, init_model=after)


def edited(booster: lightgbm.Booster, **lines: Any) -> lightgbm.Booster:
    """The same model with lines of its text changed: ``threshold=lambda words, fields: new words``."""
    fields: dict[str, list[str]] = {}
    found = []
    for line in re.sub(r"tree_sizes=.*\n", "", booster.model_to_string()).split("\n"):
        key, mark, words = line.partition("=")
        fields = {} if key == "Tree" else fields | {key: words.split()}
        if mark and key in lines and words:
            fields[key] = [str(word) for word in lines[key](words.split(), fields)]
            line = f"{key}={' '.join(fields[key])}"
        found.append(line)
    return lightgbm.Booster(model_str="\n".join(found))


def with_any_missing_type(booster: lightgbm.Booster, seed: int) -> lightgbm.Booster:
    """Every split on a number gets a missing type and a default direction by chance."""
    dice = np.random.default_rng(seed)

    def decisions(words: list[str], fields: dict[str, list[str]]) -> list[int]:
        return [
            int(word) if int(word) & 1 else int(dice.integers(0, 3)) << 2 | 2 * int(dice.integers(0, 2))
            for word in words
        ]

    return edited(booster, decision_type=decisions)


def with_odd_thresholds(booster: lightgbm.Booster, seed: int) -> lightgbm.Booster:
    """A third of the thresholds lie where floating point is odd: around zero, at the ends."""
    dice = np.random.default_rng(seed)
    odd = [0.0, 1e-36, -1e-36, NEAR_ZERO, -NEAR_ZERO, 1.5e-35, -1.5e-35, 1e308, -1e308, 5e-324]

    def thresholds(words: list[str], fields: dict[str, list[str]]) -> list[str]:
        kinds = [int(word) for word in fields["decision_type"]] if "decision_type" in fields else []
        return [
            repr(odd[dice.integers(len(odd))]) if not kind & 1 and dice.random() < 0.33 else word
            for word, kind in zip(words, kinds, strict=True)
        ]

    text = booster.model_to_string()
    # `threshold` comes before `decision_type` in the file: hand the kinds on by the order of the trees
    kinds = iter(re.findall(r"^decision_type=(.*)$", text, re.MULTILINE))

    def with_kinds(words: list[str], fields: dict[str, list[str]]) -> list[str]:
        return thresholds(words, {"decision_type": next(kinds).split()})

    return edited(booster, threshold=with_kinds)


def with_empty_branches(booster: lightgbm.Booster, seed: int) -> lightgbm.Booster:
    """A third of the leaves, and whole subtrees with them, were reached by no row of the training."""
    dice = np.random.default_rng(seed)
    trees = iter(read_forest(booster.model_to_string()).trees)
    leaf_counts: list[np.ndarray] = []

    def leaves(words: list[str], fields: dict[str, list[str]]) -> list[int]:
        count = np.array([int(word) for word in words]) * (dice.random(len(words)) > 0.33)
        leaf_counts.append(count)
        return count.tolist()

    def inner(words: list[str], fields: dict[str, list[str]]) -> list[int]:
        return _counted(next(trees), leaf_counts.pop())

    return edited(booster, leaf_count=leaves, internal_count=inner)


def _counted(tree: Tree, leaf_count: np.ndarray) -> list[int]:
    def count(child: int) -> int:
        return int(leaf_count[~child]) if child < 0 else below(child)

    def below(node: int) -> int:
        return count(int(tree.left[node])) + count(int(tree.right[node]))

    return [below(node) for node in range(len(tree.feature))]


def hard_rows(booster: lightgbm.Booster, seed: int, rows: int) -> np.ndarray:
    """Rows at and beside the thresholds, at infinities, around zero, between categories, null."""
    dice = np.random.default_rng(seed)
    x = values(dice, rows)
    ends = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-36, NEAR_ZERO, -NEAR_ZERO, 2e-35, 1e300, -1e300]
    for tree in read_forest(booster.model_to_string()).trees:
        for column, at in zip(tree.feature, tree.threshold, strict=True):
            place = dice.integers(0, rows, 3)
            x[place, column] = [at, np.nextafter(at, np.inf), np.nextafter(at, -np.inf)]
    for column in range(x.shape[1]):
        x[dice.integers(0, rows, 2 * len(ends)), column] = ends * 2
    for column in CATEGORICAL:
        x[dice.integers(0, rows, 8), column] = [-1, -0.5, 0.5, 3.7, 1e6, 39, 40, 31.999]
    return x


def shapley(tree: Tree, row: np.ndarray) -> np.ndarray:
    """Contributions (k,) by the definition: every feature's gain over every coalition of the others."""
    players = sorted({int(feature) for feature in tree.feature})
    found = np.zeros(len(row))
    for player in players:
        others = [other for other in players if other != player]
        for size in range(len(others) + 1):
            weight = 1 / (len(players) * comb(len(others), size))
            for team in combinations(others, size):
                gain = expected(tree, row, {*team, player}) - expected(tree, row, set(team))
                found[player] += weight * gain
    return found


def expected(tree: Tree, row: np.ndarray, known: set[int], node: int = 0) -> float:
    """Expected value of the tree when only the features ``known`` are."""
    if node < 0 or len(tree.feature) == 0:
        return float(tree.leaf_value[~node if node < 0 else 0])
    left, right = int(tree.left[node]), int(tree.right[node])
    if int(tree.feature[node]) in known:
        return expected(tree, row, known, left if goes_left(tree, row, node) else right)
    rows = tree.count_of(left) + tree.count_of(right)
    share = tree.count_of(left) / rows if rows else 0.5
    below = expected(tree, row, known, left), expected(tree, row, known, right)
    return share * below[0] + (1 - share) * below[1]


def goes_left(tree: Tree, row: np.ndarray, node: int) -> bool:
    """LightGBM's decision on one value, as its ``tree.h`` writes it."""
    value, kind = float(row[tree.feature[node]]), int(tree.decision[node])
    if kind & 1:
        known = isfinite(value) and value > -1
        return known and int(value) in tree.categories[int(tree.threshold[node])]
    missing, default = kind >> 2 & 3, bool(kind & 2)
    if isnan(value) and missing == 2:
        return default
    value = 0.0 if isnan(value) or abs(value) <= NEAR_ZERO else value
    if value == 0 and missing == 1:
        return default
    return bool(value <= tree.threshold[node])
