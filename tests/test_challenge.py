"""Challenger against champion: same pupils and days, lists as long, and no day the champion knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from risk_model.settings import Settings, TrainingSettings
from tests.made_up_pupils import MadeUp, features
from training import challenge as challenges
from training.backtest import backtest
from training.challenge import Comparison, challenge
from training.gate import Gate
from training.judgement import judge
from training.splits import plan

FEATURES = features()
FIRST = date(2022, 9, 1)
DAYS = [FIRST + timedelta(days=30 * month) for month in range(1, 30)]
GAP = 118
AS_OF = DAYS[-1] + timedelta(days=GAP)
SETTINGS = Settings(training=TrainingSettings(test_snapshots=3, bootstrap_samples=40))
TESTS = [split.known_on for split in plan(DAYS, AS_OF, GAP, 3).tests]


@dataclass(frozen=True)
class Champion:
    """Answers a risk by one feature of the made-up pupils, turned round or not."""

    as_of: date
    sign: float
    features: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

    @property
    def manifest(self):
        return self

    def predict(self, x: np.ndarray, threads: int) -> np.ndarray:
        known = np.nan_to_num(x).sum(axis=1)
        return 1 / (1 + np.exp(-self.sign * known))


@pytest.fixture(scope="module")
def told():
    tested = backtest(
        MadeUp(), plan(DAYS, AS_OF, GAP, 3).tests, FEATURES, SETTINGS.training, lambda steps: None
    )
    return judge(tested.predictions, MadeUp().labels(DAYS), SETTINGS).predictions


@pytest.fixture(autouse=True)
def made_up_features(monkeypatch):
    monkeypatch.setattr(challenges, "FEATURES", FEATURES)


def challenged(told, champion, **more) -> Comparison:
    return challenge(told, MadeUp(), "3", champion, SETTINGS, **more)


def test_a_champion_is_never_judged_on_a_day_whose_labels_it_knows(told):
    found = challenged(told, Champion(TESTS[1], 1.0))
    assert found.snapshots == tuple(TESTS[1:])


def test_without_such_a_day_nothing_is_compared_and_the_gate_says_why(told):
    found = challenged(told, Champion(AS_OF, 1.0))
    assert found.recall_change is None
    checks = {check.name: check for check in Gate(()).with_challenge(found, SETTINGS.training).checks}
    assert checks["recall_against_champion"].passed
    assert "not asked: No test day lies on or after" in checks["recall_against_champion"].says


def test_an_imported_champion_has_seen_no_label_of_this_county(told):
    assert challenged(told, Champion(AS_OF, 1.0), imported=True).snapshots == tuple(TESTS)


def test_a_champion_that_ranks_the_wrong_way_round_is_beaten(told):
    found = challenged(told, Champion(FIRST, -1.0))
    assert found.recall_change[1] > 0
    assert found.churn > 0.5
    checks = {check.name: check for check in Gate(()).with_challenge(found, SETTINGS.training).checks}
    assert checks["recall_against_champion"].passed


def test_a_challenger_that_ranks_the_wrong_way_round_is_kept_out(told):
    rows = told.assign(model=1 - told["model"])
    worst = judge(rows.drop(columns=["label", "state"], errors="ignore")[
        [column for column in rows if not column.startswith("listed_") and column not in LABELLED]
    ], MadeUp().labels(DAYS), SETTINGS).predictions  # fmt: skip
    found = challenged(worst, Champion(FIRST, 1.0))
    gate = Gate(()).with_challenge(found, SETTINGS.training)
    assert not gate.passed
    assert "recall_against_champion" in {check.name for check in gate.failed}


LABELLED = ("label", "state", "dropped_out", "long_absence", "non_return", "transferred_nowhere",
            "care_affected")  # fmt: skip


def test_both_lists_are_as_long_in_every_school(told):
    both = challenges._on(told, TESTS[0], MadeUp(), Champion(FIRST, -1.0), SETTINGS)
    length = both.groupby("school_id")[["listed_model", "listed_champion"]].sum()
    assert length["listed_model"].sum() > 0
    pd.testing.assert_series_equal(length["listed_model"], length["listed_champion"], check_names=False)


def test_a_champion_of_features_no_longer_made_is_not_compared(told):
    old = replace(Champion(FIRST, 1.0), features=("shoe_size",))
    assert "shoe_size" in challenged(told, old).not_done


def test_the_first_model_is_not_held_against_anybody():
    assert Gate(()).with_challenge(Comparison(None), SETTINGS.training) == Gate(())
    assert Comparison(None).document() is None
