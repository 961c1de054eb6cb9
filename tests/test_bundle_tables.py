"""A bundle of trees carries its pattern tables, and may serve only if they say what LightGBM says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from risk_model.errors import BundleError
from risk_model.home import Home
from risk_model.model.bundle import Bundle
from risk_model.model.exactness import demand_exact, probe_rows, tables_gap
from risk_model.model.golden import golden_gap
from risk_model.model.loading import load
from risk_model.model.manifest import MANIFEST, TABLES, digest_of
from risk_model.model.platt import Platt
from risk_model.model.storing import save_lightgbm
from risk_model.model.tabled import SlowExplanationWarning, TabledTrees
from risk_model.model.trees import TreeModel
from risk_model.registry import Registry
from risk_model.settings import Settings
from risk_model.shap_tables import PatternTables
from tests import bundles, random_trees
from tests.bundles import PROVENANCE


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundle") / "trees"
    return load(folder, bundles.lightgbm_bundle(folder))


def _tables_of(bundle: Bundle) -> PatternTables:
    assert isinstance(bundle.scorer, TabledTrees)
    return bundle.scorer.tables


def _without_tables(bundle: Bundle, folder: Path) -> Path:
    """The bundle as versions before tables were kept would have written it."""
    shutil.copytree(bundle.path, folder)
    (folder / TABLES).unlink()
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["parts"][TABLES]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def _with_tables(bundle: Bundle, folder: Path, harm: float) -> Path:
    """The bundle with every entry of its tables off by ``harm``, and the hashes to match."""
    shutil.copytree(bundle.path, folder)
    with np.load(folder / TABLES) as stored:
        arrays = dict(stored)
    arrays["table"] = arrays["table"] + harm
    np.savez(folder / TABLES, **arrays)
    content = (folder / TABLES).read_bytes()
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["parts"][TABLES] = {"sha256": digest_of(content), "size": len(content)}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def test_tables_are_a_hashed_part_made_once(trees: Bundle) -> None:
    assert TABLES in trees.manifest.parts
    made = PatternTables.of(bundles.booster())
    assert np.array_equal(_tables_of(trees).layout.table, made.layout.table)


def test_a_bundle_made_before_tables_were_kept_gets_them_when_it_is_loaded(
    trees: Bundle, tmp_path: Path
) -> None:
    old = load(_without_tables(trees, tmp_path / "old"))
    frame = bundles.pupils(200, seed=11)
    assert np.array_equal(old.explain(frame).contributions, trees.explain(frame).contributions)


def test_scoring_with_tables_never_opens_lightgbm(trees: Bundle) -> None:
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from risk_model.model.loading import load\n"
        f"bundle = load(Path({str(trees.path)!r}))\n"
        "assert 'numba' not in sys.modules\n"
        "bundle.explain(np.zeros((3, 4)))\n"
        "assert 'lightgbm' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def test_golden_risks_are_lightgbms_own(trees: Bundle) -> None:
    gap = golden_gap(trees)
    assert gap is not None
    assert gap < 1e-12


def test_the_tables_of_a_sound_bundle_are_lightgbms_answers(trees: Bundle) -> None:
    gap = tables_gap(trees, bundles.pupils(100)[list(trees.features)].to_numpy())
    assert gap is not None
    assert gap < 1e-12


def test_the_probes_touch_every_threshold_and_null(trees: Bundle) -> None:
    tables = _tables_of(trees)
    rows = probe_rows(tables, 2000)
    for one, column in enumerate(tables.layout.columns):
        edges = tables.layout.edges[tables.layout.edge_at[one] : tables.layout.edge_at[one + 1]]
        assert set(edges) <= set(rows[:, column])
        assert np.isnan(rows[:, column]).any()


@pytest.mark.parametrize("harm", [1e-6, np.nan])
def test_tables_that_say_something_else_than_lightgbm_are_found(
    trees: Bundle, tmp_path: Path, harm: float
) -> None:
    wrong = load(_with_tables(trees, tmp_path / "wrong", harm))
    with pytest.raises(BundleError, match="otherwise than LightGBM"):
        demand_exact(wrong)


def test_two_features_that_share_an_error_are_found_though_the_risk_is_right(trees: Bundle) -> None:
    """Additivity alone would not notice: what one feature has too much the other has too little."""

    class Swapped(TabledTrees):
        def answer(self, matrix: np.ndarray, threads: int) -> tuple[float, np.ndarray, np.ndarray]:
            base, contributions, margin = super().answer(matrix, threads)
            return base, contributions[:, ::-1], margin

    assert isinstance(trees.scorer, TabledTrees)
    swapped = replace(trees, scorer=Swapped(trees.scorer.tables, trees.scorer.model))
    swapped.explain(bundles.pupils(20))
    with pytest.raises(BundleError, match="otherwise than LightGBM"):
        demand_exact(swapped)


def test_tables_of_another_model_are_refused(trees: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(trees.path, folder)
    bundles.lightgbm_bundle(tmp_path / "other", seed=2)
    shutil.copy(tmp_path / "other" / TABLES, folder / TABLES)
    manifest = json.loads((folder / MANIFEST).read_text())
    other = json.loads((tmp_path / "other" / MANIFEST).read_text())
    manifest["parts"][TABLES] = other["parts"][TABLES]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="made from another model"):
        load(folder)


def test_a_version_whose_tables_are_wrong_is_never_promoted(trees: Bundle, tmp_path: Path) -> None:
    registry = Registry(Home(tmp_path), Settings())
    sound = registry.record_run(trees.path, params={}, tags={})
    registry.promote(sound, who="a", why="first")
    wrong = registry.record_run(_with_tables(trees, tmp_path / "wrong", 1e-11), params={}, tags={})
    registry.promote(wrong, who="a", why="off by less than counts")
    worse = registry.record_run(_with_tables(trees, tmp_path / "worse", 1e-8), params={}, tags={})
    with pytest.raises(BundleError, match=f"Version {worse}"):
        registry.promote(worse, who="a", why="off by more")
    champion = registry.champion()
    assert champion is not None
    assert champion.version == wrong


def test_a_model_that_fits_no_tables_is_kept_and_explained_slowly_with_a_warning(tmp_path: Path) -> None:
    deep = random_trees.trained(1, 14, rows=5000, rounds=2, num_leaves=600)
    with pytest.warns(SlowExplanationWarning, match="too deep"):
        digest = save_lightgbm(tmp_path / "deep", deep, Platt(), PROVENANCE)
    with pytest.warns(SlowExplanationWarning, match="too deep"):
        bundle = load(tmp_path / "deep", digest)
    assert isinstance(bundle.scorer, TreeModel)
    assert TABLES not in bundle.manifest.parts
    x = random_trees.values(np.random.default_rng(1), 50)
    wanted = deep.predict(x, pred_contrib=True)
    assert np.array_equal(bundle.explain(x).contributions, wanted[:, :-1])
    assert tables_gap(bundle) is None


def test_columns_first_or_rows_first_the_answer_is_the_same(trees: Bundle) -> None:
    x = bundles.pupils(3000, seed=12)[list(trees.features)].to_numpy()
    columns_first = np.asfortranarray(x)
    assert np.array_equal(trees.explain(columns_first).contributions, trees.explain(x).contributions)


def test_a_booster_with_pandas_categories_is_explained_by_its_codes() -> None:
    """LightGBM turns a frame's categories to codes before the trees see them; tables take the codes."""
    frame = bundles.pupils(600)
    frame["boarding"] = frame["boarding"].fillna(2).astype(int).astype("category")
    settings = {"objective": "binary", "verbosity": -1, "min_data_per_group": 5, "num_threads": 1}
    data = lightgbm.Dataset(frame[bundles.FEATURES], frame["left"])
    booster = lightgbm.train(settings | {"max_depth": 4}, data, 10)
    codes = frame[bundles.FEATURES].assign(boarding=frame["boarding"].cat.codes).to_numpy(dtype=float)
    wanted = booster.predict(frame[bundles.FEATURES], pred_contrib=True)[:, :-1]
    assert PatternTables.of(booster).explain(codes)[1] == pytest.approx(wanted, abs=1e-12)
