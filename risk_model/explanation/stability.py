"""How steady reasons are: whether a small, plausible change of input puts another reason first.

A pupil whose reasons change with one more day away or with two points in a hundred of a result is told
something that will not hold. Each :class:`Nudge` changes what one fact of the registers would change, in
every feature it is seen in; unknown values stay unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.explanation.reasons import sayings, strongest
from risk_model.explanation.sentences import Told

Matrix = NDArray[np.float64]
Explain = Callable[[Matrix], Matrix]
"""Contributions (n, k) of feature values (n, k)."""

SPREAD_OF_RESULTS = 0.15
"""Standard deviation of exam results in shares of the points: what turns them into the county's scale."""


@dataclass(frozen=True)
class Nudge:
    """A small change: how much is added to each feature it is seen in; shares stay within −1 and 1."""

    name: str
    added: Mapping[str, float]
    per_term_day: tuple[str, ...] = ()
    """Features over the term so far: a day of them is one of its weeks' five."""
    at_least: Mapping[str, float] = field(default_factory=dict)
    """Features that are raised to so much."""

    def applied(self, values: Matrix, features: Sequence[Told]) -> Matrix:
        """``values`` (n, k) after the change; NaN stays NaN."""
        names = [feature.name for feature in features]
        after = values.copy()
        for column, feature in enumerate(features):
            after[:, column] = self._moved(values, column, feature, names)
        if "boarding" in names and "day_pupil_km" in names:  # who boards has no daily way to lengthen
            boards = values[:, names.index("boarding")] == 1
            column = names.index("day_pupil_km")
            after[boards, column] = values[boards, column]
        return after

    def _moved(self, values: Matrix, column: int, feature: Told, names: Sequence[str]) -> Matrix:
        now: Matrix = values[:, column]
        if feature.name in self.at_least:
            return np.maximum(now, self.at_least[feature.name])
        term = feature.name in self.per_term_day
        step = 1 / _days_of_term(values, names) if term else self.added.get(feature.name, 0.0)
        return np.clip(now + step, -1, 1) if feature.unit == "percent" else now + step


def _days_of_term(values: Matrix, names: Sequence[str]) -> Matrix:
    if "weeks_in_term" not in names:
        return np.full(len(values), 90.0)
    weeks = values[:, list(names).index("weeks_in_term")]
    return np.where(np.isnan(weeks), 90.0, np.maximum(1.0, weeks) * 5)


def _marks(share: float) -> dict[str, float]:
    on_the_scale = share / SPREAD_OF_RESULTS
    scales = ("z_all_latest", "z_core_latest", "z_all_mean", "z_core_mean", "z_change")
    return {"score_latest": share, "class_percentile": 2 * share, **dict.fromkeys(scales, on_the_scale)}


def _way(km: float) -> dict[str, float]:
    return dict.fromkeys(("travel_km", "day_pupil_km", "travel_km_over_school"), km)


ONE_DAY = {
    **{f"{kind}_{days}": 1 / days for kind in ("absence", "unexcused") for days in (7, 14, 30, 90)},
    **dict.fromkeys(("absence_change_30", "absence_30_over_class", "absence_30_over_school"), 1 / 30),
    **dict.fromkeys(("unexcused_change_30", "unexcused_30_over_class"), 1 / 30),
    "absence_episodes": 1.0,
}
NUDGES = (
    Nudge(
        "one more day away without excuse",
        ONE_DAY,
        per_term_day=("absence_term", "unexcused_term"),
        at_least={"absence_longest": 1.0, "unexcused_longest": 1.0},
    ),
    Nudge("results 2 points in a hundred better", _marks(0.02)),
    Nudge("results 2 points in a hundred worse", _marks(-0.02)),
    Nudge("200 m further from school", _way(0.2)),
    Nudge("200 m nearer to school", _way(-0.2)),
)


@dataclass(frozen=True)
class Steadiness:
    """Shares (0–1) of the pupils with a reason whose reasons stay; all weighted."""

    change: str
    students: int
    first_stays: float
    """The reason told first is still told first."""
    first_is_told: float
    """…or at least is still among the reasons told."""
    all_stay: float
    """The same reasons are told, in any order."""
    largest_move: float
    """99 in 100 pupils' log-odds move by no more than this."""

    def document(self) -> dict[str, Any]:
        """As ``train --json`` prints it."""
        return asdict(self)


def steadiness(
    explain: Explain,
    values: Matrix,
    features: Sequence[Told],
    count: int,
    weight: Matrix | None = None,
    nudges: Sequence[Nudge] = NUDGES,
) -> list[Steadiness]:
    """How the ``count`` reasons of each pupil stand each of the changes.

    Parameters
    ----------
    explain : contributions (n, k) in calibrated log-odds of feature values (n, k)
    values : array (n, k), NaN = null
    features : declarations of the k columns
    count : how many reasons a list tells
    weight : array (n,), optional; sampled pupils stand for many
    """
    first = explain(values)
    share = np.ones(len(values)) if weight is None else weight
    found = []
    for nudge in nudges:
        after = nudge.applied(values, features)
        second = explain(after)
        told, now = (
            _told(parts, rows, features, count) for parts, rows in ((first, values), (second, after))
        )
        move = np.abs(second.sum(axis=1) - first.sum(axis=1))
        found.append(_measured(nudge.name, told, now, share, move))
    return found


def _measured(
    change: str, told: NDArray[np.intp], now: NDArray[np.intp], share: Matrix, move: Matrix
) -> Steadiness:
    some = told[:, 0] >= 0
    told, now, share = told[some], now[some], share[some]
    return Steadiness(
        change=change,
        students=len(told),
        first_stays=_mean(told[:, 0] == now[:, 0], share),
        first_is_told=_mean((told[:, :1] == now).any(axis=1), share),
        all_stay=_mean((np.sort(told, axis=1) == np.sort(now, axis=1)).all(axis=1), share),
        largest_move=float(np.quantile(move, 0.99)) if len(move) else 0.0,
    )


def _told(contributions: Matrix, values: Matrix, features: Sequence[Told], count: int) -> NDArray[np.intp]:
    """What is said to each pupil, (n, count): the reason's number, whichever of its features says it."""
    said = sayings(features)
    chosen = strongest(contributions, features, count, values)
    return np.where(chosen < 0, -1, said[np.maximum(chosen, 0)])


def _mean(holds: NDArray[np.bool_], weight: Matrix) -> float:
    return float(np.average(holds, weights=weight)) if len(holds) and weight.sum() > 0 else 1.0
