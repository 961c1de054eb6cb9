"""The audit of the list by group: planted unfairness is named with its group and size, fairness is not."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from risk_model.protected import ATTRIBUTES, protected_on
from risk_model.settings import FairnessSettings, Settings, TrainingSettings
from tests.made_up_pupils import MadeUp, features
from tests.small_county import AUTUMN, SmallCounty
from training.backtest import backtest
from training.fairness import RATES, audit
from training.judgement import judge
from training.proxies import proxies
from training.splits import plan

DAY = pd.Timestamp("2026-03-01").as_unit("us")
SETTINGS = FairnessSettings()
SCHOOLS, EACH = 40, 120


@pytest.fixture(scope="module")
def county():
    """4,800 pupils of 40 schools, a quarter left behind; who leaves does not depend on it."""
    dice = np.random.default_rng(5)
    count = SCHOOLS * EACH
    school = np.repeat([f"S{n:02d}" for n in range(SCHOOLS)], EACH)
    risk = dice.beta(0.12, 1.6, count)
    told = pd.DataFrame(
        {
            "snapshot": DAY,
            "student_id": [f"P{n:05d}" for n in range(count)],
            "school_id": school,
            "county_id": np.where(np.arange(count) < count // 2, "C1", "C2"),
            "label": (dice.random(count) < risk).astype(float),
            "model": risk,
            "missing": 0.02,
        }
    )
    protected = told[["snapshot", "student_id"]].assign(
        sex=np.where(dice.random(count) < 0.5, "F", "M"),
        ethnicity=np.where(dice.random(count) < 0.003, "苗族", "汉族"),
        disability=None,
        left_behind=np.where(dice.random(count) < 0.25, "true", "false"),
        poverty="none",
        relocated=None,
        boarding=np.where(dice.random(count) < 0.3, "true", "false"),
    )
    return told, protected


def on_list(told: pd.DataFrame) -> pd.DataFrame:
    rank = told.groupby("school_id")["model"].rank(ascending=False, method="first")
    return told.assign(listed_model=rank <= EACH * 0.05)


def audited(told, protected):
    return audit(on_list(told), protected, SETTINGS, seed=1)


def test_a_fair_list_has_no_findings(county):
    found = audited(*county)
    assert found["findings"] == []
    sex = found["attributes"]["sex"]
    (other,) = {"F", "M"} - {sex["reference"]}
    low, high = sex["groups"][other]["recall_ratio_interval"]
    assert low < 1 < high
    assert sex["groups"][other]["recall_ratio"] == pytest.approx(1, abs=0.3)


def test_a_group_whose_registers_are_half_missing_is_named_with_its_size(county):
    told, protected = county
    behind = (protected["left_behind"] == "true").to_numpy()
    half = behind & (np.random.default_rng(1).random(len(told)) < 0.5)
    blind = told.assign(
        model=np.where(half, told["model"].mean() / 4, told["model"]), missing=np.where(half, 0.9, 0.02)
    )
    (said,) = audited(blind, protected)["findings"]
    assert said.startswith(f"{int(behind.sum()):,} rows of pupils with left_behind = true")
    assert "times as often" in said
    assert "registers are incomplete" in said
    assert "left_behind = false" in said


class HalfMissing(MadeUp):
    """Of the left behind, every second one's registers are empty; leaving does not depend on it."""

    def _on(self, day):
        x, pupils, y = super()._on(day)
        dice = np.random.default_rng([9, day.toordinal()])
        x[left_behind(pupils) & (dice.random(len(x)) < 0.5)] = np.nan
        return x, pupils, y


def left_behind(pupils: pd.DataFrame) -> np.ndarray:
    number = pupils["student_id"].str.removeprefix("P").astype(int) // 12
    return (number % 5 < 2).to_numpy()


@pytest.mark.parametrize("county", [MadeUp, HalfMissing], ids=["honest", "half missing"])
def test_registers_half_missing_for_one_group_are_found_through_the_whole_of_a_training(county):
    """Fitted, calibrated and judged as by train: the trees themselves must cope with the gaps, and cannot."""
    first = date(2023, 9, 1)
    days = [first + timedelta(days=30 * month) for month in range(1, 22)]
    settings = Settings(training=TrainingSettings(test_snapshots=3, bootstrap_samples=20))
    splits = plan(days, days[-1] + timedelta(days=118), 118, 3).tests
    made = county(pupils=2400)
    tested = backtest(made, splits, features(), settings.training, lambda steps: None)
    told = judge(tested.predictions, made.labels(days), settings).predictions
    protected = told[["snapshot", "student_id"]].assign(
        left_behind=np.where(left_behind(told), "true", "false"),
        **dict.fromkeys(("sex", "ethnicity", "disability", "poverty", "relocated", "boarding")),
    )
    found = audit(told, protected, SETTINGS, seed=1)["findings"]
    if county is MadeUp:
        assert found == []
    else:
        (said,) = found
        assert said.startswith(f"{int(left_behind(told).sum()):,} rows of pupils with left_behind = true: ")
        assert "times as often" in said
        assert "their registers are incomplete" in said


def test_the_figures_of_a_group_are_what_counting_says(county):
    told, protected = county
    found = audited(told, protected)["attributes"]["sex"]
    girls = on_list(told)[(protected["sex"] == "F").to_numpy()]
    left, listed = girls["label"] == 1, girls["listed_model"]
    shown = found["groups"]["F"]
    assert (shown["students"], shown["positives"], shown["listed"]) == (len(girls), left.sum(), listed.sum())
    assert shown["recall"] == pytest.approx((left & listed).sum() / left.sum())
    assert shown["precision"] == pytest.approx((left & listed).sum() / listed.sum())
    assert shown["false_alarm_rate"] == pytest.approx((~left & listed).sum() / (~left).sum())
    assert shown["expected_over_observed"] == pytest.approx(girls["model"].sum() / left.sum())
    both = [found["groups"][sex]["recall"] for sex in "FM"]
    assert found["gaps"]["recall"]["absolute"] == pytest.approx(abs(both[0] - both[1]))
    for rate in RATES:
        low, high = shown[f"{rate}_interval"]
        assert low < shown[rate] < high


def test_a_group_too_small_to_tell_has_no_figures_and_says_so(county):
    few = audited(*county)["attributes"]["ethnicity"]["groups"]["苗族"]
    assert few["recall"] is None
    assert few["said"].startswith("too few to tell")


def test_an_attribute_nobody_is_told_of_is_never_silently_empty(county):
    found = audited(*county)
    assert {entry["what"] for entry in found["not_done"]} == {"disability", "relocated", "poverty"}
    assert set(found["attributes"]) | {entry["what"] for entry in found["not_done"]} == set(ATTRIBUTES)
    nobody_left = county[0].assign(label=0.0)
    assert {entry["what"] for entry in audited(nobody_left, county[1])["not_done"]} == set(ATTRIBUTES)


def test_a_feature_that_tells_an_attribute_is_its_strongest_proxy():
    dice = np.random.default_rng(3)
    behind = dice.random(2000) < 0.3
    x = np.column_stack([dice.normal(size=2000), behind + 0.4 * dice.normal(size=2000)]).astype(np.float32)
    attributes = pd.DataFrame({"left_behind": np.where(behind, "true", "false"), "sex": "F"})
    found = proxies(x, attributes, ["noise", "phone_calls"], seed=1)
    assert found["sex"] == {
        "roc_auc": None,
        "strongest": [],
        "said": "too few to tell (0 of 2000 pupils are not of the largest group)",
    }
    assert found["left_behind"]["roc_auc"] > 0.85
    assert found["left_behind"]["strongest"][0] == "phone_calls"


class Lake:
    """A small county as a lake: what is known on a day."""

    def __init__(self, county: SmallCounty) -> None:
        self.county = county
        self.con = None

    def known_on(self, day: date) -> None:
        told = [row for row in self.county.rows["families"] if row["recorded_on"] <= day]
        rows = defaultdict(list, {**self.county.rows, "families": told})
        self.con = SmallCounty(rows).known_on(day)


def test_attributes_are_read_as_known_on_the_snapshot():
    county = SmallCounty()
    county.school("A")
    county.enrol("P1", "P2", boarding=True)
    county.rows["students"] += [
        {"student_id": "P1", "sex": "F", "ethnicity": "苗族", "recorded_on": AUTUMN[0]}
    ]
    family = {"student_id": "P1", "observed_on": AUTUMN[0], "recorded_on": AUTUMN[0]}
    county.rows["families"] += [
        {**family, "parents_away": 0, "guardian": "both_parents", "poverty": "none"},
        {**family, "observed_on": AUTUMN[40], "recorded_on": AUTUMN[40], "parents_away": 2},
    ]
    found = protected_on(Lake(county), [AUTUMN[20], AUTUMN[50]])
    first, second = (
        found[found["student_id"] == "P1"].set_index("snapshot").loc[pd.Timestamp(AUTUMN[n])]
        for n in (20, 50)
    )
    assert (first["sex"], first["left_behind"], first["poverty"], first["boarding"]) == (
        "F",
        "false",
        "none",
        "true",
    )
    assert second["left_behind"] == "true"
    assert found[found["student_id"] == "P2"]["sex"].isna().all()


def test_where_no_leaver_of_the_largest_group_was_found_there_is_no_ratio(county):
    """Nothing is divided by nothing: the document stays JSON."""
    told, protected = county
    boys = (protected["sex"] == "M").to_numpy()
    largest = "M" if boys.sum() > len(boys) / 2 else "F"
    theirs = (protected["sex"] == largest).to_numpy()
    blind = on_list(told).assign(listed_model=lambda rows: rows["listed_model"] & ~theirs)
    found = audit(blind, protected, SETTINGS, seed=1)
    (other,) = {"F", "M"} - {largest}
    assert found["attributes"]["sex"]["groups"][other]["recall_ratio"] is None
    json.dumps(found, allow_nan=False)
