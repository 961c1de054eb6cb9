"""Bars of contributions that begin where the one above ended, so that one sees them add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, fsum
from typing import Any

from serving.pages.charts import WIDTH

ROW, TOP, MARGIN = 40, 6, 8
TEXT_DROP, BAR_DROP, BAR = 13, 19, 12
THINNEST = 1.5
NO_WEIGHT = 0.005
"""A family that weighs less than this (log-odds) gets no bar of its own; it is told as the rest."""


@dataclass(frozen=True)
class Bar:
    """One family: ``times`` it multiplies the odds, and where its bar lies."""

    name: str
    times: float
    raises: bool
    y: float
    x: float
    width: float
    ends: float
    """Where the next bar begins."""


@dataclass(frozen=True)
class Contributions:
    """From what is known of nobody (``base_risk``, 0–1) to the pupil's risk."""

    base_risk: float
    risk: float
    start: float
    end: float
    bars: tuple[Bar, ...]
    height: int


def draw_contributions(base: float, families: Iterable[Mapping[str, Any]], rest: str) -> Contributions:
    """``families`` with ``name`` and ``contribution`` in log-odds; ``rest`` names those too small to see."""
    parts = _parts(families, rest)
    sums = [base]
    for _, weight in parts:
        sums.append(sums[-1] + weight)
    place = _scale(sums)
    bars = tuple(
        _bar(number, name, weight, place(sums[number]), place(sums[number + 1]))
        for number, (name, weight) in enumerate(parts)
    )
    height = TOP + ROW * (len(bars) + 2)
    return Contributions(_risk(base), _risk(sums[-1]), place(base), place(sums[-1]), bars, height)


def _parts(families: Iterable[Mapping[str, Any]], rest: str) -> list[tuple[str, float]]:
    told = [(str(part["name"]), float(part["contribution"])) for part in families]
    parts = [(name, weight) for name, weight in told if abs(weight) >= NO_WEIGHT]
    small = fsum(weight for _, weight in told if abs(weight) < NO_WEIGHT)
    return [*parts, (rest, small)] if small else parts


def _scale(sums: list[float]) -> Any:
    low, high = min(sums), max(sums)
    span = (high - low) or 1.0
    room = WIDTH - 2 * MARGIN
    return lambda value: round(MARGIN + room * (value - low) / span, 1)


def _bar(number: int, name: str, weight: float, start: float, end: float) -> Bar:
    y = TOP + ROW * (number + 1)
    width = max(abs(end - start), THINNEST)
    return Bar(name, exp(weight), weight > 0, y, min(start, end), round(width, 1), end)


def _risk(log_odds: float) -> float:
    return 1 / (1 + exp(-log_odds))
