"""From Python a model is loaded by its digest and answers a risk and reasons that add up to it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import risk_model
from risk_model import Explanation, RiskModel
from risk_model.api import AdditivityError
from risk_model.errors import BundleError, UsageError
from risk_model.model.loading import load
from tests import bundles
from tests.bundles import FEATURES, PROVENANCE

WRITERS = {"trees": bundles.lightgbm_bundle, "rule": bundles.logistic_bundle}
UNPICKLED: list[str] = []


@pytest.fixture(scope="module", params=WRITERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / request.param
    WRITERS[request.param](folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> RiskModel:
    return RiskModel.load(folder)


def test_a_risk_keeps_the_index_of_the_row_it_belongs_to(model: RiskModel) -> None:
    pupils = bundles.pupils(20, seed=5).set_index(pd.Index([f"G{i}" for i in range(20)], name="student_id"))
    risk = model.predict(pupils.sample(frac=1, random_state=3))
    assert risk.name == "risk"
    assert risk.index.name == "student_id"
    assert risk.reindex(pupils.index).to_numpy() == pytest.approx(model.bundle.predict(pupils), abs=1e-12)


def test_columns_are_taken_by_name_in_any_order_and_others_are_ignored(model: RiskModel) -> None:
    pupils = bundles.pupils(20, seed=5)
    shuffled = pupils[["left", *reversed(FEATURES)]]
    assert model.predict(shuffled).tolist() == model.predict(pupils).tolist()
    assert set(model.features) <= set(FEATURES)


def test_contributions_and_base_add_up_to_the_risk_that_predict_tells(model: RiskModel) -> None:
    pupils = bundles.pupils(300, seed=6).set_index(np.arange(1000, 1300))
    told = model.explain(pupils)
    assert tuple(told.contributions.columns) == model.features
    assert told.contributions.index.equals(pupils.index)
    assert told.risk.tolist() == model.predict(pupils).tolist()
    total = told.base + told.contributions.sum(axis=1)
    assert (1 / (1 + np.exp(-total))).to_numpy() == pytest.approx(told.risk.to_numpy(), abs=1e-9)
    assert np.ptp(told.risk) > 0.1


def test_a_table_without_rows_has_no_risks(model: RiskModel) -> None:
    nobody = bundles.pupils(5).iloc[:0]
    assert model.predict(nobody).empty
    assert model.explain(nobody).contributions.shape == (0, len(model.features))


def test_another_model_than_the_one_pinned_is_refused(folder: Path) -> None:
    digest = load(folder).digest
    assert RiskModel.load(str(folder), digest).bundle.digest == digest
    with pytest.raises(BundleError, match="is not what was registered"):
        RiskModel.load(folder, "0" * 64)


def test_a_model_altered_on_disk_is_refused_and_its_part_named(tmp_path: Path) -> None:
    bundles.lightgbm_bundle(tmp_path / "trees")
    part = tmp_path / "trees" / "model.txt"
    part.write_bytes(part.read_bytes().replace(b"leaf_value=", b"leaf_value=9", 1))
    with pytest.raises(BundleError, match=r"model\.txt .* SHA-256 differs"):
        RiskModel.load(tmp_path / "trees")


def test_a_missing_column_is_named(model: RiskModel) -> None:
    without = bundles.pupils(5).drop(columns="absence_rate_30")
    for ask in (model.predict, model.explain):
        with pytest.raises(BundleError, match="needs the feature absence_rate_30"):
            ask(without)


def test_a_table_without_names_is_refused(model: RiskModel) -> None:
    with pytest.raises(UsageError, match="named columns is needed, not ndarray"):
        model.predict(np.zeros((2, len(model.features))))  # type: ignore[arg-type]


def test_the_manifest_says_how_the_model_was_made(model: RiskModel) -> None:
    assert (model.manifest.as_of, model.manifest.horizon_days) == (PROVENANCE.as_of, 90)


@pytest.mark.parametrize("wrong", [0.1, np.nan])
def test_reasons_that_do_not_add_up_are_no_reasons(wrong: float) -> None:
    added = np.array([[0.5, -0.2], [0.1, 0.3]])
    risk = 1 / (1 + np.exp(1 - added.sum(axis=1)))
    assert len(Explanation.of(-1.0, added, risk, ["a", "b"], None).risk) == 2
    added[1, 0] += wrong
    with pytest.raises(AdditivityError, match="In 1 of 2 rows"):
        Explanation.of(-1.0, added, risk, ["a", "b"], None)


def _note_unpickling(event: str, arguments: tuple[object, ...]) -> None:
    if event == "pickle.find_class":
        UNPICKLED.append(str(arguments))


def test_nothing_is_unpickled_when_a_model_is_loaded_and_asked(folder: Path) -> None:
    """A pickle runs whatever it says; a bundle from another county must not be able to."""
    sys.addaudithook(_note_unpickling)
    pickle.loads(pickle.dumps(date(2026, 3, 2)))
    assert UNPICKLED, "the hook sees what is unpickled"
    UNPICKLED.clear()
    RiskModel.load(folder).explain(bundles.pupils(5))
    assert UNPICKLED == []


def test_importing_the_package_costs_nothing_until_something_is_asked_for() -> None:
    program = "import sys, risk_model; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"pandas", "numpy", "sklearn", "risk_model.api"} & set(done.stdout.split()) == set()


def test_the_package_shows_what_it_offers() -> None:
    assert {"Explanation", "RiskModel", "RiskClassifier", "RiskSearch"} <= set(dir(risk_model))
    assert all(getattr(risk_model, name).__name__ == name for name in risk_model.__all__)
    with pytest.raises(AttributeError, match="no attribute 'RiskOracle'"):
        _ = risk_model.RiskOracle  # type: ignore[attr-defined]
