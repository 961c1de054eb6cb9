"""The numbers a county is made of, from "Rural numbers" of the field survey."""

from __future__ import annotations

from dataclasses import dataclass

COUNTY_PUPILS = 57_000
"""Pupils of an average county in compulsory education."""

TOWNSHIP_PUPILS = 1_050
"""Pupils of one township: one junior school and the primary schools that feed it."""


@dataclass(frozen=True)
class Preset:
    """What distinguishes one kind of county from another; shares are 0–1."""

    name: str
    annual: tuple[float, ...]
    """Chance of leaving within a school year (dropped out, hidden or not returned) in grades 1–9."""
    explicit_share: float
    """Share of those who leave in term time whose exit is written into the register at once."""
    left_behind: float
    poverty: tuple[float, float, float, float]
    """Shares of households: none, lifted, monitored, minimum living."""
    late_entry: float
    """Share of pupils who entered school a year late or more."""
    minority: float


def _grades(low: float, middle: float, seven: float, eight: float, nine: float) -> tuple[float, ...]:
    return (low, low, low, middle, middle, middle, seven, eight, nine)


COUNTY = Preset(
    "county", _grades(0.002, 0.006, 0.03, 0.05, 0.05), 0.2, 0.105, (0.73, 0.18, 0.03, 0.06), 0.10, 0.3
)
"""Today, hidden dropout included."""

POOR = Preset(
    "poor-county", _grades(0.002, 0.005, 0.057, 0.09, 0.04), 0.8, 0.30, (0.52, 0.30, 0.07, 0.11), 0.18, 0.5
)
"""A poor county around 2010."""

TYPICAL = Preset(
    "typical-county",
    _grades(0.0005, 0.0015, 0.01, 0.02, 0.012),
    0.4,
    0.105,
    (0.73, 0.18, 0.03, 0.06),
    0.10,
    0.15,
)
"""A typical county of 2018; only a part of the preset ``province``."""

_MIXES: dict[str, tuple[Preset, ...]] = {
    "county": (COUNTY,),
    "poor-county": (POOR,),
    "province": (COUNTY, TYPICAL, POOR, COUNTY),
}

PRESETS = tuple(_MIXES)
"""Names that ``simulate --preset`` takes."""


def preset_of(name: str, county: int) -> Preset:
    """What kind of county the county number ``county`` of preset ``name`` is.

    >>> [preset_of("province", county).name for county in range(3)]
    ['county', 'typical-county', 'poor-county']
    """
    mix = _MIXES[name]
    return mix[county % len(mix)]


def county_count(name: str, townships: int) -> int:
    """How many counties ``townships`` townships make up.

    >>> county_count("county", 19), county_count("province", 19), county_count("province", 950)
    (1, 3, 18)
    """
    if name != "province":
        return max(1, round(townships * TOWNSHIP_PUPILS / (COUNTY_PUPILS * 1.6)))
    return max(min(3, townships), round(townships * TOWNSHIP_PUPILS / COUNTY_PUPILS))
