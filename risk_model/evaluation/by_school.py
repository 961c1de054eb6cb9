"""Intervals over schools from sums per school: hundreds of resamples for the price of one pass.

For groups of pupils, of which there are many. What is a sum over pupils, or a ratio of sums, needs only each
school's sums; the area under the curve needs, for each two schools, how many pairs stand in the right order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from risk_model.evaluation.curves import SMALLEST
from risk_model.evaluation.judged import Judged
from risk_model.evaluation.resampling import interval

Floats = NDArray[np.float64]
MEASURES = (
    "roc_auc", "brier", "brier_skill", "log_loss", "expected_over_observed", "recall_at_capacity",
    "precision_at_capacity",
)  # fmt: skip


def school_intervals(judged: Judged, *, samples: int = 200, seed: int = 0) -> dict[str, list[float] | None]:
    """95 % intervals of ``MEASURES`` (as :func:`risk_model.evaluation.metrics.metrics` defines them).

    The cluster bootstrap of :mod:`risk_model.evaluation.resampling`; None where one cannot be told.

    >>> county = Judged([1, 0, 1, 0], [0.9, 0.1, 0.2, 0.3], ["A", "A", "B", "B"], capacity=[True, False] * 2)
    >>> school_intervals(county)["precision_at_capacity"]
    [1.0, 1.0]
    """
    schools = judged.schools
    count = int(schools.max()) + 1 if len(schools) else 0
    dice = np.random.default_rng(seed)
    times = dice.multinomial(count, np.full(count, 1 / count), samples) if count else np.zeros((0, 0))
    found = _measured(judged, schools, times.astype(np.float64))
    bounds = {name: interval(values.tolist()) for name, values in found.items()}
    return {name: None if ends is None else list(ends) for name, ends in bounds.items()}


def _measured(judged: Judged, schools: NDArray[np.intp], times: Floats) -> dict[str, Floats]:
    """Each measure (samples,) when school s occurs ``times[i, s]`` times; NaN where one is undefined."""
    y, risk = judged.labels, judged.risks
    listed = np.zeros(len(y)) if judged.listed is None else judged.listed.astype(np.float64)
    ties = judged.ties
    worth = (np.bincount(ties, y) / np.maximum(np.bincount(ties), 1))[ties] if len(y) else y
    clipped = np.clip(risk, SMALLEST, 1 - SMALLEST)
    loss = -np.where(y == 1, np.log(clipped), np.log1p(-clipped))
    columns = (np.ones(len(y)), y, listed, listed * worth, risk, (risk - y) ** 2, loss)
    pupils, left, on_list, hits, expected, error, lost = (
        times @ np.bincount(schools, column, minlength=times.shape[1]) for column in columns
    )
    brier, base = _ratio(error, pupils), _ratio(left, pupils)
    area = np.einsum("is,st,it->i", times, _pairs(y, risk, schools, times.shape[1]), times, optimize=True)
    values = (
        _ratio(area, left * (pupils - left)),
        brier,
        1 - _ratio(brier, base * (1 - base)),
        _ratio(lost, pupils),
        _ratio(expected, left),
        _ratio(hits, left),
        _ratio(hits, on_list),
    )
    return dict(zip(MEASURES, values, strict=True))


def _pairs(y: Floats, risk: Floats, schools: NDArray[np.intp], count: int) -> Floats:
    """(schools, schools): of a leaver of the row's and a stayer of the column's school, pairs in the right
    order; ties count half.
    """
    left = y == 1
    pairs = np.zeros((count, count))
    for column in range(count):
        stayed = np.sort(risk[~left & (schools == column)])
        below = np.searchsorted(stayed, risk[left], "left")
        within = np.searchsorted(stayed, risk[left], "right")
        pairs[:, column] = np.bincount(schools[left], (below + within) / 2, minlength=count)
    return pairs


def _ratio(top: Floats, bottom: Floats) -> Floats:
    ratio: Floats = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return ratio
