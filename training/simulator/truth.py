"""Why and when pupils leave: the hidden truth.

A pupil's standing risk is a grade's yearly chance times ``exp`` of the sum of causes. A leaver takes
one of three ways: most (RAMP) enter a hidden state of disengagement first, in which absence climbs
week by week and the chance of leaving is high, unless they recover; some (BREAK) do not come back
after a holiday; the rest (SUDDEN) leave from one week to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from training.simulator.people import People
from training.simulator.places import Schools
from training.simulator.presets import Preset

RAMP, BREAK, SUDDEN = 0.60, 0.25, 0.15
"""Shares of the three ways in a grade's yearly chance of leaving."""

IN_BREAK = 0.2
"""Share of those who leave over a holiday whose school hears of it during the holiday."""

TERM_WEEKS, BREAK_WEEKS, TERMS = 40, 12, 2

LEAVES_RAMP = np.array([0, 0.005, 0.02, 0.12, 0.16, 0.20, 0.25, 0.30, 0.35], np.float64)
"""Chance of leaving in week 1–8 of disengagement; 0 is a pupil who is not disengaged."""

RECOVERS = 0.10
"""Chance in each week of disengagement that the pupil recovers; after week 8 all others do."""

ABSENCE_RAMP = np.array([0, 0.06, 0.10, 0.18, 0.26, 0.34, 0.42, 0.50, 0.55], np.float32)
"""Share of school days missed without excuse in week 1–8 of disengagement, before the pupil's factor."""

CAUSES = (
    "results",
    "falling_results",
    "over_age",
    "guardian",
    "poverty_without_aid",
    "distance",
    "parent_illness",
    "earlier_return",
    "sibling_left",
    "little_schooling_at_home",
    "disengagement",
    "school",
    "unobserved",
)
"""Rows of the contributions; ``why`` in ``truth/leavers.parquet`` is one of them."""

_GUARDIAN = np.array([0, 0.25, 0.40, 0.35, 1.1])
_SIBLING = CAUSES.index("sibling_left")
_TYPICAL = 0.96
"""Log of the mean of ``exp`` of the causes in a population, so that a grade keeps its yearly chance."""


@dataclass
class Circumstances:
    """What the causes rest on in one term, one entry per pupil."""

    school: np.ndarray
    boards: np.ndarray
    years_over_age: np.ndarray
    unaided: np.ndarray
    """In a monitored or minimum-living household and without aid."""
    result: np.ndarray
    """Mean result of the last term in standard deviations."""
    result_before: np.ndarray
    returned: np.ndarray


def contributions(people: People, schools: Schools, now: Circumstances) -> np.ndarray:
    """Log hazard that each cause adds, shape (causes, pupils); ``sibling_left`` is filled week by week."""
    homes, household = people.homes, people.household
    parts = {
        "results": -0.40 * now.result,
        "falling_results": 0.35 * np.clip(now.result_before - now.result, 0, 3),
        "over_age": 0.45 * now.years_over_age,
        "guardian": _GUARDIAN[homes.guardian][household],
        "poverty_without_aid": 0.8 * now.unaided,
        "distance": _distance(people, schools, now),
        "parent_illness": 0.5 * homes.parent_illness[household],
        "earlier_return": 1.0 * now.returned,
        "little_schooling_at_home": -0.05 * (homes.mother[household] - 7.5),
        "disengagement": 0.50 * people.trait,
        "school": schools.trouble[now.school],
        "unobserved": 0.45 * people.frailty,
    }
    table = np.zeros((len(CAUSES), len(people)))
    for name, part in parts.items():
        table[CAUSES.index(name)] = part
    return table


def sibling_left(table: np.ndarray, household: np.ndarray, left: np.ndarray) -> None:
    """Fill the row of those in whose household another pupil has left."""
    leavers = np.bincount(household, weights=left)[household]
    table[_SIBLING] = 0.4 * (leavers - left > 0)


def standing_rate(preset: Preset, grade: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Yearly rate of leaving of each pupil; grades outside 1–9 have none."""
    annual = -np.log1p(-np.array([0, *preset.annual, 0]))[np.clip(grade, 0, 10)]
    return annual * np.exp(table.sum(axis=0) - _TYPICAL)


@dataclass(frozen=True)
class WeeklyChance:
    """Chance of leaving in one week by each way, one entry per pupil; and of becoming disengaged."""

    ramp: np.ndarray
    not_returning: np.ndarray
    sudden: np.ndarray
    onset: np.ndarray

    @property
    def hazard(self) -> np.ndarray:
        """Chance of leaving in this week by any way."""
        return 1 - (1 - self.ramp) * (1 - self.not_returning) * (1 - self.sudden)


def weekly_chance(rate: np.ndarray, weeks_disengaged: np.ndarray, in_term: bool, starts: int) -> WeeklyChance:
    """Chances in one week, given the yearly ``rate``; ``starts`` is the term that starts in it, or 0."""
    nothing = np.zeros_like(rate)
    if not in_term:
        over = -np.expm1(-rate * BREAK * IN_BREAK / BREAK_WEEKS)
        return WeeklyChance(nothing, over, nothing, nothing)
    sudden = -np.expm1(-rate * SUDDEN / TERM_WEEKS)
    onset = -np.expm1(-rate * RAMP / (TERM_WEEKS * leaving_share()))
    not_returning = -np.expm1(-rate * BREAK * (1 - IN_BREAK) / TERMS) if starts else nothing
    return WeeklyChance(LEAVES_RAMP[weeks_disengaged], not_returning, sudden, onset)


@cache
def leaving_share() -> float:
    """Share of those who become disengaged that leave before they recover.

    >>> 0.5 < leaving_share() < 0.8
    True
    """
    staying, leaving = 1.0, 0.0
    for chance in LEAVES_RAMP[1:]:
        leaving += staying * chance
        staying *= (1 - chance) * (1 - RECOVERS)
    return float(leaving)


def next_week_disengaged(weeks: np.ndarray, onset: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Weeks of disengagement at the start of the next term week, for those who stayed."""
    draw = random.random(len(weeks))
    onwards = np.where((draw < RECOVERS) | (weeks >= len(LEAVES_RAMP) - 1), 0, weeks + 1)
    return np.where(weeks > 0, onwards, draw < onset).astype(weeks.dtype)


def _distance(people: People, schools: Schools, now: Circumstances) -> np.ndarray:
    road = people.road(schools, now.school)
    girl = np.where(people.female, 1.6, 1.0)
    return np.where(now.boards, 0.1, 0.3 * np.log1p(road / 3) * girl)
