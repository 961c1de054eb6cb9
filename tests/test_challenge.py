"""Challenger against champion: same pupils and days, lists as long, and no day the champion knows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from risk_model.protected import ATTRIBUTES
from risk_model.settings import Settings, TrainingSettings
from tests.made_up_pupils import MadeUp, features
from training import challenge as challenges
from training.backtest import backtest
from training.challenge import Comparison, Opponent, challenge
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


class AsBefore(Champion):
    """Answers what the candidate answered in ``told``: the same model, asked again."""

    def __init__(self, told: pd.DataFrame) -> None:
        super().__init__(FIRST, 1.0)
        object.__setattr__(self, "told", told)

    def predict(self, x: np.ndarray, threads: int) -> np.ndarray:
        for day in TESTS:
            if np.array_equal(x.astype(np.float32), MadeUp().everybody(day).x, equal_nan=True):
                return self.told[self.told["snapshot"] == pd.Timestamp(day)]["model"].to_numpy()
        raise AssertionError("asked of another day")


@pytest.fixture(scope="module")
def told():
    tested = backtest(
        MadeUp(), plan(DAYS, AS_OF, GAP, 3).tests, FEATURES, SETTINGS.training, lambda steps: None
    )
    return judge(tested.predictions, MadeUp().labels(DAYS), SETTINGS).predictions


@pytest.fixture(autouse=True)
def made_up_features(monkeypatch):
    monkeypatch.setattr(challenges, "FEATURES", FEATURES)


def protected(told) -> pd.DataFrame:
    """In every school half are girls and two fifths left behind; of the rest no register tells."""
    number = told["student_id"].str.removeprefix("P").astype(int) // 12
    return told[["snapshot", "student_id"]].assign(
        sex=np.where(number % 2 == 0, "F", "M"),
        left_behind=np.where(number % 5 < 2, "true", "false"),
        boarding="false",
        **dict.fromkeys(("ethnicity", "disability", "poverty", "relocated")),
    )


def challenged(told, champion, *, imported=False) -> Comparison:
    return challenge(told, MadeUp(), Opponent("3", champion, imported), SETTINGS, protected(told))


def checks_of(found: Comparison) -> dict:
    return {check.name: check for check in Gate(()).with_challenge(found, SETTINGS).checks}


def test_a_champion_is_never_judged_on_a_day_whose_labels_it_knows(told):
    found = challenged(told, Champion(TESTS[1], 1.0))
    assert found.snapshots == tuple(TESTS[1:])


def test_without_such_a_day_nothing_is_compared_and_the_gate_says_why(told):
    found = challenged(told, Champion(AS_OF, 1.0))
    assert found.recall_change is None
    checks = checks_of(found)
    assert checks["recall_against_champion"].passed
    assert "not asked: No test day lies on or after" in checks["recall_against_champion"].says
    assert "not asked: No test day lies on or after" in checks["fairness:sex"].says
    assert checks["churn"].value is not None, "who would fall off needs no label"


def test_an_imported_champion_has_seen_no_label_of_this_county(told):
    assert challenged(told, Champion(AS_OF, 1.0), imported=True).snapshots == tuple(TESTS)


def test_a_champion_that_ranks_the_wrong_way_round_is_beaten(told):
    found = challenged(told, Champion(FIRST, -1.0))
    assert found.recall_change[1] > 0
    assert found.churn > 0.5
    checks = checks_of(found)
    assert checks["recall_against_champion"].passed


def test_a_challenger_that_ranks_the_wrong_way_round_is_kept_out(told):
    rows = told.assign(model=1 - told["model"])
    worst = judge(rows.drop(columns=["label", "state"], errors="ignore")[
        [column for column in rows if not column.startswith("listed_") and column not in LABELLED]
    ], MadeUp().labels(DAYS), SETTINGS).predictions  # fmt: skip
    found = challenged(worst, Champion(FIRST, 1.0))
    gate = Gate(()).with_challenge(found, SETTINGS)
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
    assert Gate(()).with_challenge(Comparison(None), SETTINGS) == Gate(())
    assert Comparison(None).document() is None


def test_every_attribute_is_a_check_and_one_that_cannot_be_told_says_why(told):
    checks = checks_of(challenged(told, Champion(FIRST, 1.0)))
    assert {f"fairness:{name}" for name in ATTRIBUTES} <= set(checks)
    assert checks["fairness:sex"].value is not None
    assert checks["fairness:ethnicity"].says == "not asked: No row of the register students tells it."
    assert (
        checks["fairness:boarding"].says == "not asked: All pupils of whom it is known are the same: false."
    )
    assert checks["fairness:ethnicity"].passed


def test_a_challenger_that_no_longer_finds_the_left_behind_is_kept_out(told):
    """Their risks are hidden from the challenger; the champion sees them. Nothing else changes."""
    behind = protected(told)["left_behind"].eq("true").to_numpy()
    blind = told.assign(model=told["model"].where(~behind, told["model"] / 50))
    found = challenged(blind, AsBefore(told))
    check = checks_of(found)["fairness:left_behind"]
    assert not check.passed
    rows, left = int((behind & told["label"].notna()).sum()), int((behind & (told["label"] == 1)).sum())
    assert check.says.startswith(
        f"{rows:,} rows of pupils with left_behind = true, {left} of them left: found 0"
    )
    assert check.value < check.limit == -0.05
    assert checks_of(found)["fairness:sex"].value > check.value


def test_the_same_model_again_changes_no_ratio(told):
    found = challenged(told, AsBefore(told))
    told_groups = [group for group in found.fairness.groups if group.change]
    assert {group.attribute for group in told_groups} == {"sex", "left_behind"}
    assert all(group.change == (0.0, 0.0, 0.0) for group in told_groups)
    assert found.recall_change == (0.0, 0.0, 0.0)
    json.dumps(found.document(), allow_nan=False, default=str)


def test_a_group_too_small_to_compare_says_so_with_its_size(told):
    few = protected(told)
    few["poverty"] = np.where(few["student_id"].isin([f"P{n:05d}" for n in range(9)]), "monitored", "none")
    found = challenge(told, MadeUp(), Opponent("3", Champion(FIRST, 1.0)), SETTINGS, few)
    says = checks_of(found)["fairness:poverty"].says
    assert says.startswith("not asked: monitored: too few to tell (27 rows of pupils, ")


def test_the_change_of_a_ratio_is_what_counting_says(told):
    found = challenged(told, Champion(FIRST, -1.0))
    both = pd.concat([challenges._on(told, day, MadeUp(), Champion(FIRST, -1.0), SETTINGS) for day in TESTS])
    girls = (protected(both)["sex"] == "F").to_numpy()
    left = both["label"] == 1
    recall = {
        (who, list_): (left & of & both[f"listed_{list_}"]).sum() / (left & of).sum()
        for who, of in (("F", girls), ("M", ~girls))
        for list_ in ("model", "champion")
    }
    (group,) = found.fairness.of("sex")
    other = group.group
    for list_, ratio in (("model", group.challenger), ("champion", group.champion)):
        assert ratio == pytest.approx(recall[other, list_] / recall[group.reference, list_])
    assert group.change[0] == pytest.approx(group.challenger - group.champion)
    assert group.change[1] < group.change[0] < group.change[2]
