"""The schools of a township: a central primary school, village schools around it, one junior school."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulator.layout import Plan, Township, generator
from training.simulator.names import village_names

KM_PER_DEGREE = 111.2
DETOUR = 1.3
"""Kilometres of road per kilometre of straight line."""
NEVER = 99
"""School year of a school that does not close."""


@dataclass(frozen=True)
class Schools:
    """Schools of one township; the last one is the junior school, the first the central primary."""

    ids: np.ndarray
    names: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    share: np.ndarray
    """Share of the township's primary pupils in the catchment of each primary school."""
    closes: np.ndarray
    """Index of the first school year the school no longer teaches, or NEVER."""
    trouble: np.ndarray
    """What the school adds to the log hazard of its pupils."""
    teaching: np.ndarray
    """What the school adds to its pupils' results, in standard deviations."""
    gaps: np.ndarray
    """Share of class days on which no register is kept."""

    @property
    def junior(self) -> int:
        return len(self.ids) - 1

    @property
    def primaries(self) -> np.ndarray:
        return np.arange(self.junior)

    def teaching_in(self, year: int, school: np.ndarray) -> np.ndarray:
        """The school itself, or the central one where it has closed by school year ``year``."""
        return np.where(self.closes[school] <= year, 0, school)

    def kilometres(self, school: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Straight lines from homes to schools."""
        north = (latitude - self.latitude[school]) * KM_PER_DEGREE
        east = (longitude - self.longitude[school]) * KM_PER_DEGREE * np.cos(np.radians(latitude))
        return np.hypot(north, east)


def moved(
    latitude: np.ndarray, longitude: np.ndarray, kilometres: np.ndarray, bearing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates that lie ``kilometres`` away in direction ``bearing`` (radians)."""
    north = latitude + kilometres * np.cos(bearing) / KM_PER_DEGREE
    east = longitude + kilometres * np.sin(bearing) / (KM_PER_DEGREE * np.cos(np.radians(latitude)))
    return north, east


def found_schools(plan: Plan, town: Township) -> Schools:
    """The schools of ``town``."""
    random = generator(plan.seed, town.index, 1)
    villages = _village_count(town.pupils)
    count = villages + 2
    latitude, longitude = _sites(random, town, villages)
    share = np.append(0.45 if villages else 1.0, np.full(villages, 0.55 / max(villages, 1)))
    names = village_names(random, villages)
    return Schools(
        ids=np.array([f"{town.county_id}{town.number + 1:03d}{number}" for number in range(1, count + 1)]),
        names=np.array([f"{town.number + 1}镇中心小学", *names, f"{town.number + 1}镇初级中学"]),
        latitude=latitude,
        longitude=longitude,
        share=share,
        closes=_closures(random, plan, villages),
        trouble=random.normal(0, 0.35, count),
        teaching=random.normal(0, 1, count),
        gaps=np.clip(0.04 * np.exp(random.normal(0, 0.6, count)), 0.005, 0.2),
    )


def _village_count(pupils: int) -> int:
    """Village schools of about 180 pupils, beside a central school with 45 % of the primary pupils.

    >>> [_village_count(pupils) for pupils in (300, 700, 1050)]
    [0, 1, 2]
    """
    primary = pupils * 2 / 3
    return max(1, round(primary * 0.55 / 180)) if primary >= 260 else 0


def _sites(random: np.random.Generator, town: Township, villages: int) -> tuple[np.ndarray, np.ndarray]:
    latitude = np.full(villages + 1, 26.5 + 0.35 * (town.county % 9) + 0.09 * (town.number % 8))
    longitude = np.full(villages + 1, 105.5 + 0.4 * (town.county // 9) + 0.09 * (town.number // 8))
    away = np.append(
        np.exp(random.normal(np.log(3.2), 0.6)), np.exp(random.normal(np.log(6.5), 0.7, villages))
    )
    sites = moved(latitude, longitude, np.minimum(away, 30), random.uniform(0, 2 * np.pi, villages + 1))
    return np.append(sites[0], latitude[0]), np.append(sites[1], longitude[0])


def _closures(random: np.random.Generator, plan: Plan, villages: int) -> np.ndarray:
    """15 % of the village schools close in a summer of the period, where it has one."""
    closes = np.full(villages + 2, NEVER)
    hit = random.random(villages) < 0.15
    year = random.integers(1, max(plan.years, 2), villages)
    closes[1:-1] = np.where(hit & (plan.years > 1), year, NEVER)
    return closes
