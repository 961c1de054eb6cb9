"""Rows of text become rows of declared types, each with the first thing that is wrong with it.

Everything is one SQL statement derived from the declaration, so that forty million marks are
checked at the speed of reading them. It numbers the faults only; what is told of a fault in words
(:attr:`Check.problems`) is asked of the few rows that have one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from risk_model.registers.declaration import RECORDED_ON, RETRACTED, Column, Kind, Register
from risk_model.registers.fields import Texts
from risk_model.registers.recording import Recording
from risk_model.registers.typing_rules import FALSE, TRUE, cleaned, out_of_range, typed, untypable

SHOWN = 200
"""Characters of a wrong value that are shown in quarantine."""
PROBLEM_TYPE = 'STRUCT("column" VARCHAR, "value" VARCHAR, reason VARCHAR)'


@dataclass(frozen=True)
class Check:
    """How ``texts`` become typed rows of ``register``; ``present`` columns are in the file."""

    register: Register
    texts: Texts
    present: Collection[str]
    recording: Recording

    @property
    def rows(self) -> str:
        """SQL: ``line``, the register's columns, the clocks, ``retracted`` and ``fault``.

        ``fault`` is the number of the first thing that is wrong with the row, 0 where it is valid so far;
        ``opened_on_record`` is null where the row is one fact. A retracted row keeps its key only.
        """
        content = ", ".join(
            column.name if column.key or column.name not in self.present
            else f"CASE WHEN NOT gone THEN {column.name} END AS {column.name}"
            for column in self.register.columns
        )  # fmt: skip
        return f"""{self._typed}
            SELECT line, {content}, known_on AS recorded_on, opened_on_record, gone AS retracted,
                   {self._fault} AS fault
            FROM dated"""

    @property
    def problems(self) -> str:
        """SQL: ``line`` and ``problem`` (of :data:`PROBLEM_TYPE`) of the rows with a fault."""
        told = " ".join(f"WHEN {number} THEN {one.problem}" for number, one in enumerate(self._faults, 1))
        return f"""
            SELECT line, CASE fault {told} END AS problem
            FROM ({self._typed} SELECT *, {self._fault} AS fault FROM dated) WHERE fault > 0"""

    @property
    def _used(self) -> list[Column]:
        return [column for column in self.register.delivered if column.name in self.present]

    @property
    def _typed(self) -> str:
        register, recording = self.register, self.recording
        values = ", ".join(_value(column, self.present) for column in register.delivered)
        cleans = "".join(f", {cleaned(one, self.texts.blanks)} AS text_{one.name}" for one in self._used)
        own = "typed." + ", typed.".join(column.name for column in register.columns)
        return f"""
            WITH cleaned AS NOT MATERIALIZED (SELECT line, flaw{cleans} FROM ({self.texts.sql})),
            typed AS NOT MATERIALIZED (SELECT *, {values} FROM cleaned),
            dated AS NOT MATERIALIZED (
                SELECT line, flaw, {own}, typed.told_on, coalesce(gone, false) AS gone
                       {"".join(f", text_{column.name}" for column in self._used)},
                       {recording.known_on(register)} AS known_on,
                       {recording.opened_on(register) or "NULL::DATE"} AS opened_on_record
                FROM typed{recording.join(register)})"""

    @property
    def _fault(self) -> str:
        cases = " ".join(f"WHEN {one.condition} THEN {number}" for number, one in enumerate(self._faults, 1))
        return f"(CASE {cases} ELSE 0 END)::USMALLINT"

    @cached_property
    def _faults(self) -> list[_Fault]:
        """Everything that can be wrong: the row's shape first, then its columns in order."""
        used, today = self._used, self.recording.today
        faults = [_Fault("flaw IS NOT NULL", struct("NULL::VARCHAR", "NULL::VARCHAR", "flaw"))]
        for column in used:
            faults += [_fault(column, condition, reason) for condition, reason in _own_faults(column)]
        if RECORDED_ON in used:
            late = f"lies after the day of import, {today}"
            faults.append(_fault(RECORDED_ON, f"told_on > DATE '{today}'", late))
        for column in used:
            faults += [_fault(column, condition, reason) for condition, reason in _cross_faults(column, used)]
        # A file may lack one of them; that it has at least one was asked of its header.
        either = [column for column in used if column.name in self.register.one_of]
        if either:
            empty = " AND ".join(f"text_{column.name} IS NULL" for column in either)
            faults.append(_fault(either[0], empty, f"{' or '.join(self.register.one_of)} is needed"))
        return faults


@dataclass(frozen=True)
class _Fault:
    condition: str
    problem: str


def _value(column: Column, present: Collection[str]) -> str:
    name = {RECORDED_ON.name: "told_on", RETRACTED.name: "gone"}.get(column.name, column.name)
    if column.name not in present:
        return f"NULL::{column.kind.value} AS {name}"
    return f"{typed(column, f'text_{column.name}')} AS {name}"


def _own_faults(column: Column) -> list[tuple[str, str]]:
    if column.name in (RECORDED_ON.name, RETRACTED.name):
        return _clock_faults(column)
    faults = []
    if column.required and column.optional_if_false is None:
        alive = "" if column.key else " AND NOT gone"
        faults.append((f"text_{column.name} IS NULL{alive}", "is required, but empty"))
    return [*faults, *untypable(column, f"text_{column.name}"), *out_of_range(column)]


def _clock_faults(column: Column) -> list[tuple[str, str]]:
    text = f"text_{column.name}"
    _, reason = untypable(column, text)[0]
    if column.name == RETRACTED.name:
        return [(f"lower({text}) NOT IN {(*TRUE, *FALSE)!r}", reason)]
    early = (f"told_on < DATE '{column.earliest}'", f"lies before {column.earliest}")
    return [(f"{text} IS NOT NULL AND told_on IS NULL", reason), early]


def _cross_faults(column: Column, used: list[Column]) -> list[tuple[str, str]]:
    """What is wrong between columns."""
    faults = []
    names = {other.name for other in used}
    if column.optional_if_false is not None:
        sat = f"coalesce({column.optional_if_false}, true)" if column.optional_if_false in names else "true"
        faults.append((f"text_{column.name} IS NULL AND {sat} AND NOT gone", "is required, but empty"))
    if column.at_most is not None and column.at_most in names:
        faults.append((f"{column.name} > {column.at_most}", f"is above {column.at_most}"))
    if column.not_before is not None and column.not_before in names:
        faults.append((f"{column.name} < {column.not_before}", f"lies before {column.not_before}"))
    if column.kind is Kind.DATE and column.not_after_recorded:
        faults.append((f"{column.name} > known_on", "lies after the day it was recorded"))
    return faults


def _fault(column: Column, condition: str, reason: str) -> _Fault:
    text = f"text_{column.name}"
    shown = f"left({text}, {SHOWN})"
    if column.identity or column.secret_number:
        shown = f"'(hidden, ' || length({text}) || ' characters)'"
    told = reason.replace("'", "''")
    return _Fault(condition, struct(f"'{column.name}'", shown, f"'{told}'"))


def struct(column: str, value: str, reason: str) -> str:
    """SQL: a problem of :data:`PROBLEM_TYPE` from three SQL expressions."""
    return f'struct_pack("column" := {column}, "value" := {value}, reason := {reason})'
