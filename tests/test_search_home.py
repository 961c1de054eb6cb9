"""``train --budget`` on the registers of a simulated county, through the real command."""

from __future__ import annotations

from pathlib import Path

import pytest

from risk_model.home import Home
from risk_model.registry import Registry
from risk_model.settings import Settings
from risk_model.tracking import NAME
from tests.county import dropout_risk, simulate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def trials_under(home: Path, version: str) -> list:
    registry = Registry(Home(home), Settings())
    (stored,) = [found for found in registry.versions() if found.version == version]
    client = registry._tracking().client
    (experiment,) = client.search_experiments(filter_string=f"name = '{NAME}'")
    return client.search_runs(
        [experiment.experiment_id], f"tags.mlflow.parentRunId = '{stored.run_id}'", order_by=["params.trial"]
    )


def test_a_search_is_told_everywhere_and_asked_again_answers_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("DROPOUT_RISK_TRAINING__TEST_SNAPSHOTS", "2")
    registers = simulate(tmp_path / "registers", students=3000, years=3)
    home = tmp_path / "home"
    assert dropout_risk(home, "import", str(registers)).code == 0
    asked = ("train", "--promote", "never", "--budget", "6s")
    first = dropout_risk(home, *asked)
    assert first.code == 0, first.stderr
    search = first.document["search"]
    assert first.document["kind"] == "lightgbm"
    assert search["trials"] >= 1
    assert search["default_chosen"] == (search["chosen"] is None)
    assert max(search["origins"]) < search["known_on"] == first.document["backtest"][0]["snapshot"]

    version = first.document["version"]
    runs = trials_under(home, version)
    assert [run.data.params["trial"] for run in runs] == [str(n) for n in range(search["trials"])]
    assert sum(run.data.tags["chosen"] == "true" for run in runs) == 1
    assert search["says"] in dropout_risk(home, "models", "card", version, as_json=False).stdout
    shown = dropout_risk(home, "models", "show", version).document
    assert shown["manifest"]["notes"]["search"] == search["says"]

    again = dropout_risk(home, *asked).document
    assert again["search"] == {**search, "resumed": search["trials"]}
    assert len(trials_under(home, again["version"])) == search["trials"]
