"""What is judged: outcomes and risks of pupils, with their school and snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from risk_model.errors import RiskModelError


class JudgementError(RiskModelError, ValueError):
    """The rows cannot be judged: lengths differ, a label is unknown, a risk is no probability."""


@dataclass(frozen=True)
class Judged:
    """Rows to judge, checked: n pupils, each at one snapshot.

    Raises
    ------
    JudgementError
        Lengths differ, a label is neither 0 nor 1, or a risk is not within 0–1.
    """

    y: ArrayLike
    """(n,) 1 = left within the label window, 0 = stayed; unknown and censored rows are not passed."""
    risk: ArrayLike
    """(n,) 0–1."""
    school: ArrayLike | None = None
    """(n,) any value per school; the unit that is resampled."""
    snapshot: ArrayLike | None = None
    """(n,) any value per snapshot; lists are cut within it."""
    capacity: ArrayLike | None = None
    """(n,) true where the pupil was on the list of the school's capacity."""

    def __post_init__(self) -> None:
        y, risk = self.labels, self.risks
        if not np.isin(y, (0, 1)).all():
            raise JudgementError("Only labels 0 and 1 can be judged. Leave out unknown and censored pupils.")
        if not ((risk >= 0) & (risk <= 1)).all():
            raise JudgementError(
                "A risk outside 0–1 or null cannot be judged. Leave out pupils without a score."
            )
        others = (risk, self.school, self.snapshot, self.capacity)
        if any(other is not None and len(np.asarray(other)) != len(y) for other in others):
            raise JudgementError("Labels, risks, schools, snapshots and capacity have different lengths.")

    @property
    def labels(self) -> NDArray[np.float64]:
        """(n,) 0.0 and 1.0."""
        return np.asarray(self.y, dtype=np.float64).reshape(-1)

    @property
    def risks(self) -> NDArray[np.float64]:
        """(n,) 0–1."""
        return np.asarray(self.risk, dtype=np.float64).reshape(-1)

    @property
    def schools(self) -> NDArray[np.intp]:
        """(n,) 0…S-1; without schools every pupil is one of its own."""
        return np.arange(len(self.labels)) if self.school is None else _codes(self.school)

    @property
    def snapshots(self) -> NDArray[np.intp]:
        """(n,) 0…T-1; without snapshots all are one."""
        return np.zeros(len(self.labels), np.intp) if self.snapshot is None else _codes(self.snapshot)

    @property
    def ties(self) -> NDArray[np.intp]:
        """(n,) 0…G-1: pupils of one school and snapshot with equal risk, among whom a place is luck."""
        told = pd.DataFrame({"snapshot": self.snapshots, "school": self.schools, "risk": self.risks})
        return np.asarray(told.groupby(list(told), sort=False).ngroup(), dtype=np.intp)

    @property
    def listed(self) -> NDArray[np.bool_] | None:
        """(n,) on the list of the school's capacity."""
        return None if self.capacity is None else np.asarray(self.capacity, dtype=bool)


def _codes(values: ArrayLike) -> NDArray[np.intp]:
    column: Any = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    return np.asarray(pd.factorize(column, sort=True, use_na_sentinel=False)[0], dtype=np.intp)
