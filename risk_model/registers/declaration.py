"""What a register is: its columns, their types and limits, and who may use them for what.

Checking, storage, the printed contract and the documentation all derive from these records;
no column name, limit or alias is written down a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})


class Kind(StrEnum):
    """Type of a column; the value is its type in the lake."""

    TEXT = "VARCHAR"
    INTEGER = "BIGINT"
    NUMBER = "DOUBLE"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"


class Sensitivity(StrEnum):
    """Who may read a column: everybody, the office, the pupil's staff, or only on the case."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    RESTRICTED = "restricted"


@dataclass(frozen=True)
class Column:
    """One column of a register, declared once.

    ``minimum`` and ``maximum`` are inclusive and in ``unit``. ``values`` are the allowed values of
    a text column; ``value_aliases`` maps other spellings (Chinese) to them, or to a number.
    """

    name: str
    kind: Kind
    purpose: str
    sensitivity: Sensitivity
    predictor: bool
    retention: str
    key: bool = False
    required: bool = False
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    value_aliases: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    aliases: tuple[str, ...] = ()
    """Other header names, mostly Chinese."""
    identity: bool = False
    """Lives in the identity lake only, which features and training never open."""
    not_after_recorded: bool = False
    """A day that cannot lie after the day it was recorded; plans (``calendar.day``) may."""
    earliest: date | None = None
    refers_to: str | None = None
    """Register (``students``, ``schools``) that must know the value once it has rows at all."""
    not_before: str | None = None
    """Name of the day this one must not lie before (``ended_on`` and ``started_on``)."""
    at_most: str | None = None
    """Name of the column this one must not exceed (``score`` and ``max_score``)."""
    optional_if_false: str | None = None
    """Required, except where this boolean column is false (``score`` of an exam not sat)."""
    values_never_predictors: tuple[str, ...] = ()
    secret_number: bool = False
    """Holds keyed hashes; a national number in clear is refused and masked in quarantine."""
    headers: frozenset[str] = field(init=False, compare=False, repr=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", frozenset({self.name, *self.aliases}))


@dataclass(frozen=True)
class Register:
    """A register: its columns, its key, and how its history is told when nobody wrote it down."""

    name: str
    purpose: str
    columns: tuple[Column, ...]
    aliases: tuple[str, ...] = ()
    """Chinese file names."""
    event_column: str | None = None
    """Day a row happened; ``--recorded-on event+N`` makes it known N days later."""
    closing_column: str | None = None
    """Day that closes a row already known open: with ``event+N`` such a row is two facts."""
    closed_by: tuple[str, ...] = ()
    """Columns unknown until then."""
    one_of: tuple[str, ...] = ()
    """At least one of these must be filled."""
    big: bool = False
    """Grows with pupils × days; partitioned by county."""

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Names of the key columns, in declared order; optional ones may be null."""
        return tuple(column.name for column in self.columns if column.key)

    @cached_property
    def known(self) -> tuple[Column, ...]:
        """Columns of the main lake: all but identity."""
        return tuple(column for column in self.columns if not column.identity)

    @cached_property
    def identity(self) -> tuple[Column, ...]:
        """Columns of the identity lake; empty for most registers."""
        return tuple(column for column in self.columns if column.identity)

    @cached_property
    def delivered(self) -> tuple[Column, ...]:
        """All columns a file may have: the register's own, ``recorded_on`` and ``retracted``."""
        return (*self.columns, RECORDED_ON, RETRACTED)

    def column(self, name: str) -> Column:
        """The declared column ``name``; KeyError if there is none."""
        for column in self.delivered:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}.")


EARLIEST = date(1930, 1, 1)
EARLIEST_SCHOOL_DAY = date(1990, 1, 1)

RECORDED_ON = Column(
    "recorded_on", Kind.DATE, "day the fact became known to the office; what a snapshot is cut by",
    Sensitivity.INTERNAL, predictor=False, retention="as its row",
    aliases=("登记日期", "录入日期", "记录日期", "上报日期"), earliest=EARLIEST,
)  # fmt: skip
RETRACTED = Column(
    "retracted", Kind.BOOLEAN, "true ends the key: the row was an error or is withdrawn",
    Sensitivity.INTERNAL, predictor=False, retention="as its row", aliases=("撤销", "作废", "是否作废"),
)  # fmt: skip
