"""Results: an AR(1) per pupil and term, a school's part, and the subjects of each grade."""

from __future__ import annotations

import numpy as np

from training.simulator.people import People
from training.simulator.places import Schools

PERSISTENCE = 0.8
SCHOOL_SHARE = 0.2
"""Share of the variance of results that lies between schools."""
TRAIT = -0.3
"""Mean result of a pupil whose trait is one standard deviation up."""


class Learning:
    """Results of each term in standard deviations, one entry per pupil."""

    def __init__(self, random: np.random.Generator, people: People, schools: Schools) -> None:
        self._random = random
        self._schools = schools
        self._mean = TRAIT * people.trait
        self._noise = np.sqrt(1 - TRAIT**2)
        before = self._mean + self._noise * random.normal(0, 1, len(people))
        self._terms = [before, self._following(before)]

    def next_year(self) -> np.ndarray:
        """Levels of the two terms of the next school year, shape (2, pupils)."""
        first = self._following(self._terms[-1])
        second = self._following(first)
        self._terms = [*self._terms[-2:], first, second]
        return np.stack([first, second])

    def seen(self, term: int, school: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Results of the last two terms before ``term`` (0, 1) of the current year, the later one first."""
        return self._whole(self._terms[term + 1], school), self._whole(self._terms[term], school)

    def _following(self, level: np.ndarray) -> np.ndarray:
        shock = self._random.normal(0, self._noise * np.sqrt(1 - PERSISTENCE**2), len(level))
        return self._mean + PERSISTENCE * (level - self._mean) + shock

    def _whole(self, level: np.ndarray, school: np.ndarray) -> np.ndarray:
        return with_school(level, self._schools.teaching[school])


def with_school(level: np.ndarray, teaching: np.ndarray) -> np.ndarray:
    """A pupil's level and the school's part in one standard deviation."""
    return np.sqrt(1 - SCHOOL_SHARE) * level + np.sqrt(SCHOOL_SHARE) * teaching
