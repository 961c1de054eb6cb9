"""Rows a second of a bulk import of marks, and seconds of a daily delivery on top of it.

``python -m benchmarks.importing --rows 20000000 --json`` makes a county of a million pupils with string ids,
imports its pupils, then times ``dropout-risk import`` of the marks of some school days in monthly CSV files
(checked and committed), then of one more day, with corrections to half a per cent of the three days before.
Beside each stands its floor in the same run: DuckDB's bare ``read_csv`` and ``COPY`` to Parquet of the same
files, which checks and versions nothing. Every figure is of a whole process, its start included.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import duckdb

from benchmarks.whole_way import Stage, run_process, run_stage

CORRECTED_DAYS = 3
CORRECTED = 200
"""One mark in so many of the days before is corrected."""
BARE = """
import sys, duckdb
con = duckdb.connect(config={"memory_limit": "4GB", "preserve_insertion_order": False})
con.execute("SET enable_progress_bar = false")
con.execute(f"COPY (FROM read_csv({sys.argv[2:]!r})) TO '{sys.argv[1]}' (FORMAT parquet)")
"""
_MARK = """CASE WHEN chance < 950 THEN 'present' WHEN chance < 970 THEN 'absent_sick'
    WHEN chance < 990 THEN 'late' ELSE 'absent_unexcused' END"""


@dataclass(frozen=True)
class County:
    """Folders of the three deliveries, and the rows of marks in the last two."""

    people: Path
    bulk: Path
    daily: Path
    bulk_rows: int
    daily_rows: int


def make_county(folder: Path, rows: int, pupils: int) -> County:
    """Write the deliveries of ``pupils`` with about ``rows`` marks until yesterday."""
    places = [folder / name for name in ("people", "bulk", "daily")]
    for place in places:
        place.mkdir(parents=True)
    days = _school_days(max(1, rows // pupils) + 1)
    with duckdb.connect(config={"memory_limit": "2GB"}) as con:
        con.execute("SET enable_progress_bar = false")  # it would stand in the JSON
        _write_people(con, places[0], pupils)
        for month in sorted({day.strftime("%Y-%m") for day in days[:-1]}):
            some = [day for day in days[:-1] if day.strftime("%Y-%m") == month]
            _write(con, places[1] / f"attendance_{month}.csv", _marks(some))
        _write(con, places[2] / "attendance.csv", _marks(days[-1:]))
        told_again = _corrections(days[:-1][-CORRECTED_DAYS:], days[-1])
        corrections = _write(con, places[2] / "attendance_corrections.csv", told_again)
    return County(*places, bulk_rows=pupils * (len(days) - 1), daily_rows=pupils + corrections)


def _school_days(count: int) -> list[date]:
    """The last ``count`` weekdays before today, in order."""
    past = (date.today() - timedelta(days=back) for back in range(1, 2 * count + 7))
    return sorted([day for day in past if day.weekday() < 5][:count])


def _write_people(con: duckdb.DuckDBPyConnection, place: Path, pupils: int) -> None:
    con.execute(f"""
        CREATE TABLE pupils AS
        SELECT 'G520121' || lpad((n * 7919 % 10000019)::VARCHAR, 8, '0') || lpad((n % 10000)::VARCHAR, 4, '0')
               AS student_id, '520121' || lpad((n // 500)::VARCHAR, 4, '0') AS school_id,
               DATE '2012-01-01' + (n % 2000)::INTEGER AS birth_date
        FROM range({pupils}) AS numbers (n)""")
    _write(con, place / "students.csv", "SELECT student_id, birth_date FROM pupils")
    schools = "SELECT DISTINCT school_id, 'School ' || school_id AS name, '520121' AS county_id FROM pupils"
    _write(con, place / "schools.csv", schools)


def _marks(days: list[date]) -> str:
    """SQL: one mark per pupil and day, day by day, as registers come."""
    return " UNION ALL ".join(
        f"SELECT student_id, DATE '{day}' AS day, {_MARK} AS mark, school_id, DATE '{day}' AS recorded_on"
        f" FROM (SELECT *, hash(student_id, DATE '{day}') % 1000 AS chance FROM pupils)"
        for day in days
    )


def _corrections(days: list[date], told: date) -> str:
    return (
        f"SELECT student_id, day, 'absent_leave' AS mark, school_id, DATE '{told}' AS recorded_on"
        f" FROM ({_marks(days)}) WHERE hash(day, student_id) % {CORRECTED} = 0"
    )


def _write(con: duckdb.DuckDBPyConnection, path: Path, select: str) -> int:
    return int(con.execute(f"COPY ({select}) TO '{path}' (HEADER)").fetchall()[0][0])


def bare(delivery: Path, folder: Path) -> Stage:
    """DuckDB alone, from the same files to Parquet."""
    files = sorted(str(path) for path in delivery.glob("*.csv"))
    target = folder / "bare.parquet"
    stage = run_process("bare", [sys.executable, "-c", BARE, str(target), *files])
    target.unlink()
    return stage


def measure(folder: Path, rows: int, pupils: int) -> dict[str, Any]:
    """All figures; what is made lies in ``folder``."""
    # In a process of its own: what is measured would begin with the peak of this one.
    with ProcessPoolExecutor(1, get_context("spawn")) as maker:
        county = maker.submit(make_county, folder / "registers", rows, pupils).result()
    home = folder / "home"
    run_stage(home, "import", str(county.people))
    document: dict[str, Any] = {
        "machine": {
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "duckdb": duckdb.__version__,
            "load_before": os.getloadavg()[0],
        },
        "pupils": pupils,
    }
    for name, delivery, read in (
        ("bulk", county.bulk, county.bulk_rows),
        ("daily", county.daily, county.daily_rows),
    ):
        floor = bare(delivery, folder)
        ours = run_stage(home, "import", str(delivery))
        account = ours.document["tables"]["attendance"]
        if (account["read"], account["accepted"]) != (read, read):
            raise SystemExit(f"{name}: {read} rows were delivered, the account says {account}")
        document[name] = {"rows": read, "ours": _figures(ours, read), "bare": _figures(floor, read),
                          "times_bare": ours.seconds / floor.seconds,
                          "times_bare_cpu": ours.cpu_seconds / floor.cpu_seconds}  # fmt: skip
    return document


def _figures(stage: Stage, rows: int) -> dict[str, float]:
    return {
        "seconds": stage.seconds,
        "cpu_seconds": stage.cpu_seconds,
        "rows_per_second": rows / stage.seconds,
        "rows_per_cpu_second": rows / stage.cpu_seconds,
        "peak_memory_mb": stage.peak_memory_mb,
    }


@click.command()
@click.option("--rows", default=20_000_000, show_default=True, help="Marks of the bulk import.")
@click.option("--pupils", default=1_000_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(rows: int, pupils: int, as_json: bool) -> None:
    """Time a bulk import of marks and a daily delivery after it, beside DuckDB's bare reading."""
    with tempfile.TemporaryDirectory(prefix="importing-") as folder:
        document = measure(Path(folder), rows, pupils)
    if as_json:
        print(json.dumps(document))
        return
    for name in ("bulk", "daily"):
        told, ours = document[name], document[name]["ours"]
        click.echo(
            f"{name:<6} {told['rows']:>12,} rows {ours['seconds']:8.1f} s {ours['rows_per_second']:>12,.0f}/s"
            f" {ours['peak_memory_mb']:6.0f} MB, {told['times_bare']:.1f} times the bare reading"
        )


if __name__ == "__main__":
    main()
