"""A small province of five counties between which most pupils move, with and without a calendar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from risk_model.home import Home
from risk_model.lake.reading import Lake, open_lake
from risk_model.settings import Settings
from tests.county import dropout_risk, simulate

COUNTIES = 5


def scattered(registers: Path, *, calendar: bool) -> None:
    """Deal the schools out to five counties, one of which no register names; most pupils move at grade 7."""
    with duckdb.connect() as con:
        con.sql(f"""
            SELECT * REPLACE (nullif('C' || (row_number() OVER (ORDER BY school_id) % {COUNTIES}), 'C0')
                AS county_id, NULL AS township_id)
            FROM read_csv('{registers}/schools.csv', all_varchar = true)
        """).write_csv(f"{registers}/schools.new", header=True)
        con.sql(f"""
            SELECT * REPLACE ('C' || n AS county_id)
            FROM read_csv('{registers}/calendar.csv', all_varchar = true), range(1, {COUNTIES}) AS counties(n)
        """).write_csv(f"{registers}/calendar.new", header=True)
    Path(f"{registers}/schools.new").replace(registers / "schools.csv")
    Path(f"{registers}/calendar.new").replace(registers / "calendar.csv")
    if not calendar:
        (registers / "calendar.csv").unlink()


@pytest.fixture(scope="module", params=[True, False], ids=["calendar", "no calendar"], name="home")
def province_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("province")
    registers = simulate(folder / "registers", students=1500, years=2, seed=5)
    scattered(registers, calendar=request.param)
    answer = dropout_risk(folder / "home", "import", str(registers), "--max-rejected", "0.2")
    assert answer.code == 0, answer.stderr
    return Home(folder / "home")


@pytest.fixture(name="lake")
def open_registers(home: Home) -> Iterator[Lake]:
    with open_lake(home, Settings()) as lake:
        yield lake
