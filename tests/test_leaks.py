"""What the office learnt after the snapshot date changes no feature of that date by a single bit.

Registers lie here with all their versions; ``known_on`` cuts them by ``recorded_on``. Afterwards rows of
every register are recorded: days after the snapshot, days long before it, corrections of rows it saw,
retractions, changed identifiers, calendars, closures of schools.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from risk_model.features.compute import compute_features
from risk_model.registers.declaration import Column, Kind, Register
from risk_model.registers.declared import REGISTERS
from risk_model.settings import Settings
from tests.known_registers import Row, make_known
from tests.test_features_robust import bits
from tests.town import DAY, town

Versions = dict[str, list[Row]]
SEEDS = range(12)


def known_on(con: duckdb.DuckDBPyConnection, versions: Versions, day: date) -> None:
    """Cut every version by ``recorded_on``; of each key the version recorded last is in force."""
    known: Versions = {}
    for name, rows in versions.items():
        in_force: dict[tuple[Any, ...], Row] = {}
        for row in sorted(rows, key=lambda row: recorded_on(name, row)):
            if recorded_on(name, row) <= day:
                in_force[tuple(str(row.get(column)) for column in REGISTERS[name].key)] = row
        known[name] = [
            {column: cell for column, cell in row.items() if column != "retracted"}
            for row in in_force.values()
            if not row.get("retracted")
        ]
    make_known(con, **_renamed(known))


def recorded_on(name: str, row: Row) -> date:
    """The row's own day, else the day it happened or ended."""
    register = REGISTERS[name]
    default = (
        row.get(register.closing_column or "") or row.get(register.event_column or "") or date(2000, 1, 1)
    )
    return date.fromisoformat(str(row.get("recorded_on") or default))


def _renamed(known: Versions) -> Versions:
    """Rows under the newest identifier; a key that two identifiers share keeps the newest id's row."""
    newest = {row["old_student_id"]: row["student_id"] for row in known.get("student_aliases", [])}
    merged: Versions = {}
    for name, rows in known.items():
        by_key: dict[tuple[Any, ...], Row] = {}
        for row in rows:
            told = row | (
                {"student_id": newest.get(row["student_id"], row["student_id"])}
                if "student_id" in row
                else {}
            )
            by_key.setdefault(tuple(str(told.get(column)) for column in REGISTERS[name].key), told)
        merged[name] = list(by_key.values())
    return merged


def snapshot(versions: Versions, day: date = DAY) -> bytes:
    with duckdb.connect() as con:
        known_on(con, versions, day)
        return bits(compute_features(con, day, Settings()).set_index("student_id"))


def later(seed: int) -> Versions:
    """Random rows of every register, each recorded after the snapshot date."""
    chance, registers = random.Random(seed), town()
    told: Versions = {}
    for name, register in REGISTERS.items():
        rows = [_random_row(chance, register) for _ in range(25)]
        seen = registers.get(name, [])
        rows += [_corrected(chance, register, row) for row in chance.sample(seen, min(20, len(seen)))]
        rows += [row | {"retracted": True} for row in chance.sample(seen, min(5, len(seen)))]
        told[name] = [row | {"recorded_on": DAY + timedelta(days=chance.randint(1, 400))} for row in rows]
    return told


def _random_row(chance: random.Random, register: Register) -> Row:
    return {
        column.name: _random_cell(chance, column)
        for column in register.known
        if column.key or column.required or chance.random() < 0.8
    }


def _corrected(chance: random.Random, register: Register, row: Row) -> Row:
    content = [column for column in register.known if not column.key]
    return row | {column.name: _random_cell(chance, column) for column in content}


def _random_cell(chance: random.Random, column: Column) -> Any:
    if column.name in ("student_id", "old_student_id"):
        return chance.choice(("lan", "ming", "c01", "c05", "e01", "xin", "gap", "newcomer"))
    if column.name == "school_id":
        return chance.choice("ABDSX")
    if column.name == "county_id":
        return "C"
    if column.name == "subject":
        return chance.choice(("math", "chinese", "history"))
    if column.values:
        return chance.choice(column.values)
    low, high = int(column.minimum or 0), int(min(column.maximum or 100, 100))
    return {
        Kind.TEXT: lambda: chance.choice(("7A", "6A", "H1", "H2")),
        Kind.INTEGER: lambda: chance.randint(low, high),
        Kind.NUMBER: lambda: chance.uniform(low, high),
        Kind.BOOLEAN: lambda: chance.random() < 0.5,
        Kind.DATE: lambda: DAY + timedelta(days=chance.randint(-300, 200)),
    }[column.kind]()


def together(first: Versions, second: Versions) -> Versions:
    return {name: [*first.get(name, []), *second.get(name, [])] for name in REGISTERS}


@pytest.fixture(scope="module")
def before() -> bytes:
    return snapshot(town())


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_recorded_after_the_snapshot_changes_no_bit_of_it(before, seed):
    assert snapshot(together(town(), later(seed))) == before


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_the_same_rows_do_change_a_later_snapshot(seed):
    """Else the test above would prove nothing."""
    after = DAY + timedelta(days=14)
    rows = {
        name: [row | {"recorded_on": DAY + timedelta(days=1)} for row in rows]
        for name, rows in later(seed).items()
    }
    assert snapshot(together(town(), rows), after) != snapshot(town(), after)


@pytest.mark.parametrize("register", ["attendance", "results", "families", "travel", "aid", "enrolments"])
def test_what_lies_ahead_changes_nothing_even_if_it_is_recorded_too_early(before, register):
    """A clerk's clock that runs ahead: the day of the event is cut as well as the day of recording."""
    chance, declared = random.Random(register), REGISTERS[register]
    spell = {"ended_on": None, "end_reason": None} if register == "enrolments" else {}
    ahead = [
        _corrected(chance, declared, row) | spell | {declared.event_column: DAY + timedelta(days=1 + number)}
        for number, row in enumerate(town()[register][:20])
    ]
    ahead = [row | {"recorded_on": DAY} for row in ahead]
    assert snapshot(together(town(), {register: ahead})) == before


def test_the_calendar_may_lie_ahead_but_only_school_days_ahead_follow(before):
    planned = [
        {"day": DAY + timedelta(days=number), "county_id": "C", "school_day": True, "recorded_on": DAY}
        for number in (67, 68, 69)
    ]
    assert snapshot(together(town(), {"calendar": planned})) != before
