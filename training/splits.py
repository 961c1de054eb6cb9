"""When to look, what to fit on, what to calibrate on: cutting time without letting the future in.

Everything here is days in, days out. The rule (contract §2): a label of snapshot ``s`` is complete
at ``s + horizon + lag``. For a model made on day ``t`` that is the latest snapshot it may use; the
calibration slice follows the slice the trees are fitted on by the same gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

WARM_UP_DAYS = 30
"""Before this the registers are too young for rates over the last thirty days."""
SEASON_DAYS = 365
SEASON_MARGIN_DAYS = 15
"""A snapshot at most so far from a year ago is of the same season."""
MINIMUM_FIT_SNAPSHOTS = 3
"""Fewer than this on the fitting side is too dear a price for a calibration slice of a whole year."""


@dataclass(frozen=True)
class Split:
    """What a model made on day ``known_on`` is fitted and calibrated on; all days ascending."""

    known_on: date
    fit: tuple[date, ...]
    calibration: tuple[date, ...]
    seasonal: bool
    """The calibration slice covers the season of ``known_on`` a year earlier."""

    @property
    def days(self) -> tuple[date, ...]:
        """Every snapshot the model sees a label of."""
        return self.fit + self.calibration


@dataclass(frozen=True)
class Plan:
    """All snapshots of one training: each backtest's split and the final one."""

    snapshots: tuple[date, ...]
    tests: tuple[Split, ...]
    """Ascending; the test snapshot of a split is its ``known_on``."""
    final: Split | None
    """None: too little history for a calibration slice of its own."""


def snapshot_days(first_day: date, as_of: date, every_days: int, gap_days: int) -> tuple[date, ...]:
    """Snapshot days, ascending: back from the latest matured one to the end of the warm-up.

    >>> [day.isoformat() for day in snapshot_days(date(2025, 1, 1), date(2025, 7, 1), 30, 118)]
    ['2025-02-03', '2025-03-05']
    >>> snapshot_days(date(2025, 1, 1), date(2025, 3, 1), 30, 118)
    ()
    """
    latest = as_of - timedelta(days=gap_days)
    earliest = first_day + timedelta(days=WARM_UP_DAYS)
    steps = (latest - earliest).days // every_days
    return tuple(latest - timedelta(days=step * every_days) for step in range(steps, -1, -1))


def split_at(known_on: date, snapshots: Sequence[date], gap_days: int) -> Split | None:
    """The slices of a model made on ``known_on``; None if they cannot both hold a snapshot.

    The calibration slice reaches back over the season a year ago if three snapshots stay for the
    trees; otherwise it is the latest third of the matured snapshots, or less if nothing would stay.
    """
    gap = timedelta(days=gap_days)
    matured = [day for day in sorted(snapshots) if day + gap <= known_on]
    year_ago = known_on - timedelta(days=SEASON_DAYS)
    margin = timedelta(days=SEASON_MARGIN_DAYS)
    start = next((i for i, day in enumerate(matured) if abs(day - year_ago) <= margin), None)
    if start is not None:
        seasonal = _cut(known_on, matured, start, gap, seasonal=True)
        if len(seasonal.fit) >= MINIMUM_FIT_SNAPSHOTS:
            return seasonal
    for size in range(max(1, len(matured) // 3), 0, -1):
        split = _cut(known_on, matured, len(matured) - size, gap, seasonal=False)
        if split.fit and split.calibration:
            return split
    return None


def plan(snapshots: Sequence[date], as_of: date, gap_days: int, tests: int) -> Plan:
    """The final split at ``as_of`` and up to ``tests`` backtests at the latest snapshots."""
    days = tuple(sorted(set(snapshots)))
    splits = [split for day in days if (split := split_at(day, days, gap_days)) is not None]
    return Plan(days, tuple(splits[-tests:]), split_at(as_of, days, gap_days))


def origins(snapshots: Sequence[date], known_on: date, gap_days: int, most: int) -> tuple[Split, ...]:
    """Days of the past to choose numbers on, all judged by labels that had matured on ``known_on``.

    Where there are more than ``most``, so many of them evenly spread from the first to the last: choosing is
    over time and over the seasons, not by the latest day.
    """
    days = sorted(set(snapshots))
    matured = [day for day in days if day + timedelta(days=gap_days) <= known_on]
    splits = [split for day in matured if (split := split_at(day, days, gap_days)) is not None]
    if len(splits) <= most:
        return tuple(splits)
    return tuple(splits[round(step * (len(splits) - 1) / (most - 1))] for step in range(most))


def _cut(known_on: date, matured: list[date], start: int, gap: timedelta, *, seasonal: bool) -> Split:
    calibration = tuple(matured[max(start, 0) :])
    fit = tuple(day for day in matured if calibration and day + gap <= calibration[0])
    return Split(known_on, fit, calibration, seasonal)
