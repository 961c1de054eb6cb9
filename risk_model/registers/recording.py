"""When the office came to know a row: its own ``recorded_on``, or a rule for a whole delivery.

``--recorded-on event+N`` tells the history nobody wrote down: a row became known N days after it
happened, and a spell or school that has ended is two facts, opened and closed. No day of knowledge
lies after the day of import.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from risk_model.errors import UsageError
from risk_model.registers.declaration import Register

FIRST_SPELLS = "first_spells"
"""Temporary table ``(student_id, started_on)`` that dates pupils under ``event+N``."""
SCHOOL_YEAR_MONTH = 8


@dataclass(frozen=True)
class Recording:
    """How rows without ``recorded_on`` are dated; ``event_lag`` null: all on ``day``."""

    today: date
    day: date
    event_lag: int | None = None
    earliest: date | None = None
    """Earliest event of the delivery, for registers whose rows have no event day."""

    @property
    def assumed(self) -> bool:
        return self.event_lag is not None

    def needs_events(self, register: Register) -> bool:
        """Whether the delivery's event registers must be read before this one."""
        return self.assumed and register.event_column is None and register.name != "calendar"

    def known_on(self, register: Register) -> str:
        """SQL: the day a row became known, from its typed columns and ``told_on`` (its own cell)."""
        return f"coalesce(told_on, {self._rule(register)})"

    def opened_on(self, register: Register) -> str | None:
        """SQL: the day the opening of a row became known that was closed later; null: one fact only."""
        closing = register.closing_column
        if not self.assumed or closing is None:
            return None
        opening = self._later(self._opening(register))
        return (
            f"CASE WHEN told_on IS NULL AND {closing} IS NOT NULL AND {opening} < {self._rule(register)}"
            f" THEN {opening} END"
        )

    def join(self, register: Register) -> str:
        """SQL: the join that :meth:`known_on` needs."""
        if self.assumed and register.name == "students":
            return f" LEFT JOIN {FIRST_SPELLS} AS spell ON spell.student_id = typed.student_id"
        return ""

    def _rule(self, register: Register) -> str:
        if not self.assumed:
            return f"DATE '{self.day}'"
        if register.name == "calendar":
            back = f"CASE WHEN month(day) >= {SCHOOL_YEAR_MONTH} THEN 0 ELSE 1 END"
            return f"least(make_date(year(day) - {back}, {SCHOOL_YEAR_MONTH}, 1), DATE '{self.today}')"
        if register.closing_column is None:
            return self._later(self._opening(register))
        return self._later(f"greatest({self._opening(register)}, {register.closing_column})")

    def _opening(self, register: Register) -> str:
        earliest = f"DATE '{self.earliest or self.today}'"
        if register.event_column is not None:
            return register.event_column
        if register.name == "students":
            return f"coalesce(spell.started_on, {earliest})"
        return f"coalesce(opened_on, {earliest})" if register.name == "schools" else earliest

    def _later(self, day: str) -> str:
        return f"least({day} + {self.event_lag}, DATE '{self.today}')"


def parse_recording(given: str | None, today: date, seen_on: date | None = None) -> Recording:
    """The rule of ``--recorded-on``: a day, ``event+N``, or none (the day of import).

    ``seen_on`` is the day the very same delivery was first imported: it says nothing new today.

    Raises
    ------
    UsageError
        Neither a day nor ``event+N``, or a day after ``today``.

    >>> parse_recording("event+14", date(2025, 9, 1)).event_lag
    14
    """
    if given is None:
        return Recording(today, seen_on or today)
    if found := re.fullmatch(r"event\+(\d{1,3})", given):
        return Recording(today, today, event_lag=int(found[1]))
    for layout in ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d"):
        try:
            day = datetime.strptime(given, layout).date()
        except ValueError:
            continue
        if day > today:
            raise UsageError(f"--recorded-on {given} lies ahead: a fact cannot be known before it is told.")
        return Recording(today, day)
    raise UsageError(f"--recorded-on {given!r} is neither a day (2025-09-01) nor event+N (event+14).")
