"""What is simulated: the plan, its school years and its townships, the units of randomness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from training.simulator.presets import TOWNSHIP_PUPILS, Preset, county_count, preset_of
from training.simulator.school_year import SchoolYear, school_years

PROVINCE_CODE = "520000"


@dataclass(frozen=True)
class Plan:
    """All a run is determined by; equal plans write equal bytes."""

    students: int
    """Pupils enrolled at the start of the first school year."""
    years: int
    preset: str
    seed: int
    until: date
    """Last day anything was recorded; the school year of this day is the last one."""
    dirty: bool = False

    @cached_property
    def school_years(self) -> tuple[SchoolYear, ...]:
        """The ``years`` school years, and one more for the summer where ``until`` lies in a summer."""
        return school_years(self.years, self.until)

    @property
    def last_day(self) -> np.datetime64:
        return np.datetime64(self.until, "D")

    @property
    def township_count(self) -> int:
        return max(1, round(self.students / TOWNSHIP_PUPILS))

    def township(self, index: int) -> Township:
        """Township number ``index`` with its share of the pupils."""
        count = self.township_count
        counties = county_count(self.preset, count)
        county = index * counties // count
        first = -(-county * count // counties)
        pupils = self.students // count + (index < self.students % count)
        return Township(index, county, index - first, pupils, preset_of(self.preset, county))


@dataclass(frozen=True)
class Township:
    """One township: a junior school, its primary schools and their pupils."""

    index: int
    county: int
    number: int
    """Its number within the county, from 0."""
    pupils: int
    preset: Preset

    @property
    def county_id(self) -> str:
        return f"52{self.county // 70 + 1:02d}{self.county % 70 + 21:02d}"

    @property
    def township_id(self) -> str:
        return f"{self.county_id}{self.number + 100:03d}"


def generator(seed: int, *key: int) -> np.random.Generator:
    """The random stream of one concern, the same whichever process draws from it."""
    return np.random.default_rng(np.random.SeedSequence((seed, *key)))
