"""Discrimination and calibration of a whole ranking, with rows that may occur several times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from risk_model.evaluation.judged import Judged

BINS = 15
"""Bins of the calibration error, of equal numbers of pupils."""
SMALLEST = 1e-12
"""Risks are kept so far from 0 and 1 where a logarithm is taken."""
STEPS = 50
"""Newton steps of the calibration line; it converges in five or never."""
RESAMPLE_STEPS = 2
"""Newton steps from the line of all rows to that of a resample; after two it is there to three digits."""

Floats = NDArray[np.float64]


class Curves:
    """Measures of ``judged`` without lists, prepared so that a resample costs one pass."""

    def __init__(self, judged: Judged) -> None:
        order = np.argsort(-judged.risks, kind="stable")
        self._order = order
        self._y = judged.labels[order]
        self._risk = judged.risks[order]
        self._ends = np.append(np.flatnonzero(np.diff(self._risk)), len(order) - 1)[: len(order)]
        self._bin_ends = _bin_ends(self._ends)
        clipped = np.clip(self._risk, SMALLEST, 1 - SMALLEST)
        self._log_odds = np.log(clipped) - np.log1p(-clipped)
        self._loss = -np.where(self._y == 1, np.log(clipped), np.log1p(-clipped))
        self._line = _line(self._log_odds, self._y)

    def measure(self, times: NDArray[np.intp]) -> dict[str, float]:
        """All measures when row i of ``judged`` occurs ``times[i]`` times; NaN where one is undefined."""
        weight = times[self._order].astype(np.float64)
        total, left = float(weight.sum()), float(weight @ self._y)
        if total == 0:
            return dict.fromkeys(KEYS, np.nan)
        brier = float(weight @ (self._risk - self._y) ** 2) / total
        chance = left / total * (1 - left / total)
        expected = float(weight @ self._risk)
        area, precision = self._areas(weight)
        slope, intercept = self._calibration_line(weight)
        values = (
            area,
            precision,
            brier,
            1 - brier / chance if chance else np.nan,
            float(weight @ self._loss) / total,
            self._calibration_error(weight) / total,
            expected / left if left else np.nan,
            slope,
            intercept,
        )
        return dict(zip(KEYS, values, strict=True))

    def _areas(self, weight: Floats) -> tuple[float, float]:
        """Area under ROC (ties count half) and average precision (tied pupils enter together)."""
        hits = np.cumsum(weight * self._y)[self._ends]
        listed = np.cumsum(weight)[self._ends]
        left, stayed = hits[-1], listed[-1] - hits[-1]
        if left == 0 or stayed == 0:
            return np.nan, np.nan
        new_hits, misses = np.diff(hits, prepend=0.0), listed - hits
        new_misses = np.diff(misses, prepend=0.0)
        area = float((new_misses * (hits - new_hits / 2)).sum() / (left * stayed))
        precision = np.divide(hits, listed, out=np.zeros_like(hits), where=listed > 0)
        return area, float((new_hits * precision).sum() / left)

    def _calibration_error(self, weight: Floats) -> float:
        gaps = np.cumsum(weight * (self._y - self._risk))[self._bin_ends]
        return float(np.abs(np.diff(gaps, prepend=0.0)).sum())

    def _calibration_line(self, weight: Floats) -> tuple[float, float]:
        """Slope and intercept: the line of all rows, moved by Newton steps to the weighted ones.

        With every weight 1 the steps are nothing, so the point estimate is the maximum likelihood.
        """
        line = self._line
        for _ in range(RESAMPLE_STEPS):
            step = None if line is None else _newton_step(self._log_odds, self._y, line, weight)
            line = None if line is None or step is None else line + step
        return (np.nan, np.nan) if line is None else (float(line[0]), float(line[1]))


KEYS = (
    "roc_auc",
    "average_precision",
    "brier",
    "brier_skill",
    "log_loss",
    "ece",
    "expected_over_observed",
    "calibration_slope",
    "calibration_intercept",
)
"""What :meth:`Curves.measure` answers; see ``metrics`` for the definitions."""


def _bin_ends(ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """Last row of each bin of equal numbers; tied pupils stay in one bin, that of their middle."""
    if len(ends) == 0:
        return ends
    starts = np.concatenate(([0], ends[:-1] + 1))
    bins = ((starts + ends + 1) / 2 * BINS / (ends[-1] + 1)).astype(int)
    last = np.append(np.flatnonzero(np.diff(bins)), len(ends) - 1)
    return np.asarray(ends[last], dtype=np.intp)


def _line(x: Floats, y: Floats) -> Floats | None:
    """Maximum-likelihood slope and intercept of a logistic line; None where there is none."""
    if len(np.unique(y)) < 2 or len(np.unique(x)) < 2 or _separated(x, y):
        return None
    line = np.array([1.0, 0.0])
    weight = np.ones(len(x))
    for _ in range(STEPS):
        step = _newton_step(x, y, line, weight)
        if step is None:
            return None
        line = line + _shortened(x, y, line, step)
        if np.abs(step).max() < 1e-10:
            return line
    return None


def _separated(x: Floats, y: Floats) -> bool:
    left, stayed = x[y == 1], x[y == 0]
    return bool(left.min() >= stayed.max() or stayed.min() >= left.max())


def _shortened(x: Floats, y: Floats, line: Floats, step: Floats) -> Floats:
    """The step, halved until it does not make the fit worse."""
    before = _log_likelihood(x, y, line)
    for _ in range(STEPS):
        if _log_likelihood(x, y, line + step) >= before - 1e-9 * abs(before):
            break
        step = step / 2
    return step


def _log_likelihood(x: Floats, y: Floats, line: Floats) -> float:
    log_odds = line[0] * x + line[1]
    return float(y @ log_odds - np.logaddexp(0, log_odds).sum())


def _newton_step(x: Floats, y: Floats, line: Floats, weight: Floats) -> Floats | None:
    from scipy.special import expit

    fitted = expit(line[0] * x + line[1])
    residual = weight * (y - fitted)
    spread = weight * fitted * (1 - fitted)
    across = spread @ x
    hessian = np.array([[spread @ (x * x), across], [across, spread.sum()]])
    if np.linalg.cond(hessian) > 1e14:
        return None
    step: Floats = np.linalg.solve(hessian, np.array([residual @ x, residual.sum()]))
    return step
