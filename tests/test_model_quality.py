"""The benchmark on flat tables: what is known in time, out-of-fold figures, targets, published indicators."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import flat_tables, model_quality, published_indicators
from benchmarks.flat_tables import ANCHORS, Anchor, Task
from tests.flat_tables import flat_table

DATA = model_quality.DATA
public = pytest.mark.skipif(not DATA.exists(), reason="the public tables do not lie beside the checkout")
ANCHOR = Anchor(roc_auc=0.8, average_precision=0.5, brier=0.15, logistic_roc_auc=0.79)


def test_every_row_is_judged_by_a_model_that_has_not_seen_it() -> None:
    """A model that learns rows by heart knows every row it was fitted on and none of the others."""
    left = np.arange(200) % 2
    task = Task("by heart", pd.DataFrame({"row": np.arange(200)}), left, ANCHOR)
    risk = model_quality.out_of_fold(task, _ByHeart, seed=0)
    assert (risk == 0.5).all()
    assert model_quality.summary(task, [risk])["roc_auc"] == 0.5


class _ByHeart:
    def fit(self, table: pd.DataFrame, left: np.ndarray) -> _ByHeart:
        self.known = dict(zip(table["row"], left, strict=True))
        return self

    def predict_proba(self, table: pd.DataFrame) -> np.ndarray:
        risk = np.array([self.known.get(row, 0.5) for row in table["row"]])
        return np.column_stack([1 - risk, risk])


def test_figures_are_told_for_the_regression_the_default_and_the_search() -> None:
    table, left = flat_table(180)
    complete = table.notna().all(axis=1)
    table, left = table[complete], left[complete]
    makers = model_quality.contenders(trials=1)
    told, (false_positives, found) = model_quality.judge(Task("invented", table, left, ANCHOR), makers, 1)
    assert set(told["models"]) == {"logistic", "default", "search"}
    assert all(0.55 < figures["roc_auc"] < 1 for figures in told["models"].values())
    assert told["rows"] == complete.sum()
    assert (false_positives[0], found[-1]) == (0, 1)
    assert "search" not in model_quality.contenders(trials=0)


def test_a_target_missed_is_told_with_the_figure_and_one_just_met_is_not() -> None:
    models = {
        "logistic": {"roc_auc": 0.81, "brier": 0.2},
        "default": {"roc_auc": 0.806, "brier": 0.1515},
        "search": {"roc_auc": 0.789, "brier": 0.153},
    }
    found = {
        (miss["model"], miss["target"]): miss for miss in model_quality.missed({"models": models}, ANCHOR)
    }
    assert set(found) == {
        ("search", "roc_auc_below_anchor"),
        ("search", "brier_above_anchor"),
        ("search", "roc_auc_below_logistic"),
    }
    assert found["search", "roc_auc_below_anchor"]["value"] == pytest.approx(0.011)
    assert found["search", "brier_above_anchor"]["value"] == pytest.approx(0.003)


def test_an_indicator_lies_above_the_curve_that_finds_fewer_leavers_at_its_false_alarms(
    tmp_path: Path,
) -> None:
    published = pd.DataFrame(
        {
            "indicator": ["a", "b", "c"],
            "sensitivity": [0.7, 0.5, 0.2],
            "false_positive_rate": [0.5, 0.5, 0.25],
        }
    )
    chance = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    points = published_indicators.beside(published, {"chance": chance})
    assert [point["lies"]["chance"] for point in points] == ["above", "on", "below"]
    assert points[2]["ours"]["chance"] == 0.25
    assert published_indicators.counts(points) == {"chance": {"above": 1, "on": 1, "below": 1}}
    published_indicators.draw(published, {"chance": chance}, tmp_path / "plots" / "roc.png")
    assert (tmp_path / "plots" / "roc.png").read_bytes().startswith(b"\x89PNG")


@public
def test_no_column_tells_the_outcome_or_is_known_too_late() -> None:
    columns = {task.name: set(task.table) for task in flat_tables.tasks(DATA)}
    everywhere = set.union(*columns.values())
    forbidden = {"G2", "G3", "absences", "Tuition fees up to date", "Debtor", "Target", "education"}
    assert everywhere & forbidden == set()
    assert not any("2nd sem" in name for name in everywhere)
    assert {name for name, known in columns.items() if "G1" in known} == {"cortez_por_g1", "cortez_mat_g1"}
    semester = {name for name, known in columns.items() if any("1st sem" in one for one in known)}
    assert semester == {"uci697_semester_1"}
    assert "distance" in columns["college_distance"]


@public
def test_rows_and_shares_are_those_of_the_anchors() -> None:
    found = {task.name: (len(task.left), round(task.left.mean(), 3)) for task in flat_tables.tasks(DATA)}
    assert found == {
        "cortez_por": (649, 0.154),
        "cortez_por_g1": (649, 0.154),
        "cortez_mat_g1": (395, 0.329),
        "uci697_enrolment": (4424, 0.321),
        "uci697_semester_1": (4424, 0.321),
        "college_distance": (4739, 0.387),
    }
    assert set(found) == set(ANCHORS)


@public
def test_the_published_indicators_are_110_flags_with_their_own_false_alarms() -> None:
    published = published_indicators.indicators(DATA)
    assert len(published) == 110
    assert (
        published[["sensitivity", "false_positive_rate"]]
        .apply(lambda rate: rate.between(0, 1))
        .all(axis=None)
    )
    misprinted = published[(published["study"] == "Suh and Suh") & (published["indicator"] == "any 2 flags")]
    assert misprinted["false_positive_rate"].item() == 0.143


@public
@pytest.mark.slow
def test_the_default_meets_its_targets_on_a_public_table_and_draws_the_indicators(tmp_path: Path) -> None:
    """One repeat of the smallest table and of one whose outcome is leaving."""
    call = [str(DATA), "--json", "--repeats", "1", "--trials", "0", "--plots", str(tmp_path)]
    tables = ["--table", "cortez_mat_g1", "--table", "uci697_enrolment"]
    done = CliRunner().invoke(model_quality.main, call + tables, catch_exceptions=False)
    document = json.loads(done.stdout)
    assert document["missed"] == []
    assert set(document["tables"]) == {"cortez_mat_g1", "uci697_enrolment"}
    assert len(document["published_indicators"]["points"]) == 110
    assert list(document["published_indicators"]["counts"]) == ["UCI 697 at enrolment"]
    assert (tmp_path / "published-indicators.png").exists()
