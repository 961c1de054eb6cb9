"""The measures of one ranking, as JSON takes them: the keys of ``backtest[]`` in the contract."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_model.evaluation.curves import Curves
from risk_model.evaluation.judged import Judged
from risk_model.evaluation.lists import CAPACITY, NAMES, Lists

TOP = "5%"
"""The list whose calibration is reported on its own."""


def metrics(
    y: ArrayLike, risk: ArrayLike, capacity: ArrayLike | None = None, school: ArrayLike | None = None
) -> dict[str, Any]:
    """Judge the risks of one snapshot.

    Parameters
    ----------
    y : array (n,) of 0 and 1
    risk : array (n,), 0–1
    capacity : array (n,) of bool, optional
        Who was on the list of the school's capacity.
    school : array (n,), optional
        Any value per school: ties at the end of a school's list are broken by chance.

    Returns
    -------
    dict
        Undefined measures (nobody left, an empty list) are None, never NaN.

        - ``students``, ``positives``: rows and leavers.
        - ``roc_auc``: chance that a leaver has a higher risk than one who stayed, ties count half
          (Hanley & McNeil 1982). ``average_precision``: mean precision at each leaver, tied pupils
          entering together (as scikit-learn).
        - ``brier``: mean squared error; ``brier_skill`` = 1 − brier ÷ that of the base rate for everybody.
          ``log_loss``: natural logarithm.
        - ``ece``: mean over 15 bins of equal numbers of |mean risk − share who left|; ties share a bin.
        - ``expected_over_observed``: sum of risks ÷ leavers, over everybody, and ``…_top5`` over the 5 %
          list.
        - ``calibration_slope``, ``calibration_intercept``: unpenalised logistic line of ``y`` on the
          log-odds of the risk; 1 and 0 are perfect (Cox 1958; Van Calster et al. 2019).
        - ``precision_at``, ``recall_at``: at ``"1%" "2%" "5%" "10%" "capacity"``, see ``lists``.

    Raises
    ------
    JudgementError
        See :class:`risk_model.evaluation.judged.Judged`.

    >>> metrics([1, 0, 0, 0], [0.4, 0.4, 0.1, 0.1])["precision_at"]["1%"]
    0.5
    """
    return document(Measures(Judged(y, risk, school, capacity=capacity)).at_once())


class Measures:
    """All measures of rows to judge, once or for resamples of their schools."""

    def __init__(self, judged: Judged) -> None:
        self._curves = Curves(judged)
        self._lists = Lists(judged)
        self._rows = len(judged.labels)

    def at_once(self) -> dict[str, Any]:
        """The measures of the rows as they are; NaN where one is undefined."""
        return self.resampled(np.ones(self._rows, dtype=np.intp))

    def resampled(self, times: NDArray[np.intp]) -> dict[str, Any]:
        """The measures when row i occurs ``times[i]`` times; NaN where one is undefined."""
        counts = self._lists.count(times)
        absent = dict.fromkeys((*NAMES, CAPACITY), math.nan)
        top = self._lists.names.index(TOP)
        return {
            "students": int(times.sum()),
            "positives": int(counts.positives),
            **self._curves.measure(times),
            "expected_over_observed_top5": float(counts.expected_over_observed[top]),
            "precision_at": absent | dict(zip(self._lists.names, map(float, counts.precision), strict=True)),
            "recall_at": absent | dict(zip(self._lists.names, map(float, counts.recall), strict=True)),
        }


def document(measured: dict[str, Any]) -> dict[str, Any]:
    """The same with None for NaN."""
    return {
        key: document(value) if isinstance(value, dict) else _known(value) for key, value in measured.items()
    }


def _known(value: float) -> float | None:
    return None if isinstance(value, float) and math.isnan(value) else value
