"""Which trial is taken: the one of least regret over time, if choosing so is shown to be worth it.

The best of many trials looks better than it is. So the gain is not that of the best trial on the origins
it was chosen on: each origin is judged by the trial that does best on the *other* origins (Stone 1974,
"Cross-validatory choice and assessment of statistical predictions"), and the mean of those gains over the
default must exceed its standard error, clustered by school. Otherwise the default stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.evaluation.regret import regret

Floats = NDArray[np.float64]
DEFAULT_TRIAL = 0


@dataclass(frozen=True)
class Choice:
    """The outcome of a search."""

    best: int
    """Number of the trial with the least mean regret."""
    chosen: int
    """The same, or 0: the default."""
    gain: float
    """Mean log-loss gained over the default by choosing on the other origins; relative to the base rate's."""
    standard_error: float
    recall_change: float
    """Of the list, choosing likewise."""
    regret: list[dict[str, Any]]
    """Of each trial: mean and worst, over the origins."""
    why: str


def choose(losses: Floats, recalls: Floats) -> Choice:
    """Choose among T trials judged on O origins and C groups of schools; trial 0 is the default.

    Parameters
    ----------
    losses : array (T, O, C)
        Parts of each origin's log-loss.
    recalls : array (T, O)
    """
    at = losses.sum(axis=2)
    behind = list(regret(pd.DataFrame(1 - at.T)).values())
    best = min(range(len(at)), key=lambda trial: (behind[trial]["mean"], behind[trial]["worst"], trial))
    elsewhere = [_best_elsewhere(at, origin) for origin in range(at.shape[1])]
    each = np.arange(at.shape[1])
    gains = losses[DEFAULT_TRIAL] - losses[elsewhere, each]
    recall = float((recalls[elsewhere, each] - recalls[DEFAULT_TRIAL]).mean())
    gain, error = _clustered(gains.mean(axis=0)[losses[DEFAULT_TRIAL].any(axis=0)])
    why = _why(best, gain, error, recall)
    return Choice(best, DEFAULT_TRIAL if why else best, gain, error, recall, behind, why)


def _best_elsewhere(at: Floats, origin: int) -> int:
    """The trial of least mean loss, hence of least mean regret, on all origins but one."""
    return int(np.argmin(np.delete(at, origin, axis=1).mean(axis=1)))


def _clustered(parts: Floats) -> tuple[float, float]:
    """Sum of the groups' parts and its standard error, each group drawn as a whole."""
    groups = len(parts)
    spread = float(((parts - parts.mean()) ** 2).sum())
    return float(parts.sum()), float(np.sqrt(spread * groups / max(groups - 1, 1)))


def _why(best: int, gain: float, error: float, recall: float) -> str:
    """Why the default stays; empty if it does not."""
    if best == DEFAULT_TRIAL:
        return "no trial has less regret than the default"
    if not gain > error:
        return (
            f"choosing on the other days gains {gain:+.4f} of the base rate's log-loss, and that must exceed "
            f"one standard error over schools, {error:.4f}"
        )
    if recall < 0:
        return f"choosing on the other days finds fewer leavers with the list: {recall:+.3f}"
    return ""
