"""Exact reasons: contributions equal shap's, and a difference of risk is split with nothing left over."""

from __future__ import annotations

import warnings
from itertools import combinations, pairwise
from math import factorial
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_model.errors import BundleError
from risk_model.model.between import between, read_forest
from risk_model.model.bundle import Bundle
from risk_model.model.loading import load
from tests import bundles
from tests.bundles import CALIBRATION, FEATURES

WIDTH = 5
SHAPES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "num_leaves": st.integers(2, 12),
        "max_depth": st.integers(1, 5),
        "rounds": st.integers(1, 12),
        "zero_as_missing": st.booleans(),
    }
)
"""Random LightGBM models: stumps to depth 5, nulls in two of the columns, zeros in one."""


def rows(count: int, seed: int) -> np.ndarray:
    """Values exact in float32, for shap compares in it; column 0 has zeros, 1 and 2 have nulls."""
    dice = np.random.default_rng(seed)
    x = dice.normal(size=(count, WIDTH)).astype(np.float32).astype(np.float64)
    x[dice.random(count) < 0.3, 0] = 0.0
    x[dice.random(count) < 0.2, 1] = np.nan
    x[dice.random(count) < 0.2, 2] = np.nan
    x[:, 4] = np.round(x[:, 4])
    return x


def grown(shape: dict) -> lightgbm.Booster:
    x = rows(300, shape["seed"])
    z = np.nan_to_num(x, nan=0.7)
    y = (z[:, 0] + z[:, 1] * z[:, 2] + np.abs(z[:, 3]) - z[:, 4] > 0.5).astype(int)
    options = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    options |= {name: shape[name] for name in ("seed", "num_leaves", "max_depth", "zero_as_missing")}
    return lightgbm.train(options, lightgbm.Dataset(x, y), shape["rounds"])


def explainer(booster: lightgbm.Booster, **options):
    """shap's own walk of the trees: left alone it would hand the question back to LightGBM."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its plotting imports warn of what is to come in matplotlib
        import shap

        made = shap.TreeExplainer(booster, **options)
    made.model.model_type = "internal"
    return made


def by_definition(booster: lightgbm.Booster, before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Shapley values by asking LightGBM for the margin of every mixture of the two rows."""
    members = range(WIDTH)
    mixtures = [frozenset(some) for size in range(WIDTH + 1) for some in combinations(members, size)]
    mixed = np.array([[now[i] if i in some else before[i] for i in members] for some in mixtures])
    worth = dict(zip(mixtures, booster.predict(mixed, raw_score=True), strict=True))
    shares = np.zeros(WIDTH)
    for some in mixtures:
        for i in set(members) - some:
            weight = factorial(len(some)) * factorial(WIDTH - len(some) - 1) / factorial(WIDTH)
            shares[i] += weight * (worth[some | {i}] - worth[some])
    return shares


@settings(max_examples=25, deadline=None)
@given(SHAPES)
def test_contributions_of_random_trees_equal_those_of_shap(shape):
    shape = {**shape, "zero_as_missing": False}  # shap knows nothing of zeros that mean missing
    booster = grown(shape)
    asked = rows(20, shape["seed"] + 1)
    found = booster.predict(asked, pred_contrib=True)
    made = explainer(booster, feature_perturbation="tree_path_dependent")
    assert made.shap_values(asked, check_additivity=False) == pytest.approx(found[:, :-1], abs=1e-8)
    assert np.ravel(made.expected_value)[-1] == pytest.approx(found[0, -1], abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(SHAPES)
def test_what_moved_is_the_shapley_value_over_every_mixture_of_the_two_rows(shape):
    booster = grown(shape)
    forest = read_forest(booster.dump_model())
    asked = rows(6, shape["seed"] + 2)
    asked[0, 3] = np.nan  # a null where training had none
    for before, now in pairwise(asked):
        moved = between(forest, before, now)
        assert moved == pytest.approx(by_definition(booster, before, now), abs=1e-10)
        margins = booster.predict(np.stack([before, now]), raw_score=True)
        assert moved.sum() == pytest.approx(margins[1] - margins[0], abs=1e-10)


@settings(max_examples=15, deadline=None)
@given(SHAPES)
def test_what_moved_equals_shap_with_the_earlier_values_as_its_one_reference(shape):
    shape = {**shape, "zero_as_missing": False}
    booster = grown(shape)
    forest = read_forest(booster.dump_model())
    asked = rows(6, shape["seed"] + 3)
    for before, now in pairwise(asked):
        made = explainer(booster, data=before[None, :], feature_perturbation="interventional")
        theirs = made.shap_values(now[None, :], check_additivity=False)
        assert between(forest, before, now) == pytest.approx(np.ravel(theirs), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.sets(st.integers(0, WIDTH - 1)))
def test_a_feature_that_did_not_move_gets_exactly_nothing(shape, moving):
    forest = read_forest(grown(shape).dump_model())
    before, other = rows(2, shape["seed"] + 4)
    now = before.copy()
    now[list(moving)] = other[list(moving)]
    moved = between(forest, before, now)
    assert all(moved[column] == 0 for column in set(range(WIDTH)) - moving)


@pytest.fixture(scope="module", params=["trees", "rule"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundle") / request.param
    made = {"trees": bundles.lightgbm_bundle, "rule": bundles.logistic_bundle}[request.param](folder)
    return load(folder, made)


def test_a_trained_bundle_explains_as_shap_does_times_the_calibration(tmp_path: Path):
    folder = tmp_path / "trees"
    bundle = load(folder, bundles.lightgbm_bundle(folder))
    asked = bundles.pupils(200, seed=5)[FEATURES].astype(np.float32).astype(np.float64)
    explained = bundle.explain(asked)
    made = explainer(bundles.booster(), feature_perturbation="tree_path_dependent")
    theirs = made.shap_values(asked.to_numpy(), check_additivity=False)
    assert explained.contributions == pytest.approx(CALIBRATION.slope * theirs, abs=1e-8)
    base = CALIBRATION.slope * float(np.ravel(made.expected_value)[-1]) + CALIBRATION.intercept
    assert explained.base == pytest.approx(base, abs=1e-8)


def test_a_bundle_splits_the_difference_of_two_rows_in_calibrated_log_odds(bundle: Bundle):
    asked = bundles.pupils(40, seed=6)
    risk = bundle.predict(asked)
    log_odds = np.log(risk / (1 - risk))
    for row in range(39):
        before, now = (asked.iloc[at][list(bundle.features)].to_dict() for at in (row, row + 1))
        parts = bundle.between(before, now)
        assert set(parts) == set(bundle.features)
        assert sum(parts.values()) == pytest.approx(log_odds[row + 1] - log_odds[row], abs=1e-9)
        assert set(bundle.between(now, now).values()) == {0.0}


def test_parts_that_do_not_add_up_are_refused(bundle: Bundle):
    from dataclasses import replace

    class Liar:
        def margin(self, matrix, threads):
            return bundle.scorer.margin(matrix, threads)

        def between(self, before, now):
            return bundle.scorer.between(before, now) + 0.1

    before, now = (bundles.pupils(2).iloc[at].to_dict() for at in (0, 1))
    with pytest.raises(BundleError, match="do not add up"):
        replace(bundle, scorer=Liar()).between(before, now)


def test_trees_that_split_by_categories_are_refused():
    dice = np.random.default_rng(1)
    x = dice.integers(0, 4, (400, 1)).astype(float)
    y = (x[:, 0] == 2).astype(int)
    options = {"objective": "binary", "verbosity": -1, "min_data_in_leaf": 5}
    booster = lightgbm.train(options, lightgbm.Dataset(x, y, categorical_feature=[0]), 2)
    with pytest.raises(BundleError, match="categories"):
        read_forest(booster.dump_model())
