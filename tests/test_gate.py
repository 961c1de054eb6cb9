"""The gate: each of its conditions alone keeps a model from scoring pupils."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from risk_model.model.platt import Platt
from risk_model.settings import TrainingSettings
from training.candidate import Soundness
from training.gate import Evidence, Gate, gate_for_rule, gate_for_trees
from training.leaks import Leak, Leaks

SETTINGS = TrainingSettings()
SOUND = Soundness(True, 1e-12, "read back and explained")
GOOD = Evidence(
    tests=6,
    positives=400,
    roc_auc=0.86,
    expected_over_observed=1.04,
    expected_over_observed_interval=(0.9, 1.2),
    gains={
        "school_rule": (0.2, 0.15, 0.25),
        "logistic": (0.02, -0.005, 0.04),
        "school_only": (0.3, 0.2, 0.4),
    },
)
TREES = SimpleNamespace(calibrator=Platt(0.9, 0.1), why="")
RULE = SimpleNamespace(calibrator=Platt(), why="200 days are too few.")


def trees(evidence: Evidence = GOOD, soundness: Soundness = SOUND, history: int = 1000):
    return gate_for_trees(TREES, evidence, soundness, history, SETTINGS)


def test_a_good_model_passes_every_check():
    gate = trees()
    assert gate.passed
    assert gate.failed == ()
    assert all(check.says for check in gate.checks)


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("backtest", {"tests": 0}),
        ("positives", {"positives": 12}),
        ("roc_auc", {"roc_auc": 0.97}),
        ("roc_auc", {"roc_auc": None}),
        ("expected_over_observed", {"expected_over_observed_interval": (1.3, 1.9)}),
        ("expected_over_observed", {"expected_over_observed_interval": (0.3, 0.7)}),
        ("expected_over_observed", {"expected_over_observed_interval": None}),
        ("beats_school_rule", {"gains": {**GOOD.gains, "school_rule": (-0.001, -0.06, 0.02)}}),
        ("not_worse_than_logistic", {"gains": {**GOOD.gains, "logistic": (-0.005, -0.009, -0.001)}}),
        ("beats_school_rule", {"gains": {**GOOD.gains, "school_rule": None}}),
    ],
)
def test_one_failed_check_keeps_the_champion(check, change):
    gate = trees(replace(GOOD, **change))
    assert not gate.passed
    assert [failed.name for failed in gate.failed] == [check]


def test_a_small_county_whose_model_is_not_shown_to_be_worse_gets_its_list():
    level = replace(GOOD, gains={**GOOD.gains, "logistic": (-0.02, -0.09, 0.04)})
    assert trees(level).passed


def test_a_history_too_short_keeps_the_champion():
    assert [failed.name for failed in trees(history=311).failed] == ["history"]


def test_few_leavers_make_a_wide_interval_which_may_pass_though_the_ratio_does_not():
    few = replace(GOOD, expected_over_observed=1.5, expected_over_observed_interval=(1.1, 2.4))
    assert trees(few).passed


def test_a_bundle_that_cannot_be_read_back_is_not_promoted():
    names = [failed.name for failed in trees(soundness=Soundness(False, None, "altered")).failed]
    assert names == ["bundle", "additivity"]


def test_a_bundle_whose_contributions_do_not_add_up_is_not_promoted():
    assert [failed.name for failed in trees(soundness=Soundness(True, 1e-3, "")).failed] == ["additivity"]


@pytest.mark.parametrize(("champion", "passed"), [(None, True), ("logistic", True), ("lightgbm", False)])
def test_the_rule_may_serve_until_there_are_trees_and_never_replaces_them(champion, passed):
    gate = gate_for_rule(RULE, SOUND, 200, champion, SETTINGS)
    assert gate.passed is passed
    assert "200 days are too few" in gate.checks[0].says


def test_the_document_has_name_value_limit_and_passed_of_each_check():
    document = trees().document()
    assert document["passed"] is True
    assert all({"name", "value", "limit", "passed"} <= set(check) for check in document["checks"])


def test_every_kind_of_leak_is_a_check_that_names_its_column():
    found = Leaks((Leak("single_feature", "exit_code", 0.99, 0.93, "it knows"),), ("single_feature", "twins"))
    gate = Gate(()).with_leaks(found)
    assert [(check.name, check.passed) for check in gate.checks] == [
        ("leak:single_feature", False),
        ("leak:twins", True),
    ]
    assert gate.checks[0].says == "exit_code: it knows"
    assert not gate.passed
