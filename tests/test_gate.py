"""The gate: each of its conditions alone keeps a model from scoring pupils."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from risk_model.model.platt import Platt
from risk_model.settings import TrainingSettings
from training.candidate import Soundness
from training.gate import Evidence, Gate, Measured, gate_for_rule, gate_for_trees
from training.leaks import Leak, Leaks

SETTINGS = TrainingSettings()
SOUND = Soundness(True, 1e-12, "read back and explained", 0.0)
GOOD = Evidence(
    tests=6,
    positives=400,
    roc_auc=0.86,
    calibration={
        "expected_over_observed": Measured(1.04, (0.9, 1.2)),
        "expected_over_observed_top5": Measured(0.95, (0.8, 1.1)),
        "calibration_slope": Measured(1.02, (0.96, 1.08)),
    },
    gains={
        "school_rule": (0.2, 0.15, 0.25),
        "logistic": (0.02, -0.005, 0.04),
        "school_only": (0.3, 0.2, 0.4),
    },
)
TREES = SimpleNamespace(calibrator=Platt(0.9, 0.1), why="")
RULE = SimpleNamespace(calibrator=Platt(), why="200 days are too few.")


def with_interval(name: str, interval: tuple[float, float] | None) -> dict:
    return {"calibration": {**GOOD.calibration, name: Measured(1.0, interval)}}


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
        ("expected_over_observed", with_interval("expected_over_observed", (1.3, 1.9))),
        ("expected_over_observed", with_interval("expected_over_observed", (0.3, 0.7))),
        ("expected_over_observed", with_interval("expected_over_observed", None)),
        ("expected_over_observed_top5", with_interval("expected_over_observed_top5", (1.3, 1.9))),
        ("calibration_slope", with_interval("calibration_slope", (1.12, 1.3))),
        ("calibration_slope", with_interval("calibration_slope", (0.5, 0.88))),
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
    few = replace(GOOD, **with_interval("expected_over_observed", (1.1, 2.4)))
    assert trees(few).passed


def test_a_bundle_that_cannot_be_read_back_is_not_promoted():
    names = [failed.name for failed in trees(soundness=Soundness(False, None, "altered")).failed]
    assert names == ["bundle", "additivity", "golden_rows"]


def test_a_bundle_whose_contributions_do_not_add_up_is_not_promoted():
    assert [failed.name for failed in trees(soundness=replace(SOUND, largest_gap=1e-3)).failed] == [
        "additivity"
    ]


@pytest.mark.parametrize("gap", [1e-6, None])
def test_a_bundle_that_does_not_answer_its_golden_rows_is_not_promoted(gap):
    assert [failed.name for failed in trees(soundness=replace(SOUND, golden_gap=gap)).failed] == [
        "golden_rows"
    ]


def test_the_limits_are_those_of_the_settings():
    strict = SETTINGS.model_copy(
        update={"minimum_test_positives": 500, "expected_over_observed": (0.99, 1.0), "max_roc_auc": 0.8}
    )
    near = replace(GOOD, **with_interval("expected_over_observed", (1.01, 1.2)))
    failed = gate_for_trees(TREES, near, SOUND, 1000, strict).failed
    assert [check.name for check in failed] == ["positives", "roc_auc", "expected_over_observed"]
    assert [check.limit for check in failed] == [500, 0.8, [0.99, 1.0]]


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
