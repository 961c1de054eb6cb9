"""``train`` and ``models`` on the registers of a small simulated county, through the real command."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from tests.county import dropout_risk, part_of, simulate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def county(tmp_path_factory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("training")
    registers = simulate(folder / "registers", students=400, years=2)
    home = folder / "home"
    assert dropout_risk(home, "import", str(registers)).code == 0
    answer = dropout_risk(home, "train", "--snapshots", "every:60d", "--promote", "force")
    assert answer.code == 0, answer.stderr
    return home, answer.document


def test_the_document_has_the_keys_of_the_contract(county):
    _, document = county
    assert {"version", "promoted", "gate", "backtest", "pooled", "labels", "seconds"} <= set(document)
    assert {"unknown", "censored", "already_out"} <= set(document["labels"])
    assert all({"name", "value", "limit", "passed"} <= set(check) for check in document["gate"]["checks"])
    assert document["promoted"] is True


@pytest.mark.usefixtures("all_processors")
def test_the_same_registers_and_seed_give_the_same_bundle(county):
    home, first = county
    again = dropout_risk(home, "train", "--snapshots", "every:60d", "--promote", "never").document
    digests = {model["version"]: model["digest"] for model in dropout_risk(home, "models", "list").document}
    assert again["version"] != first["version"]
    assert digests[again["version"]] == digests[first["version"]]


def test_models_names_the_champion_and_why(county):
    home, document = county
    shown = dropout_risk(home, "models", "show", document["version"]).document
    assert "champion" in shown["aliases"]
    assert shown["promotions"][-1]["why"]
    assert dropout_risk(home, "models", "show", "77").code == 1


def test_a_search_that_history_is_too_short_for_is_not_done_and_says_why(county):
    answer = dropout_risk(
        county[0], "train", "--snapshots", "every:60d", "--promote", "never", "--budget", "90s"
    )
    assert answer.code == 0, answer.stderr
    assert answer.document["search"] is None
    (why,) = [entry["why"] for entry in answer.document["not_done"] if entry["what"] == "search"]
    assert "the default is used" in why


def test_too_little_history_serves_the_schools_rule_and_says_so(county, tmp_path):
    registers = simulate(tmp_path / "registers", students=100, years=1)
    short = part_of(registers, tmp_path / "short", until=date(2026, 1, 15))
    assert dropout_risk(tmp_path / "home", "import", str(short)).code == 0
    answer = dropout_risk(tmp_path / "home", "train")
    assert answer.code == 0, answer.stderr
    assert answer.document["kind"] == "logistic"
    assert answer.document["promoted"] is True
    assert "too few" in json.dumps(answer.document["gate"])


def test_a_snapshot_whose_label_cannot_have_matured_is_refused_with_the_days_that_can(county):
    home, _ = county
    answer = dropout_risk(home, "train", "--snapshots", "2026-06-01")
    assert answer.code == 2
    assert "2026-06-01 cannot be used" in answer.stderr


def test_an_unknown_component_of_the_label_is_refused_by_name(county):
    answer = dropout_risk(county[0], "train", "--label", "dropped_out,bored")
    assert answer.code == 2
    assert "bored" in answer.stderr
