"""What may be said of a run by now: nothing, something, or how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from risk_model.settings import LabelSettings

State = Literal["immature", "partial", "mature"]
FEWEST_DAYS = 14
"""Of a window must be known before anything is counted."""


@dataclass(frozen=True)
class Maturity:
    """How much of a run's label window is known."""

    state: State
    days: int
    """Days of the window whose exits have had the reporting lag to become known."""
    of: int
    """Days of the whole window: the horizon."""


def maturity(as_of: date, reach: date, labels: LabelSettings) -> Maturity:
    """Of a run of ``as_of`` when the registers speak up to ``reach``.

    >>> rules = LabelSettings()
    >>> [maturity(date(2026, 1, 1), date(2026, month, 1), rules).state for month in (2, 3, 6)]
    ['immature', 'partial', 'mature']
    """
    known = (reach - timedelta(days=labels.reporting_lag_days) - as_of).days
    days = min(max(known, 0), labels.horizon_days)
    if days == labels.horizon_days:
        return Maturity("mature", days, labels.horizon_days)
    return Maturity("partial" if days >= FEWEST_DAYS else "immature", days, labels.horizon_days)
