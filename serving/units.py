"""Units people ask for: ``province:P``, ``county:C``, ``township:T``, ``school:A``, ``class:A:7A:2025``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from risk_model.errors import UsageError

Kind = Literal["all", "province", "county", "township", "school", "class"]
FORMS = "province:P, county:C, township:T, school:A or class:A:7A:2025"


@dataclass(frozen=True)
class Unit:
    """A unit of the tree province › county › township › school › class, or everything."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return self.kind if self.kind == "all" else f"{self.kind}:{self.name}"

    @property
    def above_school(self) -> bool:
        """Whether the unit may hold several schools."""
        return self.kind not in ("school", "class")


def parse_unit(text: str | None) -> Unit:
    """The unit of ``--unit``; none is everything.

    >>> parse_unit("class:A:7A:2025")
    Unit(kind='class', name='A:7A:2025')

    Raises
    ------
    UsageError
        The text is not of the form of a unit.
    """
    if text is None:
        return Unit("all")
    kind, _, name = text.partition(":")
    if kind not in get_args(Kind) or kind == "all" or not name:
        raise UsageError(f"{text!r} is not a unit. Write it as {FORMS}.")
    return Unit(cast(Kind, kind), name)
