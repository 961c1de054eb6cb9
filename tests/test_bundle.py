"""A bundle answers a risk and reasons that add up to it; it is verified before anything parses it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from risk_model.errors import BundleError
from risk_model.model import loading, storing
from risk_model.model.bundle import Bundle
from risk_model.model.loading import load
from risk_model.model.logistic import LogisticModel, Term, fit_logistic
from risk_model.model.manifest import MANIFEST, from_bytes
from risk_model.model.platt import CalibrationError, Platt, fit_platt
from risk_model.model.storing import copy_bundle, save_lightgbm, save_logistic
from tests import bundles
from tests.bundles import CALIBRATION, FEATURES, PROVENANCE, RULE


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundle") / "trees"
    return load(folder, bundles.lightgbm_bundle(folder))


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundle") / "rule"
    return load(folder, bundles.logistic_bundle(folder))


def _sigmoid(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))


def test_contributions_of_the_trees_add_up_to_the_calibrated_risk(trees: Bundle) -> None:
    frame = bundles.pupils(400, seed=2)
    explained = trees.explain(frame)
    raw = bundles.booster().predict(frame[FEATURES], raw_score=True)
    assert explained.contributions.shape == (400, 4)
    assert explained.risk == pytest.approx(
        _sigmoid(CALIBRATION.slope * raw + CALIBRATION.intercept), abs=1e-12
    )
    assert _sigmoid(explained.base + explained.contributions.sum(axis=1)) == pytest.approx(
        explained.risk, abs=1e-9
    )
    assert np.array_equal(trees.predict(frame), explained.risk)


def test_contributions_are_the_shap_values_times_the_slope(trees: Bundle) -> None:
    frame = bundles.pupils(50, seed=3)
    raw = bundles.booster().predict(frame[FEATURES], pred_contrib=True)
    explained = trees.explain(frame)
    assert explained.contributions == pytest.approx(CALIBRATION.slope * raw[:, :-1], abs=1e-12)
    assert explained.base == trees.base
    assert trees.base == pytest.approx(CALIBRATION.slope * raw[0, -1] + CALIBRATION.intercept, abs=1e-12)


def test_the_answer_depends_neither_on_threads_nor_on_chunks(trees: Bundle) -> None:
    frame = bundles.pupils(300, seed=4)
    whole = trees.explain(frame, threads=1)
    pieces = [piece for _, piece in trees.explain_chunks(frame, threads=2, chunk=7)]
    assert np.array_equal(np.concatenate([piece.contributions for piece in pieces]), whole.contributions)
    assert np.array_equal(np.concatenate([piece.risk for piece in pieces]), whole.risk)


def test_an_empty_cohort_is_explained_as_nothing(trees: Bundle, rule: Bundle) -> None:
    for bundle in (trees, rule):
        explained = bundle.explain(bundles.pupils(0))
        assert explained.contributions.shape == (0, len(bundle.features))
        assert explained.base == bundle.base
        assert len(bundle.predict(bundles.pupils(0))) == 0


def test_columns_are_taken_by_name_whatever_their_order(trees: Bundle) -> None:
    frame = bundles.pupils(60, seed=5)
    assert np.array_equal(trees.predict(frame), trees.predict(frame[["left", *reversed(FEATURES)]]))


def test_a_missing_feature_is_named(trees: Bundle) -> None:
    with pytest.raises(BundleError, match="travel_km"):
        trees.explain(bundles.pupils(3).drop(columns="travel_km"))


def test_a_matrix_of_another_width_is_refused(trees: Bundle) -> None:
    with pytest.raises(BundleError, match="takes 4 features"):
        trees.predict(np.zeros((3, 5)))


def test_nullable_columns_of_pandas_are_read_as_numbers_and_nulls(trees: Bundle) -> None:
    frame = bundles.pupils(40, seed=6)
    nullable = frame.astype({"absence_rate_30": "Float64", "boarding": "Int64"})
    assert np.array_equal(trees.predict(nullable), trees.predict(frame))


def test_contributions_that_do_not_add_up_are_an_error_not_a_reason(trees: Bundle) -> None:
    class Liar:
        def margin(self, matrix: np.ndarray, threads: int) -> np.ndarray:
            return trees.scorer.margin(matrix, threads) + 1e-4

        def contributions(self, matrix: np.ndarray, threads: int) -> tuple[float, np.ndarray]:
            return trees.scorer.contributions(matrix, threads)

        def answer(self, matrix: np.ndarray, threads: int) -> tuple[float, np.ndarray, np.ndarray]:
            return *self.contributions(matrix, threads), self.margin(matrix, threads)

    with pytest.raises(BundleError, match="do not add up"):
        replace(trees, scorer=Liar()).explain(bundles.pupils(20))


def test_an_infinite_value_in_a_linear_model_is_refused(rule: Bundle) -> None:
    broken = LogisticModel(0.0, (Term("a", 1.0, 0.0), Term("b", 1.0, 0.0)))
    with pytest.raises(BundleError, match="infinite"):
        replace(rule, scorer=broken).explain(np.array([[np.inf, -np.inf]]))


def test_the_rule_gives_each_term_its_distance_from_the_mean(rule: Bundle) -> None:
    frame = pd.DataFrame({"failed_core": [1.0, np.nan, 0.2], "absence_rate_30": [0.1, 0.0999, np.nan]})
    explained = rule.explain(frame)
    expected = np.array([[1.5 * (1 - 0.04), 0.7 * 0.8], [-1.5 * 0.04, 0.0], [0.0, 0.0]])
    assert explained.contributions == pytest.approx(CALIBRATION.slope * expected)
    assert explained.base == pytest.approx(CALIBRATION.slope * -4.0 + CALIBRATION.intercept)
    assert explained.risk[2] == pytest.approx(float(_sigmoid(np.array(explained.base))))


@given(arrays(np.float64, (5, 2), elements=st.floats(-1e6, 1e6) | st.just(float("nan"))))
@settings(max_examples=60, deadline=None)
def test_the_parts_of_a_linear_model_are_its_whole(matrix: np.ndarray) -> None:
    model = LogisticModel(-2.0, (Term("a", 0.3, 1.0), Term("b", -0.2, 0.5, at_least=0.0)))
    base, parts = model.contributions(matrix)
    assert base + parts.sum(axis=1) == pytest.approx(model.margin(matrix), rel=1e-12)
    assert (parts[np.isnan(matrix)] == 0).all()


def test_a_fitted_rule_treats_nulls_as_the_mean() -> None:
    frame = bundles.pupils(2000, seed=7)
    names = ["absence_rate_30", "failed_core"]
    fitted = fit_logistic(
        frame[names].to_numpy(), names, frame["left"].to_numpy(), at_least={"failed_core": 1.0}, penalty=1e-6
    )
    known = frame[names[0]].dropna()
    assert fitted.terms[0].mean == pytest.approx(float(known.mean()))
    assert fitted.terms[1].at_least == 1.0
    margin = fitted.margin(frame[names].to_numpy())
    assert float(_sigmoid(margin).mean()) == pytest.approx(float(frame["left"].mean()), abs=1e-6)


def test_a_feature_nobody_has_gets_no_weight_in_a_fitted_rule() -> None:
    matrix = np.column_stack([np.full(6, np.nan), np.arange(6.0)])
    fitted = fit_logistic(matrix, ["a", "b"], np.array([0, 0, 1, 0, 1, 1]))
    assert fitted.terms[0] == Term("a", 0.0, 0.0)


def test_a_bundle_tells_how_it_was_made(trees: Bundle) -> None:
    manifest = trees.manifest
    assert (manifest.kind, manifest.features) == ("lightgbm", tuple(FEATURES))
    assert manifest.as_of == PROVENANCE.as_of
    assert manifest.trained_snapshots == PROVENANCE.trained_snapshots
    assert manifest.absent_registers == ("travel",)
    assert manifest.reference["travel_km"].null_share == pytest.approx(0.1, abs=0.05)
    assert len(manifest.reference["travel_km"].quantiles) == 13
    assert from_bytes((trees.path / MANIFEST).read_bytes()) == manifest


def test_the_same_model_has_the_same_digest_and_another_has_another(tmp_path: Path) -> None:
    first = bundles.lightgbm_bundle(tmp_path / "a")
    assert bundles.lightgbm_bundle(tmp_path / "b") == first
    assert bundles.lightgbm_bundle(tmp_path / "a") == first
    assert bundles.lightgbm_bundle(tmp_path / "c", seed=2) != first


def test_another_bundle_in_the_folder_is_not_overwritten(tmp_path: Path) -> None:
    bundles.lightgbm_bundle(tmp_path / "a")
    with pytest.raises(BundleError, match="exists"):
        bundles.lightgbm_bundle(tmp_path / "a", seed=2)


def test_a_bundle_cut_short_while_it_was_written_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        bundles.lightgbm_bundle(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_is_the_same_bundle(trees: Bundle, tmp_path: Path) -> None:
    copy_bundle(trees.path, tmp_path / "copy")
    assert load(tmp_path / "copy", trees.digest).digest == trees.digest


@pytest.mark.parametrize("kind", ["trees", "rule"])
def test_300_random_byte_flips_are_all_refused(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No flipped byte of any part reaches a parser when the digest is pinned."""
    bundle: Bundle = request.getfixturevalue(kind)
    copy = tmp_path / "copy"
    shutil.copytree(bundle.path, copy)
    for parser in ("read_tabled", "read_logistic"):
        monkeypatch.setattr(loading, parser, lambda *_: pytest.fail("a parser saw an altered bundle"))
    dice = np.random.default_rng(20260901)
    for name in sorted(path.name for path in copy.iterdir()):
        whole = (copy / name).read_bytes()
        for _ in range(100):
            damaged = bytearray(whole)
            damaged[dice.integers(len(whole))] ^= int(dice.integers(1, 256))
            (copy / name).write_bytes(damaged)
            with pytest.raises(BundleError, match=name):
                load(copy, bundle.digest)
        (copy / name).write_bytes(whole)


@pytest.mark.parametrize("name", ["model.txt", "tables.npz", "calibrator.json"])
def test_an_altered_part_is_refused_and_named_even_without_a_pinned_digest(
    trees: Bundle, tmp_path: Path, name: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trees.path, copy)
    with (copy / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(BundleError, match=name):
        load(copy)


@pytest.mark.parametrize("name", ["manifest.json", "model.txt", "tables.npz", "calibrator.json"])
def test_a_missing_part_is_named(trees: Bundle, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trees.path, copy)
    (copy / name).unlink()
    with pytest.raises(BundleError, match=name):
        load(copy)


def _with_manifest(bundle: Bundle, folder: Path, old: str, new: str) -> Path:
    shutil.copytree(bundle.path, folder)
    text = (folder / MANIFEST).read_text()
    assert old in text
    (folder / MANIFEST).write_text(text.replace(old, new, 1))
    return folder


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"format": 1', '"format": 2', "format 2"),
        ('"kind": "lightgbm"', '"kind": "pickle"', "kind 'pickle'"),
        ('"kind": "lightgbm"', '"kind": "logistic"', "lists the parts"),
        ('"model.txt": {', '"../model.txt": {', "lists the parts"),
        ('"as_of": "2026-03-02"', '"as_of": "yesterday"', "not complete"),
        ('"as_of"', '"as_off"', "not complete"),
        ('"seed": 1', '"seed": NaN', "no valid JSON"),
        ('"travel_km",', '"boarding",', "twice"),
        ('"travel_km",', '"travel_miles",', "other features"),
    ],
)
def test_a_foreign_manifest_is_refused(trees: Bundle, tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(BundleError, match=says):
        load(_with_manifest(trees, tmp_path / "copy", old, new))


def test_a_pickle_in_place_of_a_part_never_runs(trees: Bundle, tmp_path: Path) -> None:
    canary = tmp_path / "ran"
    pickled = f"cos\nsystem\n(S'touch {canary}'\ntR.".encode()
    for name in ("model.txt", "calibrator.json", MANIFEST):
        copy = tmp_path / f"copy-{name}"
        shutil.copytree(trees.path, copy)
        (copy / name).write_bytes(pickled)
        with pytest.raises(BundleError, match=name):
            load(copy, trees.digest)
        with pytest.raises(BundleError, match=name):
            load(copy)
    assert not canary.exists()


def test_no_module_of_the_model_knows_pickle() -> None:
    for source in Path(storing.__file__).parent.glob("*.py"):
        text = source.read_text()
        assert "import pickle" not in text
        assert "joblib" not in text


@pytest.mark.parametrize("slope", [0.0, -0.5, float("nan"), float("inf")])
def test_a_calibration_that_does_not_rise_is_refused(slope: float) -> None:
    with pytest.raises(CalibrationError, match="slope"):
        Platt(slope, 0.0)


def test_platt_finds_the_line_that_made_the_labels() -> None:
    dice = np.random.default_rng(8)
    margin = dice.normal(-1, 2, 200_000)
    left = (dice.random(len(margin)) < _sigmoid(0.7 * margin - 0.4)).astype(int)
    fitted = fit_platt(margin, left)
    assert fitted.slope == pytest.approx(0.7, abs=0.02)
    assert fitted.intercept == pytest.approx(-0.4, abs=0.02)
    assert fit_platt(margin, left) == fitted


def test_sampled_negatives_with_their_weight_calibrate_like_everybody() -> None:
    """Doubling a row or giving it weight 2 is the same, and the scale of the weights is nothing."""
    dice = np.random.default_rng(9)
    margin = dice.normal(size=500)
    left = (dice.random(500) < _sigmoid(margin)).astype(int)
    twice = fit_platt(np.append(margin, margin[left == 0]), np.append(left, left[left == 0]))
    weighted = fit_platt(margin, left, np.where(left == 0, 2000.0, 1000.0))
    assert weighted.slope == pytest.approx(twice.slope, abs=1e-8)
    assert weighted.intercept == pytest.approx(twice.intercept, abs=1e-8)


def test_labels_that_fall_as_the_margin_rises_are_not_calibrated() -> None:
    with pytest.raises(CalibrationError, match="upside down"):
        fit_platt(np.array([1.0, 2.0, 3.0, 1.5]), np.array([1, 0, 0, 0]))


def test_a_slice_without_a_leaver_is_not_calibrated() -> None:
    with pytest.raises(CalibrationError, match="0 who left"):
        fit_platt(np.array([1.0, 2.0]), np.array([0, 0]))


def test_a_margin_that_says_nothing_is_not_calibrated() -> None:
    with pytest.raises(CalibrationError, match="upside down"):
        fit_platt(np.full(10, 0.3), np.array([1] + [0] * 9))


def test_a_perfect_separation_has_no_finite_calibration() -> None:
    with pytest.raises(CalibrationError, match="perfectly"):
        fit_platt(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]))


def test_a_slope_that_falls_is_not_calibrated() -> None:
    with pytest.raises(CalibrationError, match="slope"):
        fit_platt(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([1, 1, 0, 1, 0]))


def test_a_model_of_several_margins_is_no_bundle(tmp_path: Path) -> None:
    class Three:
        def num_model_per_iteration(self) -> int:
            return 3

    with pytest.raises(BundleError, match="one margin"):
        save_lightgbm(tmp_path / "a", Three(), Platt(), PROVENANCE)  # type: ignore[arg-type]


def test_a_logistic_bundle_comes_back_as_it_was(rule: Bundle) -> None:
    assert rule.scorer == RULE
    assert rule.manifest.kind == "logistic"


def test_a_linear_model_with_a_number_that_is_none_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_logistic(tmp_path / "a", LogisticModel(float("nan"), RULE.terms), Platt(), PROVENANCE)
    assert not (tmp_path / "a").exists()


def test_mlflows_loader_answers_risks_and_refuses_another_digest(trees: Bundle) -> None:
    from risk_model.model.pyfunc import _load_pyfunc

    frame = bundles.pupils(30, seed=10)
    scorer = _load_pyfunc(str(trees.path), {"bundle_digest": trees.digest})
    assert np.array_equal(scorer.predict(frame), trees.predict(frame))
    with pytest.raises(BundleError, match=MANIFEST):
        _load_pyfunc(str(trees.path), {"bundle_digest": "0" * 64})
