"""Rows of text become rows of declared types, each with the first thing that is wrong with it.

Everything is one SQL statement derived from the declaration, so that forty million marks are
checked at the speed of reading them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from risk_model.registers.declaration import RECORDED_ON, RETRACTED, Column, Kind, Register
from risk_model.registers.recording import Recording
from risk_model.registers.typing_rules import FALSE, TRUE, cleaned, out_of_range, typed, untypable

SHOWN = 200
"""Characters of a wrong value that are shown in quarantine."""
PROBLEM_TYPE = 'STRUCT("column" VARCHAR, "value" VARCHAR, reason VARCHAR)'


def checked(register: Register, texts: str, present: Collection[str], recording: Recording) -> str:
    """SQL over ``texts`` (``line``, ``flaw``, a text per column): typed columns, clocks and ``problem``.

    Columns: ``line``, the register's own, ``recorded_on``, ``opened_on_record`` (null: one fact),
    ``retracted``, ``problem`` (null: the row is valid so far). A retracted row keeps its key only.
    """
    used = [column for column in register.delivered if column.name in present]
    values = ", ".join(_value(column, present) for column in register.delivered)
    cleans = "".join(f", {cleaned(column)} AS text_{column.name}" for column in used)
    content = ", ".join(
        column.name if column.key or column.name not in present
        else f"CASE WHEN NOT gone THEN {column.name} END AS {column.name}"
        for column in register.columns
    )  # fmt: skip
    own = "typed." + ", typed.".join(column.name for column in register.columns)
    return f"""
        WITH cleaned AS NOT MATERIALIZED (SELECT line, flaw{cleans} FROM ({texts})),
        typed AS NOT MATERIALIZED (SELECT *, {values} FROM cleaned),
        dated AS NOT MATERIALIZED (
            SELECT line, flaw, {own}, typed.told_on, coalesce(gone, false) AS gone
                   {"".join(f", text_{column.name}" for column in used)},
                   {recording.known_on(register)} AS known_on,
                   {recording.opened_on(register) or "NULL::DATE"} AS opened_on_record
            FROM typed{recording.join(register)})
        SELECT line, {content}, known_on AS recorded_on, opened_on_record, gone AS retracted,
               {_problem(register, used, recording.today)} AS problem
        FROM dated"""


def _value(column: Column, present: Collection[str]) -> str:
    name = {RECORDED_ON.name: "told_on", RETRACTED.name: "gone"}.get(column.name, column.name)
    if column.name not in present:
        return f"NULL::{column.kind.value} AS {name}"
    return f"{typed(column, f'text_{column.name}')} AS {name}"


def _problem(register: Register, used: list[Column], today: date) -> str:
    """A CASE over everything that can be wrong, the row's shape first, then its columns in order."""
    nowhere = struct("NULL::VARCHAR", "NULL::VARCHAR", "flaw")
    cases = [f"WHEN flaw IS NOT NULL THEN {nowhere}"]
    for column in used:
        cases += [_case(column, condition, reason) for condition, reason in _faults(column)]
    if RECORDED_ON in used:
        cases.append(
            _case(RECORDED_ON, f"told_on > DATE '{today}'", f"lies after the day of import, {today}")
        )
    for column in used:
        cases += [_case(column, condition, reason) for condition, reason in _cross_faults(column, used)]
    # A file may lack one of them; that it has at least one was asked of its header.
    either = [column for column in used if column.name in register.one_of]
    if either:
        empty = " AND ".join(f"text_{column.name} IS NULL" for column in either)
        cases.append(_case(either[0], empty, f"{' or '.join(register.one_of)} is needed"))
    return f"CASE {' '.join(cases)} END"


def _faults(column: Column) -> list[tuple[str, str]]:
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


def _case(column: Column, condition: str, reason: str) -> str:
    text = f"text_{column.name}"
    shown = f"left({text}, {SHOWN})"
    if column.identity or column.secret_number:
        shown = f"'(hidden, ' || length({text}) || ' characters)'"
    told = reason.replace("'", "''")
    problem = struct(f"'{column.name}'", shown, f"'{told}'")
    return f"WHEN {condition} THEN {problem}"


def struct(column: str, value: str, reason: str) -> str:
    """SQL: a problem of :data:`PROBLEM_TYPE` from three SQL expressions."""
    return f'struct_pack("column" := {column}, "value" := {value}, reason := {reason})'
