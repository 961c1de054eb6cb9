"""The champion in memory: replaced when it changes, never by one that does not answer as it was made."""

from __future__ import annotations

import json
import threading

import pytest

from risk_model.errors import BundleError, MissingError
from risk_model.home import Home
from risk_model.roles import Roles
from serving.hot_model import HotModel
from tests.nights import FEATURES, bundle, shelve
from tests.service_rig import promote

PUPIL = [[0.4, 1.0, 0.0, 5.0, 7.0]]


@pytest.fixture
def home(tmp_path) -> Home:
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    return home


def made(home: Home, version: str, slope: float) -> str:
    """A model on the shelf, made champion; its digest."""
    folder = home.folder / f"made{version}"
    digest = bundle(folder, slope=slope)
    shelve(home, folder)
    promote(home, version, digest)
    return digest


def risk(model: HotModel) -> float:
    import numpy as np

    return float(model.served().bundle.predict(np.array(PUPIL), threads=1)[0])


def test_without_a_champion_there_is_nothing_to_serve(home: Home) -> None:
    """And what to do is said; once there is one, it serves without a restart."""
    model = HotModel(home, look_every=0)
    with pytest.raises(MissingError, match="no champion"):
        model.served()
    made(home, "1", 1.0)
    assert model.served().champion.version == "1"
    assert model.served().bundle.features == FEATURES


def test_a_new_champion_takes_over_and_a_rollback_takes_it_back(home: Home) -> None:
    """The same process answers with the model that holds the role now."""
    made(home, "1", 1.0)
    model = HotModel(home, look_every=0)
    before = risk(model)
    made(home, "2", 1.3)
    assert risk(model) > before
    Roles(home).rollback(who="D", why="worse")
    assert risk(model) == before


def test_a_damaged_champion_does_not_replace_one_that_serves(home: Home) -> None:
    """Nor does it serve where none did; a byte is enough."""
    made(home, "1", 1.0)
    model = HotModel(home, look_every=0)
    before = risk(model)
    digest = made(home, "2", 1.3)
    part = next(path for path in (home.bundles / digest[:12]).iterdir() if path.name == "manifest.json")
    part.write_bytes(part.read_bytes().replace(b"2026", b"2025", 1))
    assert risk(model) == before
    with pytest.raises(BundleError):
        HotModel(home, look_every=0).served()


def test_a_champion_that_answers_otherwise_does_not_serve(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Golden rows are asked before a model takes over, and by the canary ever after."""
    made(home, "1", 1.0)
    model = HotModel(home, look_every=0)
    assert model.canary() <= 1e-9
    monkeypatch.setattr("risk_model.model.golden.golden_gap", lambda bundle: 0.01)
    made(home, "2", 1.3)
    assert model.served().champion.version == "1"
    monkeypatch.setattr("serving.hot_model.golden_gap", lambda bundle: 0.01)
    with pytest.raises(BundleError, match="off by"):
        model.canary()


def test_requests_see_one_model_or_the_other_and_never_half(home: Home) -> None:
    """Eight threads ask while champions change: every answer is that of one of the two models."""
    made(home, "1", 1.0)
    model = HotModel(home, look_every=0)
    known = {risk(model)}
    digest = made(home, "2", 1.3)
    known.add(risk(model))
    old = json.loads((home.bundles / digest[:12] / "manifest.json").read_text())
    assert old
    seen: set[float] = set()
    threads = [threading.Thread(target=lambda: seen.update(risk(model) for _ in range(40))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for turn in range(6):
        Roles(home).rollback(who="D", why=f"turn {turn}")
    for thread in threads:
        thread.join()
    assert seen <= known


def test_the_first_request_finds_the_model_loaded_and_a_home_without_one_is_served_all_the_same(home):
    HotModel(home).warm()
    made(home, "1", 1.0)
    model = HotModel(home, look_every=float("inf"))
    model.warm()
    home.mlruns.rename(home.folder / "elsewhere")
    assert model.served().champion.version == "1"
