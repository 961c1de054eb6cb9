"""``train`` as the shell sees it: its options, its exit codes, its table."""

from __future__ import annotations

import json
from datetime import date

import pytest
from click.testing import CliRunner

from risk_model.command.surface import Office
from risk_model.home import Home
from training import commands
from training.backtest import BASELINES
from training.report import table

MEASURED = {
    "students": 1200,
    "positives": 14,
    "roc_auc": 0.8512,
    "recall_at": {"capacity": 0.5},
    "expected_over_observed": None,
}
TEST = {**MEASURED, "baselines": dict.fromkeys(BASELINES, MEASURED)}


def document(*, passed: bool, promoted: bool) -> dict:
    check = {"name": "roc_auc", "value": 0.99, "limit": 0.97, "passed": passed, "says": "a leak"}
    return {
        "version": "7",
        "kind": "lightgbm",
        "why": "",
        "promoted": promoted,
        "challenging": not promoted,
        "gate": {"passed": passed, "checks": [check]},
        "backtest": [{"snapshot": "2025-10-05", **TEST}],
        "pooled": TEST,
        "not_done": [{"what": "rolling origin", "why": "one day"}],
        "search": {"says": "7 settings of the trees were tried; the default stays"} if promoted else None,
        "fairness": {"findings": ["12 rows of pupils with sex = F: nobody found."]},
        "labels": {
            "positive": 9, "negative": 90, "censored": 1, "already_out": 2, "unknown": 3, "learnt_late": None,
            "care_affected": 4,
        },
        "care": {"affected": 4, "listed_stayed": 30, "listed_stayed_affected": 3},
    }  # fmt: skip


@pytest.fixture
def called(monkeypatch, tmp_path):
    """Call ``train`` with the work itself replaced; answers the click result and what was asked for."""
    asked = []

    def call(*arguments: str, passed: bool = False, promoted: bool = False):
        def run(home, settings, request, watch):
            asked.append((settings, request))
            return document(passed=passed, promoted=promoted)

        monkeypatch.setattr("training.train.run", run)
        home = Home(tmp_path)
        return CliRunner().invoke(commands.train, arguments, obj=Office(home, home.config)), asked

    return call


def test_a_model_that_may_not_serve_ends_with_four_and_still_prints_its_document(called):
    result, _ = called("--require-promotion", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["promoted"] is False
    assert "roc_auc" in result.stderr
    assert "--promote force" in result.stderr


def test_without_require_promotion_a_failed_gate_is_no_error(called):
    assert called("--json")[0].exit_code == 0


def test_a_promoted_model_meets_require_promotion(called):
    assert called("--require-promotion", passed=True, promoted=True)[0].exit_code == 0


def test_snapshots_are_an_interval_or_days_in_any_order(called):
    _, asked = called("--snapshots", "every:60d")
    called("--snapshots", "2025-03-01,20250201")
    assert [request.snapshots for _, request in asked] == [60, (date(2025, 2, 1), date(2025, 3, 1))]


def test_horizon_and_label_replace_those_of_the_settings(called):
    _, asked = called("--horizon-days", "60", "--label", "dropped_out,non_return")
    labels = asked[0][0].labels
    assert (labels.horizon_days, labels.components) == (60, ("dropped_out", "non_return"))


def test_a_budget_is_seconds_minutes_or_hours_and_without_one_nothing_is_searched(called):
    for budget in ("90s", "10m", "1h", "0"):
        called("--budget", budget)
    _, asked = called()
    seconds = [request.budget and request.budget.seconds for _, request in asked]
    assert seconds == [90, 600, 3600, None, None]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--budget", "10"),
        ("--budget", "ten m"),
        ("--budget", "-5m"),
        ("--budget", ""),
        ("--snapshots", "every:2d"),
        ("--snapshots", "every:monthd"),
        ("--snapshots", "2025-13-01"),
        ("--label", "bored"),
        ("--horizon-days", "3"),
        ("--promote", "never", "--require-promotion"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused_before_any_work(called, arguments):
    result, asked = called(*arguments)
    assert result.exit_code == 2
    assert asked == []


def test_the_table_shows_each_test_the_whole_and_what_to_do_next():
    text = table(document(passed=False, promoted=False))
    assert "2025-10-05" in text
    assert "0.851" in text
    assert "FAILED  roc_auc" in text
    assert text.splitlines()[-1].startswith(
        "Version 7 (lightgbm) is registered and was not promoted: roc_auc."
    )
    assert "It scores beside it, unseen, as challenger." in text
    assert "Of 30 listed rows of pupils who stayed, in 3 somebody had cared" in text
    assert "Search:" not in text
    promoted = table(document(passed=True, promoted=True))
    assert "champion now" in promoted
    assert "Search: 7 settings of the trees were tried; the default stays." in promoted
