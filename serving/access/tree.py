"""The tree province › county › township › school › class, as rows found by equality."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class SchoolPlace:
    """Where a school lies; without a township its county is the parent."""

    school_id: str
    county_id: str | None
    township_id: str | None = None
    province_id: str | None = None

    def chain(self) -> list[str]:
        """The school and the units above it, nearest first.

        >>> SchoolPlace("A", "C", None, "P").chain()
        ['school:A', 'county:C', 'province:P']
        """
        levels = (
            ("school", self.school_id),
            ("township", self.township_id),
            ("county", self.county_id),
            ("province", self.province_id),
        )
        return [f"{kind}:{name}" for kind, name in levels if name]


def places(schools: Iterable[SchoolPlace], classes: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Pairs ``(unit, within)`` of every unit and itself, and every unit above it.

    ``classes``: pairs of a school's id and a unit ``class:…`` of it. A school nobody places is a tree alone.
    """
    chains = {school.school_id: school.chain() for school in schools}
    pairs = {pair for chain in chains.values() for pair in _pairs(chain)}
    for school_id, unit in classes:
        pairs |= set(_pairs([unit, *chains.get(school_id, [f"school:{school_id}"])]))
    return pairs


def _pairs(chain: list[str]) -> Iterator[tuple[str, str]]:
    for position, unit in enumerate(chain):
        for within in chain[position:]:
            yield unit, within
