"""The search takes other numbers only where they are shown to be better, and keeps what it was given."""

from __future__ import annotations

import numpy as np
import pytest

from risk_model import RiskClassifier, RiskSearch
from risk_model.errors import UsageError
from tests.flat_tables import flat_table

SPACE = {
    "max_depth", "rounds", "min_samples_leaf", "reg_lambda", "column_share", "row_share", "linear_strength",
}  # fmt: skip


def test_numbers_that_are_plainly_bad_are_left_for_better_ones() -> None:
    table, left = flat_table(800)
    bad = RiskClassifier(
        rounds=1, linear_strength=1e-6, min_samples_leaf=400, monotone={"missed": 1}, random_state=3
    )
    search = RiskSearch(bad, trials=3).fit(table, left)
    chosen = search.best_estimator_
    assert not search.default_chosen_
    assert set(search.best_params_) == SPACE
    assert search.trials_["loss"].idxmin() > 0
    assert chosen.cross_fit_loss_ == pytest.approx(search.trials_["loss"].min(), abs=1e-12)
    assert (chosen.monotone, chosen.random_state) == ({"missed": 1}, 3)


def test_a_gain_that_may_be_chance_keeps_the_numbers_started_from() -> None:
    """Labels that nothing explains: some trial is always best, and none is better."""
    table, _ = flat_table(300)
    left = np.random.default_rng(5).permutation(np.arange(300) % 2)
    search = RiskSearch(RiskClassifier(rounds=1, linear_strength=1e-6), trials=4).fit(table, left)
    assert search.default_chosen_
    assert search.best_params_ == {}
    start = RiskClassifier(rounds=1, linear_strength=1e-6).fit(table, left)
    assert np.array_equal(search.decision_function(table), start.decision_function(table))


def test_the_same_seed_tries_the_same_numbers() -> None:
    table, left = flat_table(150)
    once, again, other = (
        RiskSearch(RiskClassifier(rounds=5), trials=2, random_state=seed).fit(table, left).trials_
        for seed in (1, 1, 2)
    )
    numbers = sorted(SPACE | {"loss"})
    assert once[numbers].equals(again[numbers])
    assert not once[numbers].equals(other[numbers])


def test_no_trial_is_begun_after_the_budget() -> None:
    search = RiskSearch(RiskClassifier(rounds=5), trials=500, budget=0.5).fit(*flat_table(150))
    assert 1 <= len(search.trials_) < 50


def test_a_table_too_small_for_folds_is_not_searched() -> None:
    search = RiskSearch(RiskClassifier(rounds=5), trials=3).fit(flat_table(3)[0], [0, 0, 1])
    assert search.default_chosen_
    assert len(search.trials_) == 1


def test_what_it_chose_answers_for_it() -> None:
    table, left = flat_table(150)
    search = RiskSearch(RiskClassifier(rounds=5), trials=1).fit(table, left)
    assert np.array_equal(search.predict_proba(table), search.best_estimator_.predict_proba(table))
    assert search.explain(table).risk.to_numpy() == pytest.approx(search.predict_proba(table)[:, 1])
    assert set(search.predict(table)) <= {0, 1}


@pytest.mark.parametrize("numbers", [{"trials": -1}, {"budget": -1.0}])
def test_a_search_of_less_than_nothing_is_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="must not be below 0"):
        RiskSearch(**numbers).fit(*flat_table(60))
