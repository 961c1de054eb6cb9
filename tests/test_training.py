"""Fitting, backtesting and judging over made-up pupils."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from risk_model.school_rule import ABSENT_30, ABSENT_TERM, FAILED_CORE, flags
from risk_model.settings import Settings, TrainingSettings
from tests.made_up_pupils import MadeUp, features
from training.backtest import BASELINES, MODEL, backtest, fit_model, material
from training.baselines import fit_school_only, fit_school_rule
from training.candidate import check_bundle, make_candidate
from training.card.steadiness import stability
from training.fit import fit_trees, margins
from training.judgement import judge
from training.registered import description
from training.rule import COVERAGE, PRIOR, UNSEEN, fit_rule
from training.splits import plan

FEATURES = features()
NAMES = [feature.name for feature in FEATURES]
FIRST = date(2022, 9, 1)
DAYS = [FIRST + timedelta(days=30 * month) for month in range(1, 30)]
GAP = 118
AS_OF = DAYS[-1] + timedelta(days=GAP)
SETTINGS = TrainingSettings(test_snapshots=3, bootstrap_samples=40)


def auc(y: np.ndarray, risk: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y, risk))


def forget(steps: int) -> None:
    """Nobody watches the progress."""


@pytest.fixture(scope="module")
def rows():
    return MadeUp().rows(DAYS[:5])


@pytest.fixture(scope="module")
def tested():
    return backtest(MadeUp(), plan(DAYS, AS_OF, GAP, 3).tests, FEATURES, SETTINGS, forget)


def test_the_same_rows_and_seed_give_the_same_model_to_the_last_byte(rows):
    first, again = (fit_trees(rows, FEATURES, SETTINGS).model_to_string() for _ in range(2))
    assert first == again


def test_another_seed_gives_another_model(rows):
    other = SETTINGS.model_copy(update={"seed": SETTINGS.seed + 1})
    assert (
        fit_trees(rows, FEATURES, SETTINGS).model_to_string()
        != fit_trees(rows, FEATURES, other).model_to_string()
    )


def test_more_absence_never_lowers_the_margin(rows):
    booster = fit_trees(rows, FEATURES, SETTINGS)
    one_pupil = np.repeat(np.nan_to_num(rows.x[:1]), 50, axis=0)
    one_pupil[:, NAMES.index(ABSENT_30)] = np.linspace(0, 1, 50)
    assert (np.diff(margins(booster, one_pupil)) >= -1e-12).all()


def test_shuffled_outcomes_teach_nothing():
    """The mean of 20 counties: a single one has a standard deviation of several hundredths."""
    found = []
    for seed in range(20):
        county = MadeUp(pupils=300, shuffled=True, seed=seed)
        booster = fit_trees(county.rows(DAYS[:4]), FEATURES, SETTINGS)
        later = county.rows(DAYS[10:14])
        found.append(auc(later.y, margins(booster, later.x)))
    assert np.mean(found) == pytest.approx(0.5, abs=0.035)


def test_each_model_of_the_past_sees_labels_only_as_known_on_its_own_day():
    county = MadeUp(pupils=400)
    splits = plan(DAYS, AS_OF, GAP, 3).tests
    backtest(county, splits, FEATURES, SETTINGS, forget)
    assert county.asked == [(split.known_on, split.days) for split in splits]
    for day, snapshots in county.asked:
        assert max(snapshots) + timedelta(days=GAP) <= day


def test_everybody_of_a_test_day_gets_a_risk_from_the_model_and_every_baseline(tested):
    assert len(tested.predictions) == 3 * 600
    assert not tested.predictions.duplicated(["snapshot", "student_id"]).any()
    for name in (MODEL, *BASELINES):
        assert tested.predictions[name].between(0, 1).all()


def test_the_number_of_test_days_fitted_at_a_time_changes_nothing(tested):
    alone = SETTINGS.model_copy(update={"threads": 1})
    again = backtest(MadeUp(), plan(DAYS, AS_OF, GAP, 3).tests, FEATURES, alone, forget)
    pd.testing.assert_frame_equal(again.predictions, tested.predictions, check_exact=True)


def test_a_test_day_with_too_few_leavers_is_skipped_and_says_why():
    found = backtest(MadeUp(pupils=20), plan(DAYS, AS_OF, GAP, 3).tests, FEATURES, SETTINGS, forget)
    assert len(found.predictions) == 0
    assert len(found.skipped) == 3
    assert all("leavers to fit on" in why for why in found.skipped.values())


def test_the_judgement_has_the_keys_of_the_contract(tested):
    judged = judge(tested.predictions, MadeUp().labels(DAYS), Settings(training=SETTINGS))
    keys = {"students", "positives", "roc_auc", "average_precision", "brier", "ece"}
    keys |= {"expected_over_observed", "precision_at", "recall_at"}
    days = [test["snapshot"] for test in judged.backtest]
    assert days == sorted(days)
    assert len(days) == 3
    for test in (*judged.backtest, judged.pooled):
        assert keys <= set(test)
        assert set(test["baselines"]) == set(BASELINES)
        assert set(test["recall_at"]) == {"1%", "2%", "5%", "10%", "capacity"}
        assert all(keys <= set(baseline) for baseline in test["baselines"].values())
    low, high = judged.pooled["intervals"]["roc_auc"]
    assert low <= judged.pooled["roc_auc"] <= high


def test_a_training_tells_how_steady_the_reasons_are_for_everybody_and_for_the_head_of_the_list(tested):
    fitted = fit_model(material(MadeUp(), plan(DAYS, AS_OF, GAP, 3).tests[-1]), FEATURES, SETTINGS)
    found = {(one["of"], one["change"]): one for one in stability(fitted, FEATURES, 4)}
    assert {of for of, _ in found} == {"everybody", "highest 5 %"}
    assert all(0 <= one["first_stays"] <= one["first_is_told"] <= 1 for one in found.values())
    assert found["everybody", "one more day away without excuse"]["largest_move"] > 0
    nearer = found["everybody", "200 m nearer to school"]  # no feature of these pupils tells the way
    assert (nearer["first_stays"], nearer["largest_move"]) == (1.0, 0.0)
    head = found["highest 5 %", "200 m nearer to school"]["students"]
    assert 0 < head < nearer["students"]


def test_a_baseline_gets_a_list_of_the_same_length_in_every_school(tested):
    told = judge(tested.predictions, MadeUp().labels(DAYS), Settings(training=SETTINGS)).predictions
    length = told.groupby(["snapshot", "school_id"])[[f"listed_{name}" for name in (MODEL, *BASELINES)]].sum()
    assert length[f"listed_{MODEL}"].sum() > 0
    for name in BASELINES:
        assert (length[f"listed_{name}"] == length[f"listed_{MODEL}"]).all()


def test_a_pupil_whose_label_is_not_known_is_listed_but_not_judged(tested):
    labels = MadeUp().labels(DAYS).astype({"label": "float64"})
    labels.loc[labels["student_id"] == "P00007", ["label", "state"]] = [np.nan, "unknown"]
    judged = judge(tested.predictions, labels, Settings(training=SETTINGS))
    assert all(test["students"] == 599 for test in judged.backtest)


def test_without_a_test_day_there_is_nothing_to_judge_and_nothing_breaks():
    nothing = backtest(MadeUp(), (), FEATURES, SETTINGS, forget)
    judged = judge(nothing.predictions, MadeUp().labels(DAYS), Settings(training=SETTINGS))
    assert judged.backtest == []
    assert judged.pooled["students"] == 0
    assert judged.pooled["roc_auc"] is None
    assert judged.pooled["recall_at"]["5%"] is None
    assert set(judged.pooled["baselines"]) == set(BASELINES)
    assert judged.not_done[0]["what"] == "backtest"
    assert judged.evidence.tests == 0


def test_the_rule_counts_absence_and_a_failed_core_subject_and_unknown_is_not_met():
    x = np.array([[0.1, 0, 1], [0.09, 0.5, 0], [np.nan, 0.1, 0], [np.nan, np.nan, np.nan]])
    assert flags(x, [ABSENT_30, ABSENT_TERM, FAILED_CORE]).tolist() == [2, 0, 1, 0]


def test_more_flags_always_rank_higher_even_where_fewer_of_them_left(rows):
    odd = replace(rows, y=(flags(rows.x, NAMES) == 0).astype(np.int8))
    rates = fit_school_rule(odd, NAMES).rates
    assert (np.diff(rates) > 0).all()


def test_a_school_that_loses_more_pupils_has_a_higher_risk_and_an_unknown_school_the_average(rows):
    from_one_school = replace(rows, y=(rows.pupils["school_id"] == "S3").to_numpy().astype(np.int8))
    pupils = pd.DataFrame({"school_id": ["S3", "S4", "new"], "grade": [5, 5, 5]})
    risks = fit_school_only(from_one_school).predict(np.empty((3, 0)), pupils)
    assert risks[0] > risks[2] > risks[1]


def test_without_enough_leavers_the_rule_keeps_its_published_coefficients(rows):
    assert fit_rule(None, NAMES) == (PRIOR, False)
    assert fit_rule(replace(rows, y=rows.y * 0), NAMES) == (PRIOR, False)


def test_with_enough_leavers_the_rule_learns_its_coefficients(rows):
    model, fitted = fit_rule(rows, NAMES)
    assert fitted
    assert all(term.coefficient > 0 for term in model.terms if term.feature != COVERAGE)
    assert model.terms[-1] == UNSEEN


def test_a_pupil_never_marked_while_the_class_was_is_no_average_pupil():
    nobody_saw, ordinary = np.array([[np.nan, np.nan, 0.0]]), np.array([[0.0, 0.0, 1.0]])
    assert PRIOR.features == (ABSENT_30, FAILED_CORE, COVERAGE)
    risk = [1 / (1 + np.exp(-PRIOR.margin(row)[0])) for row in (nobody_saw, ordinary)]
    assert risk[0] > 0.1 > 10 * risk[1]


def test_too_short_a_history_offers_the_rule_and_says_so():
    candidate = make_candidate(MadeUp(), plan(DAYS[:5], DAYS[4], GAP, 3), 200, FEATURES, SETTINGS, tests=3)
    assert candidate.kind == "logistic"
    assert "200 days of history are too few" in candidate.why


def test_trees_that_no_day_of_the_past_could_judge_are_not_offered():
    """Between 312 and about 430 days there is enough to fit on and nothing to test on."""
    short = plan(DAYS[:10], DAYS[9], GAP, 3)
    assert short.final is not None
    candidate = make_candidate(MadeUp(pupils=2000), short, 330, FEATURES, SETTINGS, tests=0)
    assert candidate.kind == "logistic"
    assert "No day of the past could judge" in candidate.why


def test_trees_and_rule_are_written_read_back_and_add_up(tmp_path):
    whole = plan(DAYS, AS_OF, GAP, 3)
    for history, kind in ((900, "lightgbm"), (100, "logistic")):
        candidate = make_candidate(MadeUp(), whole, history, FEATURES, SETTINGS, tests=3)
        assert candidate.kind == kind
        candidate.save(tmp_path / kind, made(candidate))
        sound = check_bundle(tmp_path / kind, candidate.rows, FEATURES)
        assert sound.verified
        assert sound.largest_gap is not None
        assert sound.largest_gap <= 1e-6


def test_a_damaged_bundle_is_not_sound(tmp_path):
    candidate = make_candidate(MadeUp(), plan(DAYS, AS_OF, GAP, 3), 100, FEATURES, SETTINGS, tests=3)
    candidate.save(tmp_path / "bundle", made(candidate))
    part = tmp_path / "bundle" / "logistic.json"
    part.write_bytes(part.read_bytes().replace(b"4", b"5"))
    assert not check_bundle(tmp_path / "bundle", candidate.rows, FEATURES).verified


def test_the_calibrated_risks_of_a_fitted_split_meet_the_number_of_leavers_of_its_calibration():
    split = plan(DAYS, AS_OF, GAP, 1).tests[0]
    fitted = fit_model(material(MadeUp(), split), FEATURES, SETTINGS)
    expected = fitted.predict(fitted.calibration.x).sum()
    assert expected == pytest.approx(fitted.calibration.positives, rel=1e-3)


def made(candidate):
    from risk_model.model.manifest import Provenance

    return Provenance(
        lake_snapshot=1, as_of=AS_OF, trained_snapshots=candidate.snapshots, label=("dropped_out",),
        horizon_days=90, code_hash="c", lock_hash="l", settings_hash="s", seed=1,
        reference=candidate.reference(FEATURES),
    )  # fmt: skip


def test_a_model_says_what_was_assumed_and_which_registers_were_absent():
    made = {
        "as_of": AS_OF, "lake_snapshot": 7, "features": [], "trained_snapshots": [],
        "calibration_snapshots": [], "horizon_days": 90, "label": ["dropped_out"], "notes": {},
        "recorded_on_assumed": True, "absent_registers": ["travel", "care"],
    }  # fmt: skip
    document = {
        "version": "1", "kind": "lightgbm", "aliases": [], "metrics": {}, "digest": "d",
        "promotions": [], "manifest": made, "shadow": None,
    }  # fmt: skip
    told = description(document)
    assert "loaded with --recorded-on event+N" in told
    assert "no rows of: travel, care" in told
    plain = description(
        {**document, "manifest": {**made, "recorded_on_assumed": False, "absent_registers": []}}
    )
    assert "assumed" not in plain
    assert "no rows of" not in plain


def test_stage_grade_and_county_have_figures_or_say_why_not(tested):
    known = MadeUp().labels([split.known_on for split in plan(DAYS, AS_OF, GAP, 3).tests])
    judged = judge(tested.predictions, known, Settings(training=SETTINGS))
    groups = judged.pooled["groups"]
    assert set(groups) == {"stage", "grade", "county", "care"}
    for values in groups.values():
        assert sum(one["students"] for one in values.values()) == judged.pooled["students"]
        assert all(
            (one["recall_at_capacity"] is None) == (one["said"] is not None) for one in values.values()
        )
    (county,) = groups["county"].values()
    assert county["recall_at"] == judged.pooled["recall_at"], "the county is everybody"
    low, high = county["intervals"]["roc_auc"]
    assert low < county["roc_auc"] < high


def test_each_component_of_the_label_is_judged_alone_with_intervals_or_says_why_not(tested):
    known = MadeUp().labels([split.known_on for split in plan(DAYS, AS_OF, GAP, 3).tests])
    components = judge(tested.predictions, known, Settings(training=SETTINGS)).pooled["components"]
    assert set(components) == {"dropped_out", "long_absence", "non_return"}
    low, high = components["dropped_out"]["intervals"]["recall_at_capacity"]
    assert low < components["dropped_out"]["recall_at_capacity"] < high
    assert components["long_absence"]["intervals"] is None
    assert components["long_absence"]["said"].startswith("too few to tell")


def test_the_regret_of_the_best_scorer_of_a_day_is_nothing(tested):
    known = MadeUp().labels([split.known_on for split in plan(DAYS, AS_OF, GAP, 3).tests])
    judged = judge(tested.predictions, known, Settings(training=SETTINGS))
    assert set(judged.regret) == {MODEL, *BASELINES}
    assert min(found["mean"] for found in judged.regret.values()) >= 0
    assert all(found["snapshots"] == 3 for found in judged.regret.values())


def test_a_baselines_lift_is_how_many_times_as_precise_the_model_is(tested):
    known = MadeUp().labels([split.known_on for split in plan(DAYS, AS_OF, GAP, 3).tests])
    pooled = judge(tested.predictions, known, Settings(training=SETTINGS)).pooled
    rule = pooled["baselines"]["school_rule"]
    assert rule["lift_at"]["5%"] == pytest.approx(pooled["precision_at"]["5%"] / rule["precision_at"]["5%"])
    spread = rule["recall_range_at"]["10%"]
    assert spread["worst"] < rule["recall_at"]["10%"] < spread["best"], "the rule ties whole classes"
