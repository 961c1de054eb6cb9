"""The search for better numbers: on days before the test days, through a kill, taken only if shown better."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk_model.features.declared import FEATURES as DECLARED
from risk_model.settings import ListSettings, Settings, TrainingSettings
from tests.made_up_pupils import MadeUp, features
from training.backtest import backtest, fit_model, material
from training.candidate import make_candidate
from training.fit import FURTHEST, MINIMUM_LATER_POSITIVES, ROUNDS, SHAPE, Rows, fit_trees
from training.search import searching
from training.search.choice import choose
from training.search.origins import CLUSTERS, list_length, prepare, tried
from training.search.searching import Budget, Given, search
from training.search.space import DEFAULT, SPACE, changes
from training.search.study import Study
from training.splits import origins, plan

FIRST = date(2022, 9, 1)
DAYS = [FIRST + timedelta(days=30 * month) for month in range(1, 30)]
GAP = 118
AS_OF = DAYS[-1] + timedelta(days=GAP)
SETTINGS = Settings(training=TrainingSettings(test_snapshots=3, bootstrap_samples=40))
PLAN = plan(DAYS, AS_OF, GAP, 3)
KNOWN_ON = PLAN.tests[0].known_on
FREE = (*[feature for feature in DECLARED if feature.direction == 0][:7], *features()[:3])
"""Seven that may move the risk either way, then those of the school's rule."""


@dataclass
class Conspiring(MadeUp):
    """Pupils leave where three things come together: trees of depth 2 cannot say so."""

    pupils: int = 450

    def _on(self, day: date) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
        _, pupils, _ = super()._on(day)
        dice = np.random.default_rng([self.seed, day.toordinal()])
        x = dice.random((self.pupils, len(FREE))).astype(np.float32)
        together = (x[:, :3] > 0.5).all(axis=1)
        y = (dice.random(self.pupils) < np.where(together, 0.6, 0.01)).astype(np.int8)
        return x, pupils, y


def forget(steps: int) -> None:
    """Nobody watches the progress."""


def given(source: MadeUp | None = None, features=FREE) -> Given:
    return Given(source or Conspiring(), PLAN, features, SETTINGS)


def searched(trials: int, path: Path | None = None, source: MadeUp | None = None, **depends_on):
    return search(given(source), Budget(3600, trials), path, depends_on, forget)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search of fourteen trials that nobody disturbed."""
    return searched(14, tmp_path_factory.mktemp("search") / "search.db")


def points(found):
    return [run.params for run in found.runs]


# What it is judged on


def test_no_day_it_chooses_on_is_a_test_day_and_no_label_it_sees_was_learnt_after_the_first_of_them():
    source = Conspiring()
    found = searched(1, source=source)
    chosen_on = [date.fromisoformat(day) for day in found.document["origins"]]
    assert len(chosen_on) >= 3
    assert all(day + timedelta(days=GAP) <= KNOWN_ON for day in chosen_on)
    for day, snapshots in source.asked:
        assert day <= KNOWN_ON
        assert max(snapshots) + timedelta(days=GAP) <= day


def test_origins_are_spread_over_the_seasons_not_the_latest():
    every = origins(DAYS, KNOWN_ON, GAP, 100)
    some = origins(DAYS, KNOWN_ON, GAP, 4)
    assert len(every) > len(some) == 4
    assert (some[0], some[-1]) == (every[0], every[-1])
    steps = np.diff([split.known_on.toordinal() for split in some])
    assert steps.max() - steps.min() <= 30


def test_the_loss_of_a_day_is_told_by_groups_of_schools_and_beats_the_base_rate():
    usable, skipped = prepare(Conspiring(pupils=600), origins(DAYS, KNOWN_ON, GAP, 3), KNOWN_ON)
    scores = tried(usable, FREE, SETTINGS.training, None, "5%")
    assert skipped == {}
    assert all(score.loss.shape == (CLUSTERS,) and (score.loss > 0).sum() == 12 for score in scores)
    assert all(0 < score.loss.sum() < 1 for score in scores)
    assert all(0 < score.rounds <= ROUNDS for score in scores)


def test_a_trial_does_as_well_whether_origins_are_fitted_one_or_two_at_a_time():
    usable, _ = prepare(Conspiring(), origins(DAYS, KNOWN_ON, GAP, 3), KNOWN_ON)
    two = SETTINGS.training.model_copy(update={"threads": 2})
    for told in (None, changes(DEFAULT)):
        alone = tried(usable, FREE, SETTINGS.training, told, "5%")
        beside = tried(usable, FREE, two, told, "5%")
        assert [score.loss.tolist() for score in alone] == [score.loss.tolist() for score in beside]


def test_numbers_under_which_risk_falls_where_the_margin_rises_are_as_good_as_the_base_rate():
    """Shuffled outcomes: on some day the calibration turns the wrong way."""
    for seed in range(20):
        usable, _ = prepare(Shuffled(seed=seed), origins(DAYS, KNOWN_ON, GAP, 3), KNOWN_ON)
        scores = tried(usable, FREE, SETTINGS.training, None, "5%")
        turned = [score for score in scores if score.rounds == 0]
        if turned:
            assert turned[0].loss.sum() == pytest.approx(1)
            return
    pytest.fail("no calibration turned the wrong way")


class Shuffled(Conspiring):
    def _on(self, day: date) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
        x, pupils, y = super()._on(day)
        return x, pupils, np.random.default_rng(day.toordinal()).permutation(y)


def test_the_list_is_as_long_as_the_office_lists():
    assert list_length(ListSettings()) == "5%"
    assert list_length(ListSettings(capacity_share=0.015)) in {"1%", "2%"}
    assert list_length(ListSettings(capacity_share=0.3)) == "10%"


# Early stopping


def test_trees_of_other_numbers_stop_where_they_foretell_the_later_slice_best():
    model = material(Conspiring(pupils=900), PLAN.tests[0])
    stopped = fit_model(model, FREE, SETTINGS.training, changes({**DEFAULT, "learning_rate": 0.15}))
    assert 0 < stopped.booster.num_trees() < FURTHEST / 0.15
    default = fit_model(model, FREE, SETTINGS.training).booster.model_to_string()
    assert default == fit_trees(model.fit, FREE, SETTINGS.training).model_to_string()


def test_a_later_slice_of_another_level_stops_the_trees_at_the_same_round():
    """Its season is not the trees' fault: halving the weight of everybody who stayed changes nothing."""
    model = material(Conspiring(pupils=900), PLAN.tests[0])
    told, later = changes(DEFAULT), model.calibration
    scarcer = Rows(later.x, later.y, np.where(later.y == 1, 1.0, 0.25), later.pupils)
    trees = [
        fit_trees(model.fit, FREE, SETTINGS.training, told, slice_).num_trees() for slice_ in (later, scarcer)
    ]
    assert trees[0] == trees[1]


def test_with_too_few_leavers_to_stop_on_the_rounds_follow_from_the_rate():
    model = material(Conspiring(pupils=900), PLAN.tests[0])
    later, told = model.calibration, changes({**DEFAULT, "learning_rate": 0.06})
    few = later.y.copy()
    few[np.flatnonzero(few)[MINIMUM_LATER_POSITIVES - 1 :]] = 0
    fewer = Rows(later.x, few, later.weight, later.pupils)
    asked = [
        f"[num_iterations: {ROUNDS // 2}]"
        in fit_trees(model.fit, FREE, SETTINGS.training, told, slice_).model_to_string()
        for slice_ in (fewer, later)
    ]
    assert asked == [True, False]


def test_the_default_lies_within_the_space_and_has_no_more_leaves_than_its_depth_allows():
    assert all(span.low <= DEFAULT[name] <= span.high for name, span in SPACE.items())
    assert {name: SHAPE[name] for name in SPACE if name != "lambda_l1"} == {
        name: value for name, value in changes(DEFAULT).items() if name != "lambda_l1"
    }


# Choosing


def losses(means: np.ndarray, *, noise: float, seed: int = 0) -> np.ndarray:
    """(T, O, C) parts whose sums over 40 schools are ``means`` (T, O) give or take noise."""
    dice = np.random.default_rng(seed)
    parts = means[:, :, None] / 40 + noise * dice.normal(size=(*means.shape, 40))
    return np.pad(parts, ((0, 0), (0, 0), (0, CLUSTERS - 40)))


def test_least_regret_over_time_wins_and_not_the_best_of_the_last_day():
    at = np.array([[0.8, 0.8, 0.8, 0.8], [0.7, 0.7, 0.7, 0.75], [0.85, 0.9, 0.8, 0.5]])
    choice = choose(losses(at, noise=1e-6), np.ones((3, 4)))
    assert choice.chosen == choice.best == 1
    assert choice.gain == pytest.approx(0.0875, abs=1e-3)
    assert choice.regret[1]["mean"] < min(choice.regret[other]["mean"] for other in (0, 2))


def test_the_best_of_a_hundred_that_are_all_alike_seldom_takes_the_defaults_place():
    """By luck alone the best of a hundred is well beyond one standard error on the days it was chosen on."""
    at, taken, beyond = np.full((100, 6), 0.8), 0, 0
    for seed in range(60):
        parts = losses(at, noise=0.001, seed=seed)
        choice = choose(parts, np.ones((100, 6)))
        taken += not choice.why
        gains = (parts[0] - parts[choice.best]).mean(axis=0)[:40]
        beyond += gains.sum() > gains.std(ddof=1) * np.sqrt(40)
    assert beyond >= 50
    assert taken <= 20


def test_the_standard_error_takes_each_school_as_one():
    """Twice the days with the same schools' luck are no more evidence."""
    one = losses(np.array([[0.8], [0.7]]), noise=0.002)
    three, six = (choose(np.repeat(one, days, axis=1), np.ones((2, days))) for days in (3, 6))
    assert three.standard_error == pytest.approx(six.standard_error)
    parts = (one[0] - one[1]).ravel()[:40]
    assert three.standard_error == pytest.approx(parts.std(ddof=1) * np.sqrt(40))


def test_numbers_that_foretell_better_but_find_fewer_leavers_are_not_taken():
    at = np.array([[0.8] * 4, [0.7] * 4])
    choice = choose(losses(at, noise=1e-6), np.array([[0.5] * 4, [0.48] * 4]))
    assert choice.chosen == 0
    assert "fewer leavers" in choice.why


# The whole


def test_better_numbers_are_found_where_there_are_some_and_serve_every_fit(whole):
    assert not whole.document["default_chosen"]
    assert whole.changes["max_depth"] >= 3
    assert whole.document["gain"] > whole.document["standard_error"] > 0
    assert whole.document["recall_change"] >= 0
    told = [
        backtest(Conspiring(), PLAN.tests, FREE, SETTINGS.training, forget, chosen).predictions
        for chosen in (None, whole.changes)
    ]
    left = Conspiring().labels([split.known_on for split in PLAN.tests])["label"]
    loss = [-np.where(left == 1, np.log(risk["model"]), np.log1p(-risk["model"])).mean() for risk in told]
    assert loss[1] < 0.9 * loss[0], "on test days that nothing was chosen on"


def test_the_chosen_numbers_make_the_candidate_and_none_leave_the_default_to_the_last_byte(whole):
    made = [
        make_candidate(Conspiring(), PLAN, 900, FREE, SETTINGS.training, tests=3, changes=chosen).trees
        for chosen in (None, whole.changes)
    ]
    rows = Conspiring().rows(PLAN.final.fit)
    assert made[0].booster.model_to_string() == fit_trees(rows, FREE, SETTINGS.training).model_to_string()
    assert f"[max_depth: {whole.changes['max_depth']}]" in made[1].booster.model_to_string()


def test_the_default_stays_where_nothing_is_to_be_found():
    found = search(given(MadeUp(), features()), Budget(3600, 8), None, {}, forget)
    assert found.changes is None
    assert found.document["default_chosen"]
    assert found.document["chosen"] is None
    assert "the default stays" in found.document["says"]
    assert found.notes["search"] == found.document["says"]


def test_the_same_seed_makes_the_same_trials_and_the_same_choice(whole):
    again = searched(14)
    assert points(again) == points(whole)
    assert again.document["regret"] == whole.document["regret"]


def test_the_first_trial_is_the_default_itself(whole):
    assert whole.runs[0].params == {"trial": 0, "rounds": ROUNDS}
    assert all(run.params["max_depth"] <= 5 for run in whole.runs[1:])


def test_a_finished_search_answers_at_once_and_a_longer_one_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "search.db"
    first = searched(3, path)
    with monkeypatch.context() as forbidden:
        forbidden.setattr(searching, "prepare", None)
        again = searched(3, path)
    assert again.document == {**first.document, "resumed": 3}
    longer = searched(5, path)
    assert points(longer)[:3] == points(first)
    assert (longer.document["resumed"], longer.document["trials"]) == (3, 5)


def kept(path: Path) -> int:
    """Finished trials in the file of a search in progress."""
    try:
        with closing(sqlite3.connect(path, timeout=10)) as con:
            found = con.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()
    except sqlite3.OperationalError:  # not made yet
        return 0
    return int(found[0])


@pytest.mark.slow
def test_a_search_killed_twice_makes_the_trials_of_one_that_was_not(whole, tmp_path):
    path = tmp_path / "search.db"
    command = [sys.executable, "-m", "tests.search_once", str(path), "12"]
    for enough in (1, 11):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while kept(path) < enough:
            assert running.poll() is None
            time.sleep(0.01)
        running.kill()
        running.wait()
        assert enough <= kept(path) <= 12
    end = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert json.loads(end.stdout) == points(whole)[:12]


def test_other_registers_settings_or_code_begin_anew(tmp_path):
    path = tmp_path / "search.db"
    searched(2, path, lake_snapshot=1)
    assert searched(2, path, lake_snapshot=1).document["resumed"] == 2
    assert searched(2, path, lake_snapshot=2).document["resumed"] == 0


def test_only_the_latest_studies_are_kept(tmp_path, monkeypatch):
    import optuna

    monkeypatch.setattr("training.search.study.KEPT", 2)
    for name in "abcde":
        Study(tmp_path / "search.db", name, {}, 1)
    assert optuna.get_all_study_names(f"sqlite:///{tmp_path / 'search.db'}") == ["c", "d", "e"]


def test_no_trial_is_begun_that_would_outlast_the_budget(monkeypatch):
    """By a clock that goes on a second whenever it is looked at."""
    monkeypatch.setattr(searching, "perf_counter", count().__next__)
    moved: list[int] = []
    found = search(given(), Budget(20), None, {}, moved.append)
    assert 3 <= found.document["trials"] <= 5
    assert found.document["seconds"] <= 23, "a trial takes one second here and three looks at the clock"
    assert sum(moved) == found.document["seconds"]
    alone = search(given(), Budget(1), None, {}, forget)
    assert alone.document["trials"] == 1
    assert alone.document["default_chosen"]


def test_too_short_a_past_searches_nothing_and_says_why():
    short = plan(DAYS[:15], DAYS[14] + timedelta(days=GAP), GAP, 6)
    assert short.tests
    found = search(Given(Conspiring(), short, FREE, SETTINGS), Budget(60), None, {}, forget)
    assert (found.changes, found.document, found.runs, found.notes) == (None, None, (), {})
    assert found.not_done[0]["what"] == "search"
    assert "days could be used and 3 are needed" in found.not_done[0]["why"]
    none = plan(DAYS[:5], AS_OF, GAP, 3)
    assert "No test day" in search(given_of(none), Budget(60), None, {}, forget).not_done[0]["why"]


def given_of(planned):
    return Given(Conspiring(), planned, FREE, SETTINGS)


def test_days_with_too_few_leavers_are_left_out_and_named(tmp_path):
    path = tmp_path / "search.db"
    for _ in range(2):  # also when it is asked again
        found = search(given(Conspiring(pupils=30)), Budget(60, 2), path, {}, forget)
        assert found.document is None
        assert "leavers to fit on" in found.not_done[0]["why"]
