"""What training data can lack: registers, leavers, a scale of marks, a school, a history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

from risk_model.cohort import build_cohort
from risk_model.features.compute import compute_features
from risk_model.features.declared import FEATURE_NAMES, FEATURES
from risk_model.model.loading import load
from risk_model.registers.declared import REGISTERS
from risk_model.settings import LabelSettings, Settings, TrainingSettings
from risk_model.timeline import build_diaries
from tests.bundles import PROVENANCE
from tests.known_registers import make_known
from tests.labelled import CLASS, OTHERS, SNAPSHOT, labelled, ordinary_county
from tests.made_up_pupils import MadeUp, features
from tests.small_county import AUTUMN, rows_of
from tests.town import DAY, town
from training.backtest import backtest
from training.candidate import check_bundle, make_candidate
from training.fit import Rows
from training.judgement import judge
from training.report import table
from training.splits import plan

FIRST = date(2022, 9, 1)
DAYS = [FIRST + timedelta(days=30 * month) for month in range(1, 30)]
GAP = 118
AS_OF = DAYS[-1] + timedelta(days=GAP)
SETTINGS = TrainingSettings(test_snapshots=3, bootstrap_samples=40)
NEEDED = sorted({register for feature in FEATURES for register in feature.needs} - {"enrolments"})


def forget(steps: int) -> None:
    """Nobody watches the progress."""


# Missing registers


@dataclass
class Wide(MadeUp):
    """Pupils with every declared feature, of which those of one register are null."""

    absent: str = ""

    def rows(self, snapshots) -> Rows:
        rows = super().rows(snapshots)
        dice = np.random.default_rng(len(rows.y))
        x = dice.gamma(1.0, 1.0, (len(rows.y), len(FEATURES))).astype(np.float32)
        for number, name in enumerate(feature.name for feature in features()):
            x[:, FEATURE_NAMES.index(name)] = rows.x[:, number]
        x[:, [self.absent in feature.needs for feature in FEATURES]] = np.nan
        return replace(rows, x=x)


@pytest.mark.parametrize("register", NEEDED)
def test_trees_without_a_register_are_fitted_written_and_explained(register, tmp_path):
    source = Wide(pupils=250, absent=register)
    candidate = make_candidate(source, plan(DAYS[:16], AS_OF, GAP, 3), 900, FEATURES, SETTINGS, tests=3)
    assert candidate.kind == "lightgbm"
    made = replace(PROVENANCE, reference=candidate.reference(FEATURES), absent_registers=(register,))
    candidate.save(tmp_path / "bundle", made)
    assert check_bundle(tmp_path / "bundle", candidate.rows, FEATURES).verified
    bundle = load(tmp_path / "bundle")
    explained = bundle.explain(candidate.rows.x[:50].astype(np.float64), threads=1)
    silent = [register in feature.needs for feature in FEATURES]
    assert any(silent)
    assert np.abs(explained.contributions[:, silent]).max() == 0, "what is never known moves no risk"
    everything = np.full((1, len(FEATURES)), 1.0)
    assert 0 < bundle.predict(everything, threads=1)[0] < 1, "and a register that comes later breaks nothing"


def test_every_register_a_feature_needs_is_declared():
    assert len(NEEDED) >= 6
    assert set(NEEDED) <= set(REGISTERS)


# Hardly anybody leaves, or nobody in one county


class TwoCounties(MadeUp):
    """Nobody of county B, the first three of twelve schools, ever leaves."""

    def _on(self, day):
        x, pupils, y = super()._on(day)
        quiet = pupils["school_id"].isin(["S0", "S1", "S2"])
        return x, pupils.assign(county_id=np.where(quiet, "B", "C")), np.where(quiet, 0, y).astype(np.int8)


def test_a_county_without_a_leaver_is_scored_by_the_others_experience_and_said_not_to_be_judged():
    source = TwoCounties()
    tested = backtest(source, plan(DAYS, AS_OF, GAP, 3).tests, features(), SETTINGS, forget)
    assert tested.predictions.loc[tested.predictions["county_id"] == "B", "model"].between(0, 1).all()
    judged = judge(tested.predictions, source.labels(DAYS), Settings(training=SETTINGS))
    there = judged.pooled["groups"]["county"]
    assert (there["B"]["positives"], there["B"]["recall_at_capacity"]) == (0, None)
    assert there["C"]["recall_at_capacity"] is not None
    why = {entry["what"]: entry["why"] for entry in judged.not_done}
    assert why["county B"] == "too few to tell (450 rows, 0 of them left)"
    assert "county C" not in why


@pytest.mark.parametrize(("pupils", "shuffled"), [(14, False), (1, False)])
def test_too_few_leavers_are_counted_in_the_reason_for_the_rule(pupils, shuffled):
    source = MadeUp(pupils=pupils, shuffled=shuffled)
    candidate = make_candidate(source, plan(DAYS, AS_OF, GAP, 3), 900, features(), SETTINGS, tests=0)
    told = candidate.grounded(labelled=1203, left=14).why
    assert candidate.kind == "logistic"
    assert told.startswith("14 of 1,203 labelled pupils left. ")
    assert "to calibrate on are too few (trees need 50 and 10)" in told
    assert told.endswith("and the list says so.")
    assert candidate.grounded(0, 0).why.startswith("No pupil has a label yet. ")


def test_trees_need_no_such_reason():
    source = MadeUp(pupils=300)
    candidate = make_candidate(source, plan(DAYS, AS_OF, GAP, 3), 900, features(), SETTINGS, tests=3)
    assert candidate.grounded(labelled=3, left=1).why == ""


def test_nobody_cared_for_is_said_and_so_is_a_group_too_small():
    source = MadeUp()
    tested = backtest(source, plan(DAYS, AS_OF, GAP, 3).tests, features(), SETTINGS, forget)
    labels = source.labels(DAYS)
    settings = Settings(training=SETTINGS)
    why = [one["why"] for one in judge(tested.predictions, labels, settings).not_done]
    assert why == ["no judged row had a case open or a step of care within its window (register care)"]
    few = labels.assign(care_affected=labels["student_id"].isin([f"P{n:05d}" for n in range(5)]))
    judged = judge(tested.predictions, few, settings)
    assert [one["why"][:18] for one in judged.not_done] == ["too few to tell (1"]
    assert judged.care["affected"] == 15
    listed = judged.predictions[judged.predictions["listed_model"] & (judged.predictions["label"] == 0)]
    assert judged.care["listed_stayed"] == len(listed) > 0
    assert judged.care["listed_stayed_affected"] == int(listed["care_affected"].sum())


# Marks on another scale


def frame(registers) -> pd.DataFrame:
    with duckdb.connect(config={"threads": 1}) as con:
        make_known(con, **registers)
        return compute_features(con, DAY, Settings()).set_index("student_id")


def rescaled(*, since: str, maximum: dict[bool, int]):
    """The town with scores from ``since`` on times 1.5; ``maximum`` by whether the exam is one of them."""
    registers = town()
    for row in registers["results"]:
        later = str(row["assessed_on"]) >= since
        row["max_score"] = maximum[later]
        if later and row.get("score") is not None:
            row["score"] *= 1.5
    return registers


@pytest.mark.parametrize("since", ["2025-01-01", "2025-06-01", "2025-11-06"])
def test_marks_out_of_150_that_say_so_change_no_feature(since):
    """A whole history, one term on, or one subject of a term."""
    expected = frame(town())[list(FEATURE_NAMES)]
    found = frame(rescaled(since=since, maximum={True: 150, False: 100}))[list(FEATURE_NAMES)]
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_maximum_nobody_adapted_leaves_every_comparison_with_the_grade_as_it_was():
    """150 was written beside marks out of 100: only shares of points and failed exams can be misled."""
    expected = frame(town())
    found = frame(rescaled(since="2025-10-01", maximum={True: 150, False: 150}))
    scales = [name for name in FEATURE_NAMES if name.startswith("z_")]
    assert len(scales) >= 6
    pd.testing.assert_frame_equal(found[scales], expected[scales], rtol=1e-3, atol=2e-3)
    misled = [name for name in FEATURE_NAMES if not found[name].equals(expected[name])]
    assert set(misled) - set(scales) <= {"failed_share", "class_percentile"}


# A school that closes


def closing_county():
    """School A keeps no register after 20 October; its office forgot to close the spells."""
    county = ordinary_county()
    county.marks(CLASS, [day for day in AUTUMN if day > date(2025, 10, 20)], None)
    return county


def test_pupils_of_a_school_that_closed_without_a_word_are_unknown_and_nobody_elses_label_changes():
    county = closing_county()
    assert {row.state for row in labelled(county).values()} == {"unknown"}
    others = labelled(closing_county(), pupils=OTHERS, school="B")
    assert {row.label for row in others.values()} == {0}


def test_they_become_open_cases_and_who_was_enrolled_elsewhere_is_scored_there():
    county, tonight = closing_county(), date(2025, 12, 15)
    county.close("p1", date(2025, 10, 20), "transferred")
    county.enrol("p1", at="B:7A", since=date(2025, 10, 21))
    county.marks(["p1"], [day for day in AUTUMN if day > date(2025, 10, 20)])
    con = county.known_on(tonight)
    build_diaries(con, tonight, since=SNAPSHOT - timedelta(days=60))
    build_cohort(con, tonight, LabelSettings())
    rows = rows_of(con, "SELECT student_id, school_id, status FROM cohort WHERE student_id IN ('p1', 'p2')")
    assert sorted(rows) == [("p1", "B", "scored"), ("p2", "A", "no_register")]


# Pupils of two days


def test_a_pupil_of_two_days_is_scored_with_what_there_is_and_the_rest_is_null_not_zero():
    registers = town()
    latest = sorted({row["day"] for row in registers["attendance"] if row["student_id"] == "c01"})[-2:]
    spell = {"student_id": "neu", "school_id": "A", "class_id": "7A", "grade": 7, "started_on": latest[0]}
    registers["students"].append({"student_id": "neu"})
    registers["enrolments"].append(spell)
    registers["attendance"] += [{"student_id": "neu", "day": day, "mark": "present"} for day in latest]
    found = frame(registers).loc["neu"]
    assert found["status"] == "scored"
    assert found["absence_30"] == 0
    assert found["register_coverage_30"] == 1
    unknown = ["z_all_latest", "failed_core_latest", "missed_latest", "travel_km", "parent_illness"]
    assert found[unknown].isna().all()
    assert np.isfinite(found[list(FEATURE_NAMES)].dropna().astype(float)).all()


def test_the_table_of_a_training_without_a_backtest_begins_with_the_reason_and_its_counts():
    document = {
        "backtest": [], "why": "14 of 1,203 labelled pupils left. 9 leavers are too few.", "version": "1",
        "kind": "logistic", "promoted": True, "gate": {"passed": True, "checks": []}, "care": {},
        "labels": dict.fromkeys(("positive", "negative", "censored", "already_out", "unknown"), 0)
        | {"care_affected": 0, "learnt_late": None},
        "not_done": [], "search": None, "fairness": {"findings": []},
    }  # fmt: skip
    assert table(document).startswith("14 of 1,203 labelled pupils left.")
