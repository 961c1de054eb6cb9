"""The way to school as a line from home: no map, no place can be read from it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from serving.pages.charts import WIDTH

LEFT, RIGHT, LINE, HEIGHT = 24, 30, 62, 104


@dataclass(frozen=True)
class Way:
    """What is known of the way; none: not known."""

    km: float | None
    minutes: float | None
    mode: str | None
    boarding: bool | None
    nearest_km: float | None
    """In a straight line to the nearest school of the stage."""
    of_school_km: float | None
    """The middle of the school's pupils."""


@dataclass(frozen=True)
class Distance:
    """Places on the line: home, school, nearest school and the middle of the school's pupils."""

    home: float
    school: float
    nearest: float | None
    middle: float | None


def draw_distance(way: Way) -> Distance | None:
    """The sketch; none where the distance is not known."""
    if way.km is None or isnan(way.km):
        return None
    furthest = max(value for value in (way.km, way.nearest_km, way.of_school_km, 0.1) if value is not None)
    room = WIDTH - LEFT - RIGHT

    def place(km: float | None) -> float | None:
        return None if km is None else round(LEFT + room * km / furthest, 1)

    school = place(way.km)
    assert school is not None
    return Distance(LEFT, school, place(way.nearest_km), place(way.of_school_km))
