"""A model of another county stands or falls by this county's own first labels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from risk_model.features.declared import FEATURES
from risk_model.model.platt import Platt
from risk_model.model.storing import save_lightgbm
from risk_model.settings import Settings, TrainingSettings
from tests.bundles import PROVENANCE
from tests.county import dropout_risk, part_of, simulate
from tests.made_up_pupils import MadeUp, features
from tests.test_gate import RULE, SOUND
from training import challenge as challenges
from training import first_labels as firsts
from training.challenge import Opponent
from training.first_labels import FirstLabels, judge_first_labels
from training.gate import Gate, gate_for_rule

SETTINGS = Settings(training=TrainingSettings(bootstrap_samples=60))
DAYS = tuple(date(2025, 10, 1) + timedelta(days=30 * month) for month in range(4))


@dataclass(frozen=True)
class Imported:
    """Ranks by the made-up pupils' true chance, turned round or not, times a factor."""

    turned: bool = False
    factor: float = 1.0
    features: tuple[str, ...] = tuple(feature.name for feature in features())

    def predict(self, x: np.ndarray, threads: int) -> np.ndarray:
        absent, failed = np.nan_to_num(x[:, 0]), np.nan_to_num(x[:, 2])
        chance = 1 / (1 + np.exp(-(-4.5 + 12 * absent + 0.8 * failed)))
        return np.clip(self.factor * (0.0009 / chance if self.turned else chance), 0, 1)


@pytest.fixture(autouse=True)
def made_up_features(monkeypatch):
    monkeypatch.setattr(challenges, "FEATURES", features())
    monkeypatch.setattr(firsts, "FEATURES", features())


def judged(model: Imported, days: tuple[date, ...] = DAYS, pupils: int = 600) -> FirstLabels:
    return judge_first_labels(MadeUp(pupils), days, Opponent("2", model, imported=True), SETTINGS)


def gate(found: FirstLabels) -> Gate:
    """Of the school's rule, which is all a young county can train, against trees of another county."""
    return gate_for_rule(RULE, SOUND, 200, "lightgbm", SETTINGS.training, found)


def test_a_model_that_finds_this_countys_leavers_stands_and_the_rule_stays_out():
    found = judged(Imported())
    assert found.enough
    assert not found.poor
    assert found.recall > found.rule_recall - 0.1
    assert not gate(found).passed
    (told,) = (check for check in gate(found).checks if check.name == "imported_champion")
    assert told.passed
    assert told.value == found.positives >= 30
    assert told.says.endswith("it stands")


def test_a_model_whose_lists_are_worse_than_the_rules_gives_way_to_the_rule():
    found = judged(Imported(turned=True))
    assert found.worse_than_rule
    assert found.gain[2] < 0
    assert gate(found).passed
    assert "its lists are worse than the rule's" in found.says


def test_a_model_whose_risks_are_three_times_too_high_gives_way_too():
    found = judged(Imported(factor=3))
    assert (found.worse_than_rule, found.miscalibrated) == (False, True)
    assert found.expected_over_observed > 2
    assert gate(found).passed


def test_before_enough_of_its_own_have_left_nothing_is_decided():
    few = judged(Imported(turned=True), DAYS[:1], pupils=200)
    none = judged(Imported(), ())
    assert 0 < few.positives < 30
    assert none.positives == 0
    for found in (few, none):
        assert not found.poor
        assert not gate(found).passed
        assert "too few to judge it by" in found.says


@pytest.mark.slow
def test_a_county_without_history_imports_a_model_and_train_judges_it_by_the_first_own_labels(
    tmp_path: Path, monkeypatch
):
    """Their trees take absence for a good sign and leaving for common; own registers know better."""
    registers = simulate(tmp_path / "registers", students=350, years=1)
    home, young = tmp_path / "home", part_of(registers, tmp_path / "young", until=date(2026, 6, 25))
    assert dropout_risk(home, "import", str(young)).code == 0
    wrong_way_round(tmp_path / "theirs")
    version = dropout_risk(home, "models", "import", str(tmp_path / "theirs")).document["version"]
    promoted = dropout_risk(home, "models", "promote", version, "--why", "no history of our own")
    assert promoted.code == 0
    monkeypatch.setenv("DROPOUT_RISK_TRAINING__MINIMUM_TEST_POSITIVES", "5")
    answer = dropout_risk(home, "train")
    assert answer.code == 0, answer.stderr
    found = answer.document["first_labels"]
    assert (found["champion"], found["enough"], found["poor"]) == (version, True, True)
    assert answer.document["kind"] == "logistic"
    assert answer.document["promoted"] is True, "the school's rule takes its place"
    assert found["says"] in answer.document["gate"]["checks"][1]["says"]


def wrong_way_round(folder: Path) -> None:
    """Trees over all declared features that lower the risk with absence."""
    names = [feature.name for feature in FEATURES]
    x = np.random.default_rng(1).random((800, len(names)))
    y = (x[:, names.index("absence_30")] < 0.3).astype(int)
    options = {"objective": "binary", "max_depth": 2, "num_leaves": 4, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(x, y, feature_name=names), 20)
    save_lightgbm(folder, booster, Platt(1.0, -1.0), PROVENANCE)
