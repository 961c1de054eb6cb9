"""A province for measurements: one simulated county, copied to as many as are asked for.

Registers come out as an office would deliver them: a term of marks in a file a day, half a per cent of them
corrected later in a delivery of its own, one more day as tonight's news, all else as simulated. One pupil in
a hundred moves to a school of the next county in the middle of the term.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.whole_way import run_stage

BASE = 50_000
"""Pupils of the county that is copied, an average one."""
YEARS = 3
TERM_BEGINS, MOVED_ON = date(2026, 2, 20), date(2026, 4, 15)
CORRECTED = 200
"""One mark in so many is corrected."""
MOVING = 100
"""One pupil in so many moves."""
COPIED_IDS = ("school_id", "township_id", "county_id", "student_id", "household_id")
REGISTERS = ("schools", "students", "enrolments", "results", "families", "travel", "aid", "calendar")


@dataclass(frozen=True)
class Deliveries:
    """Folders to import, in this order; ``news`` is the day after."""

    term: Path
    corrections: Path
    news: Path


def make_province(folder: Path, students: int, years: int = YEARS) -> Deliveries:
    """The deliveries of ``students`` pupils in ``folder``, with ``years`` of results and enrolments before
    tonight; what is there already stays."""
    made = Deliveries(*(folder / name for name in ("term", "corrections", "news")))
    if (folder / "made").exists():
        return made
    base, copies = folder / "base", max(1, round(students / BASE))
    size = ["--students", str(min(students, BASE)), "--years", str(years), "--seed", "77"]
    run_stage(folder, "simulate", str(base), *size, "--format", "parquet")
    for place in (made.term, made.corrections, made.news):
        place.mkdir(exist_ok=True)
    with duckdb.connect(config={"memory_limit": "2GB", "preserve_insertion_order": False}) as con:
        con.execute("SET enable_progress_bar = false")  # it would stand in the JSON
        for name in REGISTERS:
            _write(con, made.term / f"{name}.parquet", _copied(con, _files(base, name), copies))
        if copies > 1:
            _move(con, made.term / "enrolments.parquet", copies)
        _write_marks(con, base, made, copies)
    (folder / "made").touch()
    return made


def _files(base: Path, name: str) -> str:
    return f"read_parquet({[str(file) for file in sorted(base.glob(f'{name}*.parquet'))]})"


def _copied(con: duckdb.DuckDBPyConnection, source: str, copies: int, where: str = "") -> str:
    """SQL: every row once for each county, identifiers ending in the county's number."""
    columns = [name for name, *_ in con.execute(f"DESCRIBE FROM {source}").fetchall()]
    ids = ", ".join(f"{name} || '-' || n AS {name}" for name in columns if name in COPIED_IDS)
    return f"SELECT * EXCLUDE (n) REPLACE ({ids}) FROM {source}, range({copies}) AS counties(n) {where}"


def _write(con: duckdb.DuckDBPyConnection, file: Path, select: str) -> None:
    con.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet)")


def _move(con: duckdb.DuckDBPyConnection, file: Path, copies: int) -> None:
    """Close the open spell of some pupils, and begin another in the same school of the next county."""
    stays = f"(FROM read_parquet('{file}') WHERE ended_on IS NULL AND started_on < DATE '{MOVED_ON}')"
    moves = f"""(FROM {stays} WHERE hash(student_id) % {MOVING} = 0
        QUALIFY count(*) OVER (PARTITION BY student_id) = 1)"""
    there = f"(split_part(school_id, '-', -1)::INT + 1) % {copies}"
    elsewhere = f"regexp_replace(school_id, '-\\d+$', '') || '-' || {there}"
    moved = file.with_suffix(".moved")
    _write(con, moved, f"""
        SELECT * FROM read_parquet('{file}')
        UNION ALL BY NAME SELECT * REPLACE (DATE '{MOVED_ON - timedelta(days=1)}' AS ended_on,
            'transferred' AS end_reason, DATE '{MOVED_ON}' AS recorded_on) FROM {moves}
        UNION ALL BY NAME SELECT * REPLACE ({elsewhere} AS school_id, DATE '{MOVED_ON}' AS started_on,
            DATE '{MOVED_ON + timedelta(days=1)}' AS recorded_on) FROM {moves}""")  # fmt: skip
    moved.replace(file)


def _write_marks(con: duckdb.DuckDBPyConnection, base: Path, made: Deliveries, copies: int) -> None:
    source = _files(base, "attendance")
    of_term = f"SELECT DISTINCT day FROM {source} WHERE day >= '{TERM_BEGINS}' ORDER BY 1"
    days = [day for (day,) in con.execute(of_term).fetchall()]
    for day in days:
        place = made.news if day == days[-1] else made.term
        of_day = _copied(con, source, copies, f"WHERE day = DATE '{day}'")
        _write(con, place / f"attendance_{day}.parquet", of_day)
    term = f"read_parquet('{made.term}/attendance_*.parquet')"
    _write(con, made.corrections / "attendance.parquet", f"""
        SELECT * REPLACE ('absent_sick' AS mark, recorded_on + 1 AS recorded_on) FROM {term}
        WHERE hash(student_id, day) % {CORRECTED} = 0 AND mark <> 'absent_sick'
            AND recorded_on < DATE '{days[-2]}'""")  # fmt: skip
