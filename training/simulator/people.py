"""The pupils of a township and their households: what does not change while they are at school."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulator.layout import Plan, Township, generator
from training.simulator.names import person_names, pupil_ids
from training.simulator.places import DETOUR, Schools, moved

GUARDIANS = np.array(["both_parents", "one_parent", "grandparents", "relatives", "nobody"])
POVERTY = np.array(["none", "lifted", "monitored", "minimum_living"])
ETHNICITIES = np.array(["汉族", "苗族", "布依族", "侗族", "彝族"])
_SIBLINGS_HERE = (0.75, 0.21, 0.04)
"""Shares of households with one, two and three pupils in the township; others' siblings are of other ages."""


@dataclass(frozen=True)
class Households:
    """One entry per household."""

    village: np.ndarray
    """Index of the primary school of its catchment."""
    latitude: np.ndarray
    longitude: np.ndarray
    guardian: np.ndarray
    """Index into GUARDIANS."""
    parents_away: np.ndarray
    poverty: np.ndarray
    """Index into POVERTY."""
    orphan: np.ndarray
    parent_illness: np.ndarray
    relocated: np.ndarray
    migrant: np.ndarray
    mother: np.ndarray
    """Mother's years of schooling."""
    father: np.ndarray


@dataclass(frozen=True)
class People:
    """One entry per pupil who is ever at school in the township during the period."""

    ids: np.ndarray
    names: np.ndarray
    joins: np.ndarray
    """Index of the school year of their first day in the registers."""
    first_grade: np.ndarray
    late: np.ndarray
    """Whole years over the usual age at school entry."""
    birth: np.ndarray
    female: np.ndarray
    ethnicity: np.ndarray
    disability: np.ndarray
    home_taught: np.ndarray
    household: np.ndarray
    homes: Households
    siblings: np.ndarray
    trait: np.ndarray
    """How little school holds the pupil, standard normal: more absence, worse results, more risk."""
    frailty: np.ndarray
    """What nothing in the registers tells, standard normal."""
    boarder: np.ndarray
    """Uniform; boards where it is below the chance of boarding."""
    unaided: np.ndarray
    """Uniform; goes without aid where it is above the share of entitled pupils who get it."""

    def road(self, schools: Schools, school: np.ndarray) -> np.ndarray:
        """Kilometres by road from home to ``school``."""
        home = self.household
        return DETOUR * schools.kilometres(school, self.homes.latitude[home], self.homes.longitude[home])

    def __len__(self) -> int:
        return len(self.ids)


def settle(plan: Plan, town: Township, schools: Schools) -> People:
    """The pupils of ``town``: those at school on the first day and each later year's first grade."""
    random = generator(plan.seed, town.index, 2)
    joins, grade = _cohorts(random, plan, town)
    count = len(joins)
    household, homes_count = _share_households(random, count)
    female = random.random(count) < 0.47
    late = np.digitize(random.random(count), [1 - town.preset.late_entry, 1 - town.preset.late_entry / 6])
    disability = random.random(count) < 0.015
    homes = _households(random, town, schools, homes_count)
    return People(
        ids=pupil_ids(town, count),
        names=person_names(random, count),
        joins=joins,
        first_grade=grade,
        late=late,
        birth=_births(random, plan, joins, grade, late),
        female=female,
        ethnicity=_ethnicities(random, town, homes_count)[household],
        disability=disability,
        home_taught=disability & (random.random(count) < 0.08),
        household=household,
        homes=homes,
        siblings=random.poisson(0.5, homes_count)[household] + np.bincount(household)[household] - 1,
        trait=random.normal(0, 1, count),
        frailty=random.normal(0, 1, count),
        boarder=random.random(count),
        unaided=random.random(count),
    )


def _cohorts(random: np.random.Generator, plan: Plan, town: Township) -> tuple[np.ndarray, np.ndarray]:
    stock = random.permutation(np.arange(town.pupils) % 9) + 1
    entrants = [town.pupils // 9 + (town.pupils % 9 > year % 9) for year in range(1, plan.years + 1)]
    joins = np.repeat(np.arange(plan.years + 1), [town.pupils, *entrants])
    return joins, np.concatenate([stock, np.ones(sum(entrants), stock.dtype)])


def _share_households(random: np.random.Generator, count: int) -> tuple[np.ndarray, int]:
    sizes = random.choice([1, 2, 3], count, p=_SIBLINGS_HERE)
    household = np.repeat(np.arange(count), sizes)[:count]
    return random.permutation(household), int(household[-1]) + 1 if count else 0


def _births(
    random: np.random.Generator, plan: Plan, joins: np.ndarray, grade: np.ndarray, late: np.ndarray
) -> np.ndarray:
    start = plan.school_years[0].start_year + joins - (grade - 1) - 6 - late
    september = (start - 1970).astype("M8[Y]").astype("M8[D]") + 243
    return september - random.integers(0, 365, len(joins))


def _ethnicities(random: np.random.Generator, town: Township, count: int) -> np.ndarray:
    minority = random.random(count) < town.preset.minority
    return ETHNICITIES[np.where(minority, random.integers(1, len(ETHNICITIES), count), 0)]


def _households(random: np.random.Generator, town: Township, schools: Schools, count: int) -> Households:
    village = random.choice(schools.primaries, count, p=schools.share)
    away = np.minimum(np.exp(random.normal(np.log(1.8), 0.8, count)), 60) / DETOUR
    latitude, longitude = moved(
        schools.latitude[village], schools.longitude[village], away, random.uniform(0, 2 * np.pi, count)
    )
    guardian, parents_away = _guardians(random, town.preset.left_behind, count)
    mother = np.clip(np.round(random.normal(7.5, 3, count)), 0, 19)
    return Households(
        village=village,
        latitude=latitude,
        longitude=longitude,
        guardian=guardian,
        parents_away=parents_away,
        poverty=random.choice(4, count, p=town.preset.poverty),
        orphan=random.random(count) < 0.003,
        parent_illness=random.random(count) < 0.08,
        relocated=random.random(count) < 0.05,
        migrant=random.random(count) < 0.03,
        mother=mother,
        father=np.clip(np.round(mother + random.normal(0.8, 2, count)), 0, 19),
    )


def _guardians(random: np.random.Generator, left_behind: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Grandparents care for 89 % of the left-behind, relatives for 7 %, nobody for 4 %."""
    left = random.random(count) < left_behind
    guardian = np.where(random.random(count) < 0.12, 1, 0)
    guardian = np.where(left, random.choice([2, 3, 4], count, p=[0.89, 0.07, 0.04]), guardian)
    away = np.where(random.random(count) < 0.1, 1, 0)
    return guardian, np.where(left, 2, away)
