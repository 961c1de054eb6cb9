"""Simulated counties in memory: tables of all townships, queried with DuckDB."""

from __future__ import annotations

from datetime import date
from functools import cache

import duckdb
import pyarrow as pa

from training.simulator.layout import Plan
from training.simulator.lives import Lives
from training.simulator.people import People, settle
from training.simulator.places import found_schools
from training.simulator.records import YearRecord
from training.simulator.township import simulate_township

UNTIL = date(2026, 6, 30)


def plan_of(
    students: int, years: int = 3, preset: str = "county", seed: int = 5, dirty: bool = False
) -> Plan:
    """A plan that ends on UNTIL."""
    return Plan(students, years, preset, seed, UNTIL, dirty)


def lived(plan: Plan) -> list[tuple[Lives, People, list[YearRecord]]]:
    """The weeks of all townships without their registers: quick, for the truth alone."""
    townships = []
    for index in range(plan.township_count):
        town = plan.township(index)
        schools = found_schools(plan, town)
        people = settle(plan, town, schools)
        lives = Lives(plan, town, schools, people)
        townships.append((lives, people, list(lives.years())))
    return townships


def truth_of(plan: Plan) -> duckdb.DuckDBPyConnection:
    """Tables ``hazard``, ``leavers``, ``pupils`` (a row per pupil and school year in September)."""
    townships = lived(plan)
    con = duckdb.connect()
    hazards = pa.concat_tables(lives.truth.hazards(people) for lives, people, _ in townships)
    con.register("hazard_arrow", hazards.unify_dictionaries())
    con.execute(
        "CREATE TABLE hazard AS SELECT student_id::VARCHAR AS student_id, monday, hazard, leaves"
        " FROM hazard_arrow"
    )
    con.register(
        "leavers_arrow", pa.concat_tables(lives.truth.leavers(people) for lives, people, _ in townships)
    )
    con.execute("CREATE TABLE leavers AS FROM leavers_arrow")
    con.register(
        "pupils_arrow", pa.concat_tables(_september(people, years) for _, people, years in townships)
    )
    con.execute("CREATE TABLE pupils AS FROM pupils_arrow")
    return con


def _september(people: People, years: list[YearRecord]) -> pa.Table:
    tables = []
    for record in years:
        seated = record.seat[0] >= 0
        tables.append(
            pa.table(
                {
                    "student_id": people.ids[seated],
                    "start_year": [record.year.start_year] * int(seated.sum()),
                    "grade": (record.seat[0][seated] // 8 % 9 + 1).astype("int64"),
                    "boards": record.boards[seated],
                }
            )
        )
    return pa.concat_tables(tables)


@cache
def registers_of(plan: Plan) -> duckdb.DuckDBPyConnection:
    """All registers of ``plan`` as tables of that name, and ``hazard`` and ``leavers``."""
    parts: dict[str, list[pa.Table]] = {}
    for index in range(plan.township_count):
        for name, tables in simulate_township(plan, index).items():
            register = name.removeprefix("truth/").split("_2")[0]
            parts.setdefault(register, []).extend(_plain(table) for table in tables)
    con = duckdb.connect()
    for register, tables in parts.items():
        con.register("arrow", pa.concat_tables(tables))
        con.execute(f"CREATE TABLE {register} AS FROM arrow")
        con.unregister("arrow")
    return con


def _plain(table: pa.Table) -> pa.Table:
    columns = [
        column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def one(con: duckdb.DuckDBPyConnection, query: str) -> tuple:
    """The only row of ``query``."""
    row = con.execute(query).fetchone()
    assert row is not None
    return row


def value(con: duckdb.DuckDBPyConnection, query: str) -> float:
    """The only value of ``query``."""
    return one(con, query)[0]
