"""Daily marks: who misses school on which day, and which registers nobody kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from training.simulator.layout import Plan, Township, generator
from training.simulator.lives import AWAY_UNEXCUSED, AWAY_UNMARKED
from training.simulator.people import People
from training.simulator.places import Schools
from training.simulator.records import YearRecord
from training.simulator.school_year import SchoolYear
from training.simulator.spells import school_of_class

MARKS = np.array(["present", "late", "absent_sick", "absent_leave", "absent_unexcused", "home_taught"])
PRESENT, LATE, SICK, LEAVE, UNEXCUSED, HOME_TAUGHT = range(len(MARKS))
NO_MARK = -1

_ABSENT = (0.020, 0.031)
"""Mean share of days missed of a primary and a junior pupil before the seasons raise it."""
_KINDS = {"sick": 0.52, "leave": 0.26, "unexcused": 0.22}
_SICK_LASTS = 1.75
"""Mean school days of an illness."""


@dataclass(frozen=True)
class Seasons:
    """Factors of each school day on the three kinds of absence."""

    sick: np.ndarray
    leave: np.ndarray
    unexcused: np.ndarray


@dataclass(frozen=True)
class YearOfMarks:
    """Marks of one school year, days × pupils, and how many days later each was filed."""

    year: SchoolYear
    mark: np.ndarray
    """Index into MARKS or NO_MARK."""
    seat: np.ndarray
    lag: np.ndarray
    """Days until the class register reached the office, days × classes."""

    def months(self) -> Iterator[tuple[str, slice]]:
        """Each month's name (``2025-09``) and its days."""
        month = self.year.days.astype("M8[M]")
        for value in np.unique(month):
            inside = np.flatnonzero(month == value)
            yield str(value), slice(inside[0], inside[-1] + 1)


class Habits:
    """How often each pupil of a township misses school; drawn once, kept over the years."""

    def __init__(self, plan: Plan, town: Township, people: People, schools: Schools) -> None:
        self._plan, self._town, self._people, self._schools = plan, town, people, schools
        random = generator(plan.seed, town.index, 4)
        count = len(people)
        self._sick = _skewed(random, count, 0.7)
        self._leave = _skewed(random, count, 0.8)
        steady = 0.55 * people.trait + random.normal(0, 0.6, count)
        self._unexcused = np.exp(steady - (0.55**2 + 0.6**2) / 2)
        self._late = 0.012 * _skewed(random, count, 0.9) * np.exp(0.3 * people.trait)

    def marks(self, record: YearRecord) -> YearOfMarks:
        """Draw a school year."""
        random = generator(self._plan.seed, self._town.index, 5, record.year.index)
        seated = record.seat >= 0
        mark = self._draw(random, record)
        mark[record.away == AWAY_UNEXCUSED] = UNEXCUSED
        mark[:, self._people.home_taught] = HOME_TAUGHT
        kept, lag = self._registers(random, record.seat)
        forgotten = random.random(mark.shape, np.float32) < 0.002
        mark[~seated | ~kept | forgotten | (record.away == AWAY_UNMARKED)] = NO_MARK
        return YearOfMarks(record.year, mark, record.seat, lag)

    def _draw(self, random: np.random.Generator, record: YearRecord) -> np.ndarray:
        """Marks of those who come to school at all, uniform draws cut at cumulated chances."""
        seasons = seasons_of(self._plan.seed, self._town.county, record.year)
        base = np.where(record.code // 8 % 9 >= 6, _ABSENT[1], _ABSENT[0])
        skips = record.skips[record.year.week_of_day]
        draw = random.random(skips.shape, np.float32)
        mark = np.zeros(skips.shape, np.int8)
        edge = _outer(seasons.unexcused, _KINDS["unexcused"] * base * self._unexcused) + skips
        mark[draw < edge] = UNEXCUSED
        for kind, season, chance in (
            (LEAVE, seasons.leave, _KINDS["leave"] * base * self._leave),
            (SICK, seasons.sick, _KINDS["sick"] * base * self._sick / _SICK_LASTS),
            (LATE, np.ones(len(skips)), self._late),
        ):
            wider = edge + _outer(season, chance) + (0.15 * skips if kind == LATE else 0)
            mark[(draw >= edge) & (draw < wider)] = kind
            if kind == SICK:
                _prolong(mark, (wider - draw) / np.maximum(wider - edge, 1e-9))
            edge = wider
        return mark

    def _registers(self, random: np.random.Generator, seat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether each pupil's class kept its register that day, and the filing lag of each class."""
        classes = len(self._schools.ids) * 72
        gaps = self._schools.gaps[school_of_class(np.arange(classes))]
        kept = random.random((len(seat), classes)) >= gaps
        lag = np.array([0, 1, 3, 7])[np.digitize(random.random((len(seat), classes)), [0.88, 0.96, 0.99])]
        return np.take_along_axis(kept, np.maximum(seat, 0).astype(np.intp), axis=1), lag


def seasons_of(seed: int, county: int, year: SchoolYear) -> Seasons:
    """Mondays, days after a holiday, harvest, the weeks after the Spring Festival, waves of sickness."""
    gap = np.diff(year.days, prepend=year.days[0] - 60).astype(int)
    monday = 1 + 0.35 * ((year.days.astype(int) + 3) % 7 == 0)
    after = 1 + 0.9 * ((gap > 3) | np.append(False, gap[:-1] > 3))
    number = np.arange(len(year.days)) - year.second_term
    festival = 1 + 1.2 * np.exp(-np.maximum(number, 0) / 4) * (number >= 0)
    harvest_days = year.days - np.datetime64(f"{year.start_year}-10-08", "D")
    harvest = 1 + 0.8 * ((harvest_days.astype(int) >= 0) & (harvest_days.astype(int) < 18))
    return Seasons(
        sick=_waves(seed, county, year) * (0.5 + 0.5 * monday),
        leave=monday * festival * harvest,
        unexcused=monday * after * festival * (0.5 + 0.5 * harvest),
    )


def _waves(seed: int, county: int, year: SchoolYear) -> np.ndarray:
    random = generator(seed, 1_000_000 + county, year.index)
    centre = random.uniform(0, len(year.days), 3)
    height, width = random.uniform(0.6, 2.5, 3), random.uniform(5, 10, 3)
    distance = np.arange(len(year.days))[:, None] - centre
    waves = 1 + (height * np.exp(-0.5 * (distance / width) ** 2)).sum(axis=1)
    return waves / waves.mean()


def _prolong(mark: np.ndarray, share: np.ndarray) -> None:
    """Half of the illnesses last a second day, a quarter a third; ``share`` is uniform on the ill."""
    ill = mark == SICK
    second = ill & (share < 0.5)
    third = second & (share < 0.25)
    for days, lasting in ((1, second), (2, third)):
        still = lasting[:-days] & (mark[days:] == PRESENT)
        mark[days:][still] = SICK


def _skewed(random: np.random.Generator, count: int, sigma: float) -> np.ndarray:
    """Right-skewed factors with mean 1."""
    return np.exp(random.normal(-(sigma**2) / 2, sigma, count))


def _outer(days: np.ndarray, pupils: np.ndarray) -> np.ndarray:
    return np.multiply.outer(days.astype(np.float32), pupils.astype(np.float32))


def month_table(marks: YearOfMarks, days: slice, people: People, schools: Schools) -> pa.Table:
    """The attendance register of one month, by day and pupil; text columns are dictionaries."""
    mark, seat = marks.mark[days], marks.seat[days]
    day, pupil = np.nonzero(mark >= 0)
    code = seat[day, pupil]
    dates = marks.year.days[days][day]
    return pa.table(
        {
            "student_id": _coded(pupil.astype(np.int32), people.ids),
            "day": dates,
            "mark": _coded(mark[day, pupil], MARKS),
            "school_id": _coded(school_of_class(code).astype(np.int8), schools.ids),
            "recorded_on": dates + marks.lag[days][day, code],
        }
    )


def _coded(codes: np.ndarray, values: np.ndarray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(values))
