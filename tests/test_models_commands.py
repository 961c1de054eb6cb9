"""``models``: compare, promote, roll back, verify, export and import, through the command itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from risk_model import registry as registries
from risk_model.command.main import main
from risk_model.errors import PromotionRefusedError
from risk_model.home import Home
from risk_model.registry import Registry
from risk_model.settings import Settings
from risk_model.tracking import NAME
from tests import bundles
from training import carrying
from training.promoting import promote, rollback

REPORT = {
    "gate": {"passed": False, "checks": [{"name": "positives", "passed": False}]},
    "backtest": [{"snapshot": "2026-01-01"}],
    "pooled": {"roc_auc": 0.81, "recall_at": {"5%": 0.4}},
}


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two versions, the first one champion; copied for each test."""
    folder = tmp_path_factory.mktemp("offices")
    registry = Registry(Home(folder / "home"), Settings())
    for seed in (1, 2):
        bundles.lightgbm_bundle(folder / f"bundle{seed}", seed)
        registry.record_run(folder / f"bundle{seed}", artifacts={registries.REPORT: {**REPORT, "seed": seed}})
    registry.promote("1", who="the office", why="the first")
    return folder


@pytest.fixture
def home(offices: Path, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(offices / "home", tmp_path / "home")))


@pytest.fixture(autouse=True)
def known_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small bundles use features of their own."""
    monkeypatch.setattr(carrying, "_demand_features", lambda names: None)


def call(home: Home, *arguments: str) -> Any:
    result = CliRunner().invoke(main, ["--home", str(home.folder), "--json", "models", *arguments])
    return result.exit_code, json.loads(result.stdout or "null"), result.stderr


def champion(home: Home) -> str:
    found = Registry(home, Settings()).champion()
    assert found is not None
    return found.version


def test_a_promotion_by_hand_says_which_checks_it_overrules(home):
    code, document, _ = call(home, "promote", "2", "--why", "the county asked for it")
    assert code == 0
    assert (document["version"], document["from_version"]) == ("2", "1")
    assert document["failed_checks"] == ["positives"]
    row = Registry(home, Settings()).history()[-1]
    assert row.why == "the county asked for it"
    assert row.report_digest is not None


def test_a_promotion_without_a_reason_is_refused(home):
    assert call(home, "promote", "2")[0] == 2
    assert champion(home) == "1"


def test_an_unknown_version_is_named_and_the_champion_stays(home):
    code, _, said = call(home, "promote", "7", "--why", "typo")
    assert code == 1
    assert "no version 7" in said
    assert champion(home) == "1"


def test_rollback_brings_the_champion_before_back_and_again_returns(home):
    promote(home, Settings(), "2", "better")
    code, document, _ = call(home, "rollback", "--why", "worse after all")
    assert (code, document["version"], document["from_version"]) == (0, "1", "2")
    assert rollback(home, Settings(), "it was not")["version"] == "2"


def test_there_is_nothing_to_roll_back_to_before_the_second_champion(home):
    code, _, said = call(home, "rollback", "--why", "?")
    assert code == 1
    assert "No other version" in said


def test_rollback_needs_neither_mlflow_nor_lightgbm_nor_a_database_of_runs(home):
    promote(home, Settings(), "2", "better")
    (home.mlruns / "mlflow.db").unlink()
    script = (
        "import sys; from risk_model.command.main import main\n"
        f"try: main(['--home', {str(home.folder)!r}, 'models', 'rollback', '--why', 'night'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print({'mlflow', 'lightgbm', 'sklearn', 'duckdb'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "set()"
    assert champion(home) == "1"


def test_mlflows_alias_follows_a_rollback_with_the_next_verify(home):
    promote(home, Settings(), "2", "better")
    rollback(home, Settings(), "worse")
    client = Registry(home, Settings())._tracking().client
    assert str(client.get_registered_model(NAME).aliases["champion"]) == "2"
    assert call(home, "verify")[0] == 0
    assert str(client.get_registered_model(NAME).aliases["champion"]) == "1"


def test_a_challenger_is_named_shown_and_withdrawn_by_command(home):
    code, document, _ = call(home, "challenge", "2", "--why", "look at it for a month")
    assert (code, document["version"], document["failed_checks"]) == (0, "2", ["positives"])
    assert [one["aliases"] for one in call(home, "list")[1]] == [["champion"], ["challenger"]]
    shown = call(home, "show", "2")[1]
    assert [(row["role"], row["why"]) for row in shown["promotions"]] == [
        ("challenger", "look at it for a month")
    ]
    assert shown["shadow"] is None, "it has not scored a night yet"
    assert call(home, "compare", "1", "2")[1]["shadow"] is None
    assert call(home, "verify")[1]["challenger"] == "2"
    assert call(home, "challenge", "1", "--why", "?")[0] == 2
    code, document, _ = call(home, "challenge", "none", "--why", "seen enough")
    assert (code, document["version"], document["from_version"]) == (0, None, "2")
    assert call(home, "verify")[1]["challenger"] is None
    assert champion(home) == "1"


def test_of_two_who_promote_at_once_the_second_is_told(home):
    registry = Registry(home, Settings())
    seen = registry.champion()
    registry.promote("2", who="Wang", why="first", instead_of=seen)
    with pytest.raises(PromotionRefusedError, match="version 2, promoted by Wang: first"):
        registry.promote("1", who="Li", why="second", instead_of=seen)
    assert champion(home) == "2"


def test_verify_names_the_damaged_version_and_ends_with_1(home):
    model = next(
        home.mlruns.glob(f"bundles/{Registry(home, Settings()).versions()[1].digest[:12]}/model.txt")
    )
    model.write_bytes(model.read_bytes() + b" ")
    code, document, _ = call(home, "verify")
    assert code == 1
    assert [one["damage"] is None for one in document["versions"]] == [True, False]
    assert "model.txt" in document["versions"][1]["damage"]


def test_compare_sets_figures_side_by_side(home):
    code, document, _ = call(home, "compare", "1", "2")
    assert code == 0
    assert document["same_snapshots"] is True
    assert document["figures"]["roc_auc"] == [0.81, 0.81]
    assert document["figures"]["recall_at.5%"] == [0.4, 0.4]
    assert document["made"]["seed"] == [1, 2]
    assert document["failed_checks"] == [["positives"], ["positives"]]


@pytest.mark.parametrize("name", ["model.zip", "model"])
def test_a_model_travels_to_an_office_without_history(home, tmp_path, name):
    assert call(home, "export", "2", "--out", str(tmp_path / name))[0] == 0
    other = Home(tmp_path / "other")
    code, document, _ = call(other, "import", str(tmp_path / name))
    assert code == 0
    registry = Registry(other, Settings())
    assert document["digest"] == Registry(home, Settings()).versions()[1].digest
    assert registry.champion() is None
    assert registry.origin(document["version"]) == name
    promote(other, Settings(), document["version"], "no history of our own yet")
    assert champion(other) == document["version"]
    assert Registry(home, Settings()).origin("2") is None


def test_the_same_export_is_the_same_file_and_never_overwrites(home, tmp_path):
    files = [tmp_path / "a.zip", tmp_path / "b.zip"]
    for file in files:
        assert call(home, "export", "1", "--out", str(file))[0] == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert call(home, "export", "1", "--out", str(files[0]))[0] == 2


def test_a_bundle_with_a_changed_byte_is_not_imported(home, tmp_path):
    call(home, "export", "1", "--out", str(tmp_path / "model"))
    part = tmp_path / "model" / "calibrator.json"
    part.write_bytes(part.read_bytes().replace(b"0", b"1", 1))
    code, _, said = call(home, "import", str(tmp_path / "model"))
    assert code == 1
    assert "SHA-256 differs" in said
    assert len(Registry(home, Settings()).versions()) == 2


@pytest.mark.parametrize("entry", ["../../evil.txt", "/etc/evil", "extra.pkl"])
def test_a_zip_with_a_foreign_file_is_not_opened(home, tmp_path, entry):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(entry, b"x")
    code, _, said = call(home, "import", str(tmp_path / "bad.zip"))
    assert code == 1
    assert "no part of a model bundle" in said


def test_a_file_that_is_no_zip_is_refused_readably(home, tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"not a zip")
    code, _, said = call(home, "import", str(tmp_path / "bad.zip"))
    assert code == 1
    assert "no readable zip" in said


def test_a_bundle_that_answers_otherwise_than_when_it_was_made_is_not_promoted(home, monkeypatch):
    from risk_model.model.bundle import Bundle

    honest = Bundle.predict
    monkeypatch.setattr(Bundle, "predict", lambda self, rows, **more: honest(self, rows, **more) + 1e-6)
    code, _, said = call(home, "promote", "2", "--why", "new library")
    assert code == 1
    assert "golden row" in said
    assert champion(home) == "1"
