"""Months of attendance as stacked bars, worst kind at the bottom, and when care was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from serving.pages.charts import WIDTH

TOP, FLOOR, LEFT, RIGHT = 26, 150, 26, 6
HEIGHT = 190
GAP = 0.25
"""Share of a month's width between two bars."""
KINDS = ("absent_unexcused", "absent_leave", "absent_sick", "late", "present", "home_taught")
"""From the bottom up."""


@dataclass(frozen=True)
class Month:
    """Days of a month by mark; none of any: no register was kept, which is no absence."""

    first: date
    days: dict[str, int]

    @property
    def marked(self) -> int:
        """Days with any mark."""
        return sum(self.days.values())

    @property
    def missed(self) -> int:
        """Days away, whatever the reason."""
        return sum(number for kind, number in self.days.items() if kind.startswith("absent"))


@dataclass(frozen=True)
class Piece:
    """One kind of mark within a month's bar."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """One month's bar."""

    month: Month
    x: float
    width: float
    middle: float
    pieces: tuple[Piece, ...]
    says_year: bool


@dataclass(frozen=True)
class Marker:
    """A day of care."""

    day: date
    kind: str
    x: float


@dataclass(frozen=True)
class Attendance:
    """The chart: columns, markers of care, and the lines of the scale (y, days)."""

    columns: tuple[Column, ...]
    markers: tuple[Marker, ...]
    lines: tuple[tuple[float, int], ...]
    kinds: tuple[str, ...]
    """Kinds of marks that occur, in the order of the legend."""


def draw_attendance(months: Sequence[Month], care: Sequence[tuple[date, str]]) -> Attendance | None:
    """The chart of consecutive ``months``; none where no month has a mark."""
    most = max((month.marked for month in months), default=0)
    if not most:
        return None
    step = (WIDTH - LEFT - RIGHT) / len(months)
    unit = (FLOOR - TOP) / most
    columns = tuple(_column(month, number, step, unit) for number, month in enumerate(months))
    markers = tuple(
        Marker(day, kind, round(x, 1)) for day, kind in care if (x := _place(day, months, step)) is not None
    )
    halves = sorted({most // 2, most} - {0})
    lines = tuple((round(FLOOR - days * unit, 1), days) for days in halves)
    kinds = tuple(kind for kind in reversed(KINDS) if any(month.days.get(kind) for month in months))
    return Attendance(columns, markers, lines, kinds)


def _column(month: Month, number: int, step: float, unit: float) -> Column:
    x, width = LEFT + step * (number + GAP / 2), step * (1 - GAP)
    pieces, top = [], float(FLOOR)
    for kind in KINDS:
        if days := month.days.get(kind, 0):
            top -= days * unit
            pieces.append(Piece(kind, round(top, 1), round(days * unit, 1)))
    says_year = number == 0 or month.first.month == 1
    return Column(month, round(x, 1), round(width, 1), round(x + width / 2, 1), tuple(pieces), says_year)


def _place(day: date, months: Sequence[Month], step: float) -> float | None:
    """Where a day lies on the axis; None outside of it."""
    for number, month in enumerate(months):
        if (month.first.year, month.first.month) == (day.year, day.month):
            return LEFT + step * (number + (day.day - 1) / 31)
    return None
