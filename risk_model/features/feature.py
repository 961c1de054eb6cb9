"""What a feature is: its name, its SQL, and the sentence a teacher reads about it.

A feature is declared once. The declaration is its documentation (``docs/features.md``), the monotone
constraint of the model, the reason on the list and the label in the drift report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["attendance", "learning", "family", "distance", "time"]
Unit = Literal["percent", "days", "km", "minutes", "count", "score", "months", "weeks", "years", "flag"]
Sensitivity = Literal["public", "internal", "personal", "restricted"]
Direction = Literal[-1, 0, 1]

COMPARED = "compared"
"""Name of the relation of second-level features: one row per pupil with every other feature as a column."""

FEWEST_CLASSMATES = 10
"""A pupil is compared with a class or school only where at least so many others have a value."""


@dataclass(frozen=True)
class Relation:
    """Rows that features are read from; all features of a relation come from one pass over it.

    ``sql`` is a SELECT over the groundwork (:mod:`risk_model.features.groundwork`), the timeline and
    ``known.*``; it carries the column ``pupil``. A relation with ``many`` rows per pupil is
    aggregated, and its features are aggregates; otherwise they are plain expressions.
    """

    name: str
    sql: str
    many: bool = False


@dataclass(frozen=True)
class Wording:
    """What a teacher reads about a value, in one language.

    ``text`` may hold ``{value}``, formatted by the feature's unit (a share as percent; the sentence
    names any other unit). ``low`` is told instead of a flag that is false and of a value below zero,
    whose ``{value}`` then stands there without its sign; ``none`` instead of a value shown as 0, ``one``
    of one shown as 1 (Chinese needs none). Empty means that ``text`` serves there too. ``null`` says why
    there is no value.
    """

    text: str
    null: str
    low: str = ""
    none: str = ""
    one: str = ""


@dataclass(frozen=True)
class Feature:
    """One column of the model's matrix, float64; NaN where the registers do not tell.

    ``relation`` names a :class:`Relation`, ``sql`` is an expression over its columns. ``needs`` are
    the registers without which the value is null. ``direction`` says how the risk may move when the
    value rises (+1 up, −1 down, 0 either way) and is the model's monotone constraint. ``changeable``:
    care can change it, so it may be given as advice. Lists show only the family of a ``restricted``
    reason. Features of one ``group`` say the same in other words; a pupil is told one of them.
    """

    name: str
    family: Family
    relation: str
    sql: str
    unit: Unit
    direction: Direction
    changeable: bool
    sensitivity: Sensitivity
    needs: tuple[str, ...]
    en: Wording
    zh: Wording
    group: str = ""

    @property
    def comparison(self) -> bool:
        """Whether the value is itself a comparison with the class or the school."""
        return " OVER " in self.sql

    @property
    def text_en(self) -> str:
        return self.en.text

    @property
    def text_zh(self) -> str:
        return self.zh.text

    @property
    def low_en(self) -> str:
        return self.en.low

    @property
    def low_zh(self) -> str:
        return self.zh.low

    @property
    def none_en(self) -> str:
        return self.en.none

    @property
    def none_zh(self) -> str:
        return self.zh.none

    @property
    def one_en(self) -> str:
        return self.en.one

    @property
    def null_en(self) -> str:
        return self.en.null

    @property
    def null_zh(self) -> str:
        return self.zh.null


def over_median(column: str, unit: Literal["class", "school"]) -> str:
    """SQL: how far ``column`` lies above the median of the pupil's class or school.

    Null where fewer than :data:`FEWEST_CLASSMATES` others have a value. A median is an order
    statistic, so the result does not depend on the order in which rows arrive.

    >>> over_median("travel_km", "school")
    'CASE WHEN count(travel_km) OVER school > 10 THEN travel_km - median(travel_km) OVER school END'
    """
    enough = f"count({column}) OVER {unit} > {FEWEST_CLASSMATES}"
    return f"CASE WHEN {enough} THEN {column} - median({column}) OVER {unit} END"
