"""Is the model better than a baseline at the same list length? On the same pupils, by the same resamples."""

from __future__ import annotations

from typing import Any

import numpy as np

from risk_model.evaluation.judged import Judged, JudgementError
from risk_model.evaluation.lists import Lists
from risk_model.evaluation.resampling import interval, resamples


def paired_difference(
    model: Judged, baseline: Judged, *, samples: int = 400, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Recall of the model minus recall of the baseline at every list length, pooled over snapshots.

    Both are cut from the same resampled schools, so what makes a school hard for both cancels (paired
    cluster bootstrap; Efron & Tibshirani 1993).

    Parameters
    ----------
    model, baseline : Judged
        The same pupils, snapshots, schools and labels in the same order, each with its own risk and its
        own list of the capacity.

    Returns
    -------
    dict
        By list (``"1%"`` … ``"capacity"`` where both have one): ``difference`` of the rows as they are,
        ``mean``, ``lower``, ``upper`` of the resamples (95 %); None where nobody left.

    Raises
    ------
    JudgementError
        The rows of the two are not the same.
    """
    _check_same(model, baseline)
    ours, theirs = Lists(model), Lists(baseline)
    names = [name for name in ours.names if name in theirs.names]
    rows = len(names)
    point = _difference(ours, theirs, np.ones(len(model.labels), dtype=np.intp), rows)
    draws = [_difference(ours, theirs, times, rows) for times in resamples(model.schools, samples, seed)]
    return {
        name: _summary(float(point[i]), [float(draw[i]) for draw in draws]) for i, name in enumerate(names)
    }


def _difference(ours: Lists, theirs: Lists, times: np.ndarray[Any, Any], rows: int) -> np.ndarray[Any, Any]:
    difference: np.ndarray[Any, Any] = ours.count(times).recall[:rows] - theirs.count(times).recall[:rows]
    return difference


def _summary(point: float, draws: list[float]) -> dict[str, Any]:
    bounds = interval(draws)
    if np.isnan(point) or bounds is None:
        return dict.fromkeys(("difference", "mean", "lower", "upper"))
    return {"difference": point, "mean": float(np.nanmean(draws)), "lower": bounds[0], "upper": bounds[1]}


def _check_same(model: Judged, baseline: Judged) -> None:
    pairs = (
        (model.labels, baseline.labels),
        (model.schools, baseline.schools),
        (model.snapshots, baseline.snapshots),
    )
    if not all(np.array_equal(mine, other) for mine, other in pairs):
        raise JudgementError("Model and baseline must be judged on the same pupils in the same order.")
