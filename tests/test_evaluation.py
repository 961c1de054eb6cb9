"""Measures mean what they say: against brute force, against scikit-learn, and where nothing can be said."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.linear_model import LogisticRegression

from risk_model.evaluation import by_school
from risk_model.evaluation.judged import Judged, JudgementError
from risk_model.evaluation.lists import NAMES, PERCENTS, Lists
from risk_model.evaluation.metrics import Measures, metrics
from risk_model.evaluation.paired import paired_difference
from risk_model.evaluation.pooled import pooled
from risk_model.evaluation.resampling import interval, resamples
from risk_model.evaluation.ties import tie_ranges

TIED = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.5, 0.9])), min_size=1, max_size=6)


def _county(count: int = 4000, seed: int = 1) -> pd.DataFrame:
    dice = np.random.default_rng(seed)
    risk = dice.beta(0.5, 8, count)
    frame = pd.DataFrame({"risk": risk, "y": (dice.random(count) < risk).astype(int)})
    frame["school"] = dice.integers(0, 25, count).astype(str)
    frame["snapshot"] = pd.to_datetime("2025-09-01") + pd.to_timedelta(dice.integers(0, 3, count) * 30, "D")
    frame["capacity"] = dice.random(count) < 0.05
    return frame


def _judged(frame: pd.DataFrame, risk: str = "risk") -> Judged:
    return Judged(frame["y"], frame[risk], frame["school"], frame["snapshot"], frame["capacity"])


@given(TIED, st.sampled_from([10, 40, 60]))
@settings(max_examples=60, deadline=None)
def test_hits_under_ties_are_the_mean_over_every_way_to_break_them(
    rows: list[tuple[int, float]], percent: int
) -> None:
    y, risk = zip(*rows, strict=True)
    length = math.ceil(len(rows) * percent / 100)
    orders = itertools.permutations(range(len(rows)))
    ranked = [order for order in orders if all(risk[a] >= risk[b] for a, b in itertools.pairwise(order))]
    expected = np.mean([sum(y[i] for i in order[:length]) for order in ranked])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("risk_model.evaluation.lists.PERCENTS", (percent,))
        counts = Lists(Judged(y, risk)).count(np.ones(len(rows), dtype=int))
    assert counts.length[0] == length
    assert counts.hits[0] == pytest.approx(expected)


@given(TIED)
@settings(max_examples=80, deadline=None)
def test_the_area_under_the_curve_is_the_share_of_pairs_in_the_right_order(
    rows: list[tuple[int, float]],
) -> None:
    left = [risk for y, risk in rows if y]
    stayed = [risk for y, risk in rows if not y]
    pairs = [(a > b) + (a == b) / 2 for a in left for b in stayed]
    found = metrics(*zip(*rows, strict=True))["roc_auc"]
    assert found == (pytest.approx(np.mean(pairs)) if pairs else None)


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_the_measures_scikit_learn_has_are_the_same_with_many_ties_and_with_none(digits: int) -> None:
    frame = _county()
    y, risk = frame["y"].to_numpy(), frame["risk"].round(digits).clip(0.001, 0.999).to_numpy()
    found = metrics(y, risk)
    assert found["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(y, risk))
    assert found["average_precision"] == pytest.approx(sklearn_metrics.average_precision_score(y, risk))
    assert found["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(y, risk))
    assert found["log_loss"] == pytest.approx(sklearn_metrics.log_loss(y, risk))
    assert found["brier_skill"] == pytest.approx(1 - found["brier"] / (y.mean() * (1 - y.mean())))


def test_the_calibration_line_is_the_unpenalised_logistic_regression_on_the_log_odds() -> None:
    frame = _county(seed=2)
    risk = 1 / (1 + np.exp(-(0.6 * np.log(frame["risk"] / (1 - frame["risk"])) + 0.5)))
    log_odds = np.log(risk / (1 - risk)).to_numpy()[:, None]
    line = LogisticRegression(C=np.inf, tol=1e-10, solver="newton-cholesky").fit(log_odds, frame["y"])
    found = metrics(frame["y"], risk)
    assert found["calibration_slope"] == pytest.approx(float(line.coef_[0, 0]), abs=1e-6)
    assert found["calibration_intercept"] == pytest.approx(float(line.intercept_[0]), abs=1e-6)


def test_true_risks_are_calibrated_and_a_third_of_them_are_seen_not_to_be() -> None:
    frame = _county(40_000, seed=3)
    true, third = metrics(frame["y"], frame["risk"]), metrics(frame["y"], frame["risk"] * 0.3)
    assert true["calibration_slope"] == pytest.approx(1, abs=0.05)
    assert true["expected_over_observed"] == pytest.approx(1, abs=0.05)
    assert true["expected_over_observed_top5"] == pytest.approx(1, abs=0.08)
    assert third["expected_over_observed"] == pytest.approx(0.3, abs=0.02)
    assert third["expected_over_observed_top5"] == pytest.approx(0.3, abs=0.03)
    assert third["ece"] > 5 * true["ece"]


def test_the_calibration_error_is_the_mean_gap_over_fifteen_equal_bins() -> None:
    frame = _county(3000, seed=4).sort_values("risk", ascending=False)
    bins = np.arange(3000) * 15 // 3000
    gaps = (frame["risk"] - frame["y"]).groupby(bins).mean().abs()
    assert metrics(frame["y"], frame["risk"])["ece"] == pytest.approx(float(gaps.mean()))


def test_the_calibration_error_does_not_depend_on_the_order_of_tied_pupils() -> None:
    y, risk = np.array([1, 1, 0, 0] * 10), np.full(40, 0.4)
    assert metrics(y, risk)["ece"] == pytest.approx(0.1)
    assert metrics(np.sort(y), risk)["ece"] == pytest.approx(0.1)


def test_no_order_of_the_rows_changes_any_measure() -> None:
    frame = _county(seed=5).assign(risk=lambda county: county["risk"].round(2))
    shuffled = frame.sample(frac=1, random_state=6)
    one = metrics(frame["y"], frame["risk"], frame["capacity"])
    other = metrics(shuffled["y"], shuffled["risk"], shuffled["capacity"])
    assert pd.json_normalize(one).T[0].to_dict() == pytest.approx(pd.json_normalize(other).T[0].to_dict())


def test_a_list_of_one_percent_is_never_empty() -> None:
    found = metrics([1, 0, 0], [0.9, 0.2, 0.1])
    assert found["precision_at"] == {"1%": 1, "2%": 1, "5%": 1, "10%": 1, "capacity": None}
    assert found["recall_at"]["1%"] == 1


@pytest.mark.parametrize(
    ("students", "percent", "length"), [(700, 1, 7), (701, 1, 8), (60, 5, 3), (100, 2, 2)]
)
def test_a_list_holds_its_percentage_rounded_up_exactly(students: int, percent: int, length: int) -> None:
    counts = Lists(Judged(np.zeros(students), np.linspace(0, 1, students))).count(
        np.ones(students, dtype=int)
    )
    assert counts.length[PERCENTS.index(percent)] == length


def test_capacity_is_judged_on_those_who_were_listed() -> None:
    found = metrics([1, 1, 0, 0], [0.9, 0.1, 0.8, 0.2], [True, False, True, False])
    assert (found["precision_at"]["capacity"], found["recall_at"]["capacity"]) == (0.5, 0.5)


def test_intervals_from_sums_per_school_are_those_of_resampled_rows() -> None:
    """Every measure of every draw, against the slow way: rows that occur several times."""
    frame = _county(900, seed=6).assign(risk=lambda rows: rows["risk"].round(2))
    judged = _judged(frame)
    times = np.random.default_rng(2).multinomial(25, np.full(25, 1 / 25), 12)
    fast = by_school._measured(judged, judged.schools, times.astype(float))
    for i, drawn in enumerate(times):
        slow = Measures(judged).resampled(drawn[judged.schools])
        slow |= {f"{name}_capacity": slow[name]["capacity"] for name in ("recall_at", "precision_at")}
        for name in by_school.MEASURES:
            assert fast[name][i] == pytest.approx(slow[name]), name
    bounds = by_school.school_intervals(judged, samples=300)
    assert bounds["roc_auc"] == pytest.approx(pooled(judged, samples=300)["intervals"]["roc_auc"], abs=0.02)


def test_where_nobody_left_a_groups_intervals_are_null() -> None:
    found = by_school.school_intervals(Judged([0, 0], [0.1, 0.2], ["A", "B"], capacity=[True, False]))
    assert (found["roc_auc"], found["recall_at_capacity"], found["expected_over_observed"]) == (None,) * 3
    assert found["precision_at_capacity"] == [0.0, 0.0]
    assert set(by_school.school_intervals(Judged([], [], [])).values()) == {None}


def test_a_place_at_the_end_of_a_schools_list_is_worth_the_mean_of_those_tied_for_it() -> None:
    """Three pupils of school A tie for one place, one of them leaves; in B nobody ties."""
    y, risk = [1, 0, 0, 1, 0], [0.5, 0.5, 0.5, 0.9, 0.1]
    listed, school = [False, True, False, True, False], ["A", "A", "A", "B", "B"]
    found = metrics(y, risk, listed, school)
    assert found["recall_at"]["capacity"] == pytest.approx((1 / 3 + 1) / 2)
    spread = tie_ranges(Judged(y, risk, school, capacity=listed))
    assert spread["recall_range_at"]["capacity"] == {"best": 1.0, "worst": 0.5}
    assert spread["precision_range_at"]["capacity"] == {"best": 1.0, "worst": 0.5}


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_the_worth_of_tied_places_lies_between_the_worst_and_the_best_luck(
    rows: list[tuple[int, bool]],
) -> None:
    y, listed = zip(*rows, strict=True)
    tied = Judged(y, [0.3] * len(y), ["A"] * len(y), capacity=listed)
    hits = Lists(tied).count(np.ones(len(y), dtype=np.intp)).hits[-1]
    ways = [sum(y[i] for i in chosen) for chosen in itertools.combinations(range(len(y)), sum(listed))]
    assert hits == pytest.approx(np.mean(ways))
    spread = tie_ranges(tied)["recall_range_at"]["capacity"]
    if sum(y):
        assert (spread["worst"], spread["best"]) == (min(ways) / sum(y), max(ways) / sum(y))


def test_where_nobody_left_what_cannot_be_known_is_null() -> None:
    found = metrics([0, 0, 0], [0.2, 0.1, 0.1], [True, False, False])
    json.dumps(found, allow_nan=False)
    unknown = {key for key, value in found.items() if value is None}
    assert unknown == {
        "roc_auc",
        "average_precision",
        "brier_skill",
        "expected_over_observed",
        "expected_over_observed_top5",
        "calibration_slope",
        "calibration_intercept",
    }
    assert set(found["recall_at"].values()) == {None}
    assert found["precision_at"]["capacity"] == 0
    assert found["positives"] == 0


def test_an_empty_snapshot_has_zero_students_and_nothing_else() -> None:
    found = metrics([], [], np.array([], dtype=bool))
    assert (found["students"], found["positives"], found["brier"], found["ece"]) == (0, 0, None, None)
    assert set(found["precision_at"].values()) == {None}
    everything = pooled(Judged([], [], [], []), samples=5)
    json.dumps(everything, allow_nan=False)
    assert everything["intervals"]["roc_auc"] is None


def test_risks_of_zero_and_one_are_judged_too() -> None:
    found = metrics([1, 0, 1, 0], [1.0, 0.0, 0.0, 0.3])
    json.dumps(found, allow_nan=False)
    assert found["log_loss"] == pytest.approx((-math.log(1e-12) - math.log(0.7)) / 4, rel=1e-6)


def test_a_perfect_ranking_has_no_calibration_line() -> None:
    assert metrics([1, 0, 0], [0.9, 0.2, 0.1])["calibration_slope"] is None


@pytest.mark.parametrize(
    ("y", "risk", "says"),
    [
        ([0, 2], [0.1, 0.2], "labels 0 and 1"),
        ([0, float("nan")], [0.1, 0.2], "labels 0 and 1"),
        ([0, 1], [0.1, 1.2], "outside 0–1"),
        ([0, 1], [0.1, float("nan")], "without a score"),
        ([0, 1], [0.1], "different lengths"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(y: list[float], risk: list[float], says: str) -> None:
    with pytest.raises(JudgementError, match=says):
        metrics(y, risk)


def test_pooled_lists_are_cut_in_each_snapshot_and_added_up() -> None:
    frame = _county(seed=7)
    found = pooled(_judged(frame), samples=10)
    per_snapshot = [
        Lists(Judged(part["y"], part["risk"])).count(np.ones(len(part), dtype=int))
        for _, part in frame.groupby("snapshot")
    ]
    hits = sum(counts.hits for counts in per_snapshot)
    precision = hits / sum(counts.length for counts in per_snapshot)
    recall = hits / frame["y"].sum()
    for i, name in enumerate(NAMES):
        assert found["precision_at"][name] == pytest.approx(precision[i])
        assert found["recall_at"][name] == pytest.approx(recall[i])
    assert (found["snapshots"], found["schools"]) == (3, 25)


def test_pooling_a_single_snapshot_changes_nothing() -> None:
    frame = _county(seed=8)
    once = metrics(frame["y"], frame["risk"], frame["capacity"])
    found = pooled(Judged(frame["y"], frame["risk"], capacity=frame["capacity"]), samples=2)
    assert {key: found[key] for key in once} == once


def test_a_resample_is_the_measures_of_the_rows_it_repeats() -> None:
    """Repeating rows outright gives what the weights give; the calibration line comes very close."""
    frame = _county(2000, seed=9).assign(risk=lambda county: county["risk"].round(2).clip(0.01, 0.99))
    times = next(resamples(_judged(frame).schools, 1, 3))
    repeated = frame.loc[frame.index.repeat(times)]
    weighted = pd.json_normalize(Measures(_judged(frame)).resampled(times)).T[0]
    outright = pd.json_normalize(Measures(_judged(repeated)).at_once()).T[0]
    line = ["calibration_slope", "calibration_intercept"]
    bins = ["ece"]
    same = weighted.index.difference([*line, *bins])
    assert weighted[same].to_dict() == pytest.approx(outright[same].to_dict())
    assert weighted[line].to_dict() == pytest.approx(outright[line].to_dict(), abs=0.005)
    assert weighted["ece"] == pytest.approx(outright["ece"], abs=0.01)


def test_schools_are_drawn_whole_and_as_many_as_there_are() -> None:
    schools = np.repeat(np.arange(7), 3)
    for times in resamples(schools, 20, seed=1):
        by_school = times.reshape(7, 3)
        assert (by_school == by_school[:, :1]).all()
        assert by_school[:, 0].sum() == 7


def test_intervals_hold_the_value_and_are_the_same_for_the_same_seed() -> None:
    judged = _judged(_county(seed=10))
    found = pooled(judged, samples=100, seed=4)
    assert found == pooled(judged, samples=100, seed=4)
    assert found != pooled(judged, samples=100, seed=5)
    for key in ("roc_auc", "average_precision", "brier", "expected_over_observed", "calibration_slope"):
        lower, upper = found["intervals"][key]
        assert lower < found[key] < upper
    lower, upper = found["intervals"]["recall_at"]["10%"]
    assert lower < found["recall_at"]["10%"] < upper
    json.dumps(found, allow_nan=False)


def test_intervals_are_wider_when_the_pupils_of_a_school_leave_together() -> None:
    """Schools, not pupils, are resampled: a hundred pupils of one school are not a hundred witnesses."""
    dice = np.random.default_rng(11)
    y = np.repeat(dice.random(20) < 0.3, 100).astype(int)
    risk = dice.random(2000)
    school = np.repeat(np.arange(20), 100)
    clustered = pooled(Judged(y, risk, school), samples=200)["intervals"]["expected_over_observed"]
    alone = pooled(Judged(y, risk), samples=200)["intervals"]["expected_over_observed"]
    assert clustered[1] - clustered[0] > 3 * (alone[1] - alone[0])


def test_an_interval_needs_half_of_its_resamples() -> None:
    assert interval([float("nan")] * 6 + [1.0] * 4) is None
    assert interval([]) is None
    assert interval([float("nan")] + [1.0] * 9) == (1.0, 1.0)


def test_a_model_compared_with_itself_differs_by_nothing() -> None:
    judged = _judged(_county(seed=12))
    found = paired_difference(judged, judged, samples=20)
    assert list(found) == [*NAMES, "capacity"]
    for difference in found.values():
        assert difference == {"difference": 0, "mean": 0, "lower": 0, "upper": 0}


def test_a_better_model_is_better_beyond_chance_and_the_sign_turns_with_the_order() -> None:
    frame = _county(20_000, seed=13)
    frame["noisy"] = (frame["risk"] * np.random.default_rng(1).lognormal(0, 1.5, len(frame))).clip(0, 1)
    good, bad = _judged(frame), _judged(frame, "noisy")
    forth, back = paired_difference(good, bad, samples=100), paired_difference(bad, good, samples=100)
    recall = pooled(good, samples=2)["recall_at"]["5%"] - pooled(bad, samples=2)["recall_at"]["5%"]
    assert forth["5%"]["difference"] == pytest.approx(recall)
    assert 0 < forth["5%"]["lower"] < forth["5%"]["mean"] < forth["5%"]["upper"]
    assert back["5%"]["upper"] == pytest.approx(-forth["5%"]["lower"])


def test_pairing_narrows_the_comparison() -> None:
    """Two rankings that hardly differ are told apart more finely than each is known."""
    frame = _county(seed=14)
    frame["nearly"] = frame["risk"].round(2)
    difference = paired_difference(_judged(frame), _judged(frame, "nearly"), samples=100)["10%"]
    alone = pooled(_judged(frame), samples=100)["intervals"]["recall_at"]["10%"]
    assert difference["upper"] - difference["lower"] < (alone[1] - alone[0]) / 2


def test_a_comparison_on_other_pupils_is_refused() -> None:
    frame = _county(seed=15)
    with pytest.raises(JudgementError, match="same pupils"):
        paired_difference(_judged(frame), _judged(frame.iloc[::-1]))


def test_a_comparison_where_nobody_left_says_nothing() -> None:
    nobody = Judged([0, 0], [0.1, 0.2], ["a", "b"])
    assert paired_difference(nobody, nobody, samples=5)["1%"]["lower"] is None
