"""Results by term: the pupil's line and the middle of the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.pages.charts import WIDTH

TOP, FLOOR, LEFT, RIGHT = 14, 130, 34, 18
HEIGHT = 160
PASS = 0.6


@dataclass(frozen=True)
class Term:
    """One half-year: shares of the points reached, 0–1; none: nothing sat, or too few classmates."""

    name: str
    pupil: float | None
    of_class: float | None
    missed: int
    """Exams not sat, which are no zeros."""


@dataclass(frozen=True)
class Dot:
    """A share of the points at its place."""

    x: float
    y: float
    share: float


@dataclass(frozen=True)
class Results:
    """The chart; lines are lists of dots without those that are not known."""

    terms: tuple[tuple[float, Term], ...]
    pupil: tuple[Dot, ...]
    of_class: tuple[Dot, ...]
    lines: tuple[tuple[float, float], ...]
    """(y, share) of the scale."""
    passing: float


def draw_results(terms: Sequence[Term]) -> Results | None:
    """The chart of terms in order; none where nothing was sat."""
    if not any(term.pupil is not None for term in terms):
        return None
    step = (WIDTH - LEFT - RIGHT) / max(len(terms) - 1, 1)
    alone = (WIDTH - LEFT - RIGHT) / 2 if len(terms) == 1 else 0
    places = [round(LEFT + alone + step * number, 1) for number in range(len(terms))]
    return Results(
        tuple(zip(places, terms, strict=True)),
        _dots(places, [term.pupil for term in terms]),
        _dots(places, [term.of_class for term in terms]),
        tuple((_height(share), share) for share in (0.0, 0.5, 1.0)),
        _height(PASS),
    )


def _dots(places: Sequence[float], shares: Sequence[float | None]) -> tuple[Dot, ...]:
    found = zip(places, shares, strict=True)
    return tuple(Dot(x, _height(share), share) for x, share in found if share is not None)


def _height(share: float) -> float:
    return round(FLOOR - (FLOOR - TOP) * share, 1)
