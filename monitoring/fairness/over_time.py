"""Is a group found less and less, cohort by cohort, while the group it is compared with is not?

Of each mature cohort stands a group's recall at the list beside that of the largest group, as a ratio with
its interval over schools (:func:`monitoring.fairness.at_list.found_by_group`). Cohorts whose windows do not
overlap share no leaver, so a line through their ratios, each weighed by its interval, has a known spread.
What befalls everybody moves no ratio: that is for :mod:`monitoring.performance.judging`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
from scipy.special import ndtr

from monitoring.drift.sizes import discoveries
from monitoring.findings import Finding
from risk_model.settings import Settings

FEWEST = 3
"""Cohorts that make a line: through two there is always one."""
YEAR = 365.25


@dataclass(frozen=True)
class Trend:
    """A group's ratio of recall along the line through its cohorts."""

    attribute: str
    group: str
    reference: str
    first: str
    """Snapshot date of the earliest cohort, then of the latest."""
    last: str
    cohorts: int
    positives: int
    """Leavers of the group in these cohorts."""
    ratio_first: float
    """Recall over that of the reference, on the line."""
    ratio_last: float
    a_year: float
    """By how much the ratio changes in a year…"""
    a_year_interval: tuple[float, float]
    """…95 %."""
    chance: float
    """Of a line that falls so much if nothing changed."""
    falls: bool = False
    """Beyond chance over all groups, and by so much that it matters."""

    def as_document(self) -> dict[str, Any]:
        return asdict(self)


def trends(apart: Sequence[dict[str, Any]], settings: Settings) -> list[Trend]:
    """The trend of each group that can be told in enough of the cohorts ``apart``, newest first.

    Their windows must not overlap (:func:`monitoring.performance.cohorts.disjoint`). A cohort in which a cell
    of the group is small, or which compares it with another group, is left out of its line.
    """
    found = [trend for attribute, group, reference in _groups(apart)
             if (trend := _trend(apart, attribute, group, reference)) is not None]  # fmt: skip
    chances = {f"{one.attribute}={one.group}": one.chance for one in found}
    beyond = discoveries(chances, settings.monitoring.false_discovery_rate)
    least = settings.fairness.least_recall_ratio
    return [
        Trend(**{**asdict(one), "falls": f"{one.attribute}={one.group}" in beyond
                 and one.ratio_last < least * one.ratio_first})
        for one in found
    ]  # fmt: skip


def judge_trends(found: Sequence[Trend], days: int) -> Iterator[Finding]:
    """Groups found less and less; ``days`` is the length of a window."""
    for one in found:
        if one.falls:
            yield Finding(
                "group_falling", "fairness", "investigate", "responsible",
                unit=f"group:{one.attribute}={one.group}", window=f"{one.first}..{one.last} + {days} days",
                n=one.positives,
                figures={
                    "attribute": one.attribute, "group": one.group, "reference": one.reference,
                    "before": one.ratio_first, "now": one.ratio_last, "cohorts": one.cohorts,
                    "first": one.first, "last": one.last,
                },
            )  # fmt: skip


def _groups(apart: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Attribute, group and reference as the newest cohort has them."""
    for attribute, told in ((apart[0].get("groups") or {}) if apart else {}).items():
        for group in told["groups"]:
            if group != told["reference"]:
                yield attribute, group, told["reference"]


def _trend(apart: Sequence[dict[str, Any]], attribute: str, group: str, reference: str) -> Trend | None:
    points = []
    for cohort in apart:
        there = (cohort.get("groups") or {}).get(attribute)
        told = there and there["reference"] == reference and there["groups"].get(group)
        if told and told["positives"] and told["recall_ratio_interval"]:
            points.append((cohort["as_of"], told["positives"], told["recall_ratio"], _error(told)))
    if len(points) < FEWEST:
        return None
    points.sort()
    days, positives, ratios, errors = zip(*points, strict=True)
    level, slope, error = _line(_years(days), np.array(ratios), np.array(errors))
    span = _years(days)[-1]
    return Trend(
        attribute, group, reference, days[0], days[-1], len(points), sum(positives),
        level, level + slope * span, slope, (slope - 1.96 * error, slope + 1.96 * error),
        float(ndtr(slope / error)),
    )  # fmt: skip


def _error(told: dict[str, Any]) -> float:
    """Standard error of a ratio, from its interval; never below that of one leaver more or less."""
    low, high = told["recall_ratio_interval"]
    return float(max((high - low) / 3.92, 1 / told["positives"]))


def _years(days: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    first = date.fromisoformat(days[0])
    return np.array([(date.fromisoformat(day) - first).days / YEAR for day in days])


def _line(times: Any, values: Any, errors: Any) -> tuple[float, float, float]:
    """Level at the first time, slope and its standard error: least squares, weighed by known errors."""
    weights = errors**-2
    middle = np.average(times, weights=weights)
    spread = float((weights * (times - middle) ** 2).sum())
    slope = float((weights * (times - middle) * values).sum() / spread)
    level = float(np.average(values, weights=weights) - slope * middle)
    return level, slope, float(spread**-0.5)
