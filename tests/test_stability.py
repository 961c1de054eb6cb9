"""Whether small changes of input leave the reasons: what each changes, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest

from risk_model.explanation.stability import NUDGES, steadiness
from risk_model.features.declared import BY_NAME, FEATURES

NAMES = ("absence_7", "absence_30", "absence_term", "absence_longest", "travel_km", "day_pupil_km",
         "boarding", "score_latest", "weeks_in_term")  # fmt: skip
DECLARED = [BY_NAME[name] for name in NAMES]
VALUES = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 5.0, 5.0, 0.0, 0.6, 8.0],
        [1.0, 0.5, 0.5, 4.0, 5.0, 0.0, 1.0, 0.4, np.nan],
        [np.nan] * 9,
    ]
)
BY_CHANGE = {nudge.name: nudge for nudge in NUDGES}


def after(change: str) -> dict[str, list[float]]:
    moved = BY_CHANGE[change].applied(VALUES, DECLARED)
    return {name: moved[:, column].tolist() for column, name in enumerate(NAMES)}


def test_one_more_day_away_is_a_day_of_every_window_and_no_more_than_all():
    moved = after("one more day away without excuse")
    assert moved["absence_7"][:2] == pytest.approx([1 / 7, 1.0])
    assert moved["absence_30"][:2] == pytest.approx([1 / 30, 0.5 + 1 / 30])
    assert moved["absence_term"][:2] == pytest.approx([1 / 40, 0.5 + 1 / 90])
    assert moved["absence_longest"][:2] == [1.0, 4.0]
    assert moved["travel_km"][:2] == [5.0, 5.0]


def test_a_longer_way_is_longer_every_day_except_for_who_boards():
    moved = after("200 m further from school")
    assert moved["travel_km"][:2] == pytest.approx([5.2, 5.2])
    assert moved["day_pupil_km"][:2] == pytest.approx([5.2, 0.0])
    assert moved["score_latest"][:2] == [0.6, 0.4]


@pytest.mark.parametrize("change", sorted(BY_CHANGE))
def test_what_is_not_known_stays_unknown(change):
    assert np.isnan(BY_CHANGE[change].applied(VALUES, DECLARED)[2]).all()


def test_every_change_is_seen_in_declared_features():
    for nudge in NUDGES:
        assert {*nudge.added, *nudge.per_term_day, *nudge.at_least} <= {feature.name for feature in FEATURES}


def ways(rows: np.ndarray) -> np.ndarray:
    """Contributions that put the way first above 5.1 km, and the result otherwise."""
    parts = np.zeros_like(rows)
    parts[:, NAMES.index("travel_km")] = np.where(rows[:, NAMES.index("travel_km")] > 5.1, 2.0, 0.5)
    parts[:, NAMES.index("score_latest")] = 1.0
    return parts


def test_the_shares_of_pupils_whose_reasons_stay_are_weighted():
    values = np.tile(VALUES[0], (4, 1))
    values[1:, NAMES.index("travel_km")] = [3.0, 3.0, 9.0]
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    measured = steadiness(ways, values, DECLARED, 2, weight)
    further = {one.change: one for one in measured}["200 m further from school"]
    assert further.students == 4
    assert further.first_stays == pytest.approx(0.9)  # the one at 5 km is told the way first now
    assert (further.first_is_told, further.all_stay) == (1.0, 1.0)
    assert further.largest_move == pytest.approx(1.5, abs=0.1)
    [one] = [one for one in steadiness(ways, values, DECLARED, 1, weight) if one.change == further.change]
    assert (one.first_is_told, one.all_stay) == (pytest.approx(0.9), pytest.approx(0.9))


def test_a_window_that_takes_over_from_another_says_the_same_reason():
    def windows(rows: np.ndarray) -> np.ndarray:
        parts = np.zeros_like(rows)
        parts[:, 0] = np.where(rows[:, 4] > 5.1, 1.0, 0.1)  # absence of 7 days
        parts[:, 1] = 0.5  # of 30
        return parts

    measured = {one.change: one for one in steadiness(windows, VALUES[:1], DECLARED, 2)}
    assert measured["200 m further from school"].first_stays == 1.0


def test_nobody_with_a_reason_is_no_division_by_zero():
    measured = steadiness(np.zeros_like, VALUES, DECLARED, 2)
    assert {(one.students, one.first_stays) for one in measured} == {(0, 1.0)}
