"""Platt calibration: log-odds = ``slope`` · margin + ``intercept``, fitted on a later time slice.

A linear map of the margin is the one calibration under which SHAP contributions still add up exactly
to the shown risk and ranks are never collapsed (J. Platt, Probabilistic Outputs for Support Vector
Machines, 1999, without his target smoothing, which only matters for tiny slices).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import RiskModelError
from risk_model.model.manifest import write_json


class CalibrationError(RiskModelError, ValueError):
    """The calibration slice cannot calibrate: one class only, or risk falls where the margin rises."""


@dataclass(frozen=True)
class Platt:
    """Calibrated log-odds are ``slope * margin + intercept``; ``slope`` is above 0."""

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and self.slope > 0 and np.isfinite(self.intercept)):
            raise CalibrationError(
                f"A calibration of slope {self.slope} and intercept {self.intercept} would turn the "
                "list upside down or break it. Calibrate on a longer slice."
            )

    def to_bytes(self) -> bytes:
        """The calibrator file of a bundle."""
        return write_json({"slope": self.slope, "intercept": self.intercept})


def fit_platt(
    raw_margin: NDArray[np.float64], y: NDArray[np.int_], weight: NDArray[np.float64] | None = None
) -> Platt:
    """Fit the two numbers by unpenalised maximum likelihood; deterministic.

    Parameters
    ----------
    raw_margin : array (n,)
        The model's raw log-odds on the calibration slice.
    y : array (n,) of 0 and 1
    weight : array (n,), optional
        Weight of each row, above 0: sampled negatives carry the inverse of their sampling share.

    Raises
    ------
    CalibrationError
        All labels are equal, a margin is not finite, the labels are separated perfectly, or the fitted
        slope is not above 0. The caller
        decides what then: a longer slice, or ``Platt()`` said openly in the model card.

    >>> margin, left = np.array([-1.0, -1.0, 1.0, 1.0]), np.array([0, 1, 0, 1])
    >>> round(fit_platt(margin, left, np.array([9.0, 1.0, 1.0, 9.0])).slope, 3)  # log(9) is 2.197
    2.197
    """
    margin = np.asarray(raw_margin, dtype=np.float64).reshape(-1)
    target = np.asarray(y).reshape(-1)
    _check_slice(margin, target)
    return _fit(margin, target, weight)


def _check_slice(margin: NDArray[np.float64], y: NDArray[np.int_]) -> None:
    left, stayed = margin[y == 1], margin[y == 0]
    if len(left) == 0 or len(stayed) == 0 or not np.isfinite(margin).all():
        raise CalibrationError(
            f"The calibration slice of {len(y):,} pupils has {len(left):,} who left; "
            "it needs both kinds and finite margins. Use a longer calibration slice."
        )
    if left.max() <= stayed.min():
        raise CalibrationError(
            "On the calibration slice nobody who left has a higher margin than anybody who stayed: the list "
            "would be upside down. Use a longer calibration slice, or check the labels."
        )
    if left.min() > stayed.max():
        raise CalibrationError(
            f"The model separates the {len(left):,} who left on the calibration slice perfectly, so no "
            "finite calibration fits. Use a longer slice, or look for a leak."
        )


def _fit(margin: NDArray[np.float64], y: NDArray[np.int_], weight: NDArray[np.float64] | None) -> Platt:
    from sklearn.linear_model import LogisticRegression

    spread = float(margin.std()) or 1.0
    centre = float(margin.mean())
    standard = ((margin - centre) / spread).reshape(-1, 1)
    # Mean weight 1: the solver's tolerance then means the same whatever the sampling.
    scaled = None if weight is None else np.asarray(weight, dtype=np.float64) / np.mean(weight)
    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=200).fit(
        standard, y, sample_weight=scaled
    )
    slope = float(fitted.coef_[0, 0]) / spread
    return Platt(slope, float(fitted.intercept_[0]) - slope * centre)
