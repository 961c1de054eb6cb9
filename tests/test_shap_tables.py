"""Pattern tables answer what LightGBM and shap answer, for every kind of tree, split and value."""

from __future__ import annotations

import subprocess
import sys
import warnings

import lightgbm
import numpy as np
import pytest

from risk_model.shap_tables import DoesNotFitError, PatternTables, TablesError, from_bytes, to_bytes
from risk_model.shap_tables.reading import read_forest
from tests import random_trees
from tests.random_trees import edited, hard_rows, trained

CLOSE = 1e-11


def _gap(booster: lightgbm.Booster, x: np.ndarray) -> float:
    """Largest distance from ``pred_contrib`` and the raw score; both must be finite."""
    base, contributions, margin = PatternTables.of(booster).answer(x)
    wanted = booster.predict(x, pred_contrib=True)
    assert np.isfinite(wanted).all()
    gaps = (contributions - wanted[:, :-1], base - wanted[:, -1], margin - booster.predict(x, raw_score=True))
    return max(float(np.abs(gap).max()) for gap in gaps)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("seed", range(5))
def test_random_models_are_explained_as_lightgbm_does(depth: int, seed: int) -> None:
    booster = trained(seed, depth)
    assert _gap(booster, hard_rows(booster, seed, 700)) < CLOSE


@pytest.mark.parametrize("seed", range(12))
def test_every_missing_type_and_default_direction_is_routed_exactly(seed: int) -> None:
    booster = random_trees.with_any_missing_type(trained(seed, 1 + seed % 6), seed)
    assert _gap(booster, hard_rows(booster, seed, 700)) < CLOSE


@pytest.mark.parametrize("seed", range(12))
def test_thresholds_around_zero_and_at_the_ends_are_routed_exactly(seed: int) -> None:
    booster = random_trees.with_any_missing_type(trained(seed, 1 + seed % 4), seed)
    booster = random_trees.with_odd_thresholds(booster, seed)
    assert _gap(booster, hard_rows(booster, seed, 700)) < CLOSE


def test_zeros_that_count_as_missing_as_lightgbm_trains_them() -> None:
    booster = trained(3, 5, zero_as_missing=True)
    assert any((tree.decision >> 2 & 3 == 1).any() for tree in read_forest(booster.model_to_string()).trees)
    assert _gap(booster, hard_rows(booster, 3, 700)) < CLOSE


def test_the_random_models_have_what_they_are_there_for() -> None:
    """Categories, and features that come back on a path, are not tested by accident only."""
    trees = [tree for seed in range(5) for tree in read_forest(trained(seed, 6).model_to_string()).trees]
    assert any((tree.decision & 1).any() for tree in trees)
    assert any(len(one) > 2 for tree in trees for one in tree.categories)
    assert any(len(tree.feature) > len(set(tree.feature)) for tree in trees)


def test_shap_gives_the_same() -> None:
    booster = trained(7, 4)
    x = random_trees.values(np.random.default_rng(8), 300)
    base, contributions = PatternTables.of(booster).explain(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap of an older shape of its answer, matplotlib of shap
        import shap

        explainer = shap.TreeExplainer(booster)
        wanted = explainer.shap_values(x)
    assert contributions == pytest.approx(wanted, abs=CLOSE)
    assert base == pytest.approx(float(np.ravel(explainer.expected_value)[-1]), abs=CLOSE)


@pytest.mark.parametrize("seed", range(6))
def test_branches_no_row_of_the_training_took_are_explained_by_the_definition(seed: int) -> None:
    """LightGBM divides by zero there and says NaN; the coalitions have an answer, and it adds up."""
    booster = random_trees.with_empty_branches(trained(seed, 3 + seed % 2, rounds=3), seed)
    x = hard_rows(booster, seed, 300)[:60]
    _, contributions, margin = PatternTables.of(booster).answer(x)
    trees = read_forest(booster.model_to_string()).trees
    wanted = [sum(random_trees.shapley(tree, row) for tree in trees) for row in x]
    assert contributions == pytest.approx(np.array(wanted), abs=CLOSE)
    assert margin == pytest.approx(booster.predict(x, raw_score=True), abs=CLOSE)
    theirs = booster.predict(x, pred_contrib=True)[:, :-1]
    finite = np.isfinite(theirs)
    assert not finite.all()
    assert contributions[finite] == pytest.approx(theirs[finite], abs=CLOSE)


def test_a_tree_of_one_leaf_is_its_value() -> None:
    x = np.zeros((20, 2))
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(x, [0, 1] * 9 + [1, 1]), 3)
    assert all(len(tree.feature) == 0 for tree in read_forest(booster.model_to_string()).trees)
    assert _gap(booster, x) < CLOSE


def test_trees_of_one_leaf_among_others() -> None:
    nothing = lightgbm.Dataset(np.zeros((50, 7)), [0, 1] * 25, free_raw_data=False)
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1}
    booster = trained(1, 3, after=lightgbm.train(settings, nothing, 1))
    sizes = {len(tree.feature) for tree in read_forest(booster.model_to_string()).trees}
    assert 0 in sizes
    assert len(sizes) > 1
    assert _gap(booster, hard_rows(booster, 1, 300)) < CLOSE


def test_the_answer_depends_neither_on_threads_nor_on_neighbours_nor_on_the_layout() -> None:
    booster = trained(2, 5)
    tables, x = PatternTables.of(booster), hard_rows(booster, 2, 9001)
    alone = tables.answer(x, threads=1)
    for other in (
        tables.answer(x, threads=2),
        tables.answer(x, threads=5),
        tables.answer(np.asfortranarray(x)),
        tables.answer(np.repeat(x, 2, axis=0)[::2]),
    ):
        assert np.array_equal(alone.contributions, other.contributions)
        assert np.array_equal(alone.margin, other.margin)
    for row in (0, 1, 255, 256, 9000):
        assert np.array_equal(tables.explain(x[row : row + 1])[1][0], alone.contributions[row])
    assert np.array_equal(tables.margin(x), alone.margin)


def test_float32_and_read_only_matrices_are_taken_as_they_are() -> None:
    booster = trained(4, 4)
    tables = PatternTables.of(booster)
    with np.errstate(over="ignore"):
        x = hard_rows(booster, 4, 500).astype(np.float32)
    x.setflags(write=False)
    wanted = booster.predict(x, pred_contrib=True)[:, :-1]
    assert tables.explain(x)[1] == pytest.approx(wanted, abs=CLOSE)


def test_nobody_is_explained_as_nothing_and_another_width_is_refused() -> None:
    tables = PatternTables.of(trained(5, 2))
    assert tables.explain(np.empty((0, 7)))[1].shape == (0, 7)
    with pytest.raises(ValueError, match="takes 7 features"):
        tables.margin(np.zeros((3, 6)))


def test_shallow_trees_on_the_same_features_share_a_table() -> None:
    tables = PatternTables.of(trained(6, 2, rounds=200, rows=2000))
    assert len(tables.layout.size) < 100
    assert tables.layout.size.max() <= 512


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"linear_tree": True}, "linear"),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "averages"),
        ({"max_depth": 14, "num_leaves": 600, "rounds": 2, "rows": 5000}, "too deep"),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, object], says: str) -> None:
    depth = int(options.pop("max_depth", 3))  # type: ignore[call-overload]
    with pytest.raises(DoesNotFitError, match=says):
        PatternTables.of(trained(1, depth, **options))  # type: ignore[arg-type]


def test_several_margins_and_contradicting_counts_do_not_fit() -> None:
    x = np.random.default_rng(1).normal(size=(90, 3))
    settings = {"objective": "multiclass", "num_class": 3, "verbose": -1}
    several = lightgbm.train(settings, lightgbm.Dataset(x, np.arange(90) % 3), 2)
    with pytest.raises(DoesNotFitError, match="more than one margin"):
        PatternTables.of(several)
    with pytest.raises(DoesNotFitError, match="contradict"):
        PatternTables.of(edited(trained(1, 3), leaf_count=lambda words, _: ["0", *words[1:]]))
    with pytest.raises(DoesNotFitError, match="no LightGBM model"):
        PatternTables.of_text("tree\nversion=v4\n")


def test_stored_tables_come_back_as_they_were_and_are_always_the_same_bytes() -> None:
    booster = trained(8, 4)
    model = booster.model_to_string().encode()
    stored = to_bytes(PatternTables.of(booster), model)
    assert to_bytes(PatternTables.of_text(model.decode()), model) == stored
    x = hard_rows(booster, 8, 300)
    found, made = from_bytes(stored, model), PatternTables.of(booster)
    assert found.features == made.features
    assert np.array_equal(found.explain(x)[1], made.explain(x)[1])
    with pytest.raises(TablesError, match="another model"):
        from_bytes(stored, model + b" ")


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("columns", lambda a: a + 100),
        ("member", lambda a: a - 1),
        ("step_feature", lambda a: a + 7),
        ("step_delta", lambda a: a + np.uint16(300)),
        ("step_delta", lambda a: (-a.astype(np.int64)).astype(np.uint16)),
        ("size", lambda a: a + 1),
        ("table_at", lambda a: a + 8),
        ("edge_at", lambda a: a[::-1].copy()),
        ("member_at", lambda a: a[:-1]),
        ("table", lambda a: a[:-1]),
        ("table", lambda a: a.astype(np.float32)),
        ("edges", lambda a: a.reshape(1, -1)),
        ("format", lambda a: a + 1),
        ("features", lambda a: np.array([{}] * 7, dtype=object)),
    ],
)
def test_tables_that_would_lead_the_kernel_astray_are_refused(name: str, harm: object) -> None:
    import io

    model = trained(9, 3).model_to_string().encode()
    with np.load(io.BytesIO(to_bytes(PatternTables.of_text(model.decode()), model))) as stored:
        arrays = dict(stored)
    arrays[name] = harm(arrays[name])  # type: ignore[operator]
    target = io.BytesIO()
    np.savez(target, allow_pickle=True, **arrays)
    with pytest.raises(TablesError, match="cannot be used"):
        from_bytes(target.getvalue(), model)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04N."])
def test_a_file_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(TablesError, match="cannot be used"):
        from_bytes(content, b"")


def test_where_nothing_may_be_written_the_kernel_is_compiled_all_the_same(tmp_path: object) -> None:
    """A read-only installation of a user without a home: slower to start, never an error."""
    code = (
        "import numba.core.caching as caching\n"
        "def nowhere(*_): raise RuntimeError('no locator available')\n"
        "caching.CacheImpl.__init__ = nowhere\n"
        "from risk_model.shap_tables.kernel import turn_in\n"
        "import numpy as np\n"
        "sums = np.zeros((1, 9))\n"
        "turn_in(np.ones((1, 1)), np.array([0]), sums)\n"
        "print(sums[0, 0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.strip() == "1.0", done.stderr
