"""Seconds of the state of marks: made at first, brought forward by a day, read – beside reading the lake.

``python -m benchmarks.state [--students N] [--days D] --json`` makes N pupils of 20 counties with D school
days of marks and two days more, each with corrections of half a per cent of the three days before, and
imports all three. The first night makes the state; the first morning after brings it forward and is not
timed, for it loads and compiles; the second is. Then the matrix of marks is read from state and lake in turn,
``--rounds`` times, and the best of each counts; a read of the wrong matrix ends the benchmark. Processor
seconds stand beside those of the clock: on a busy machine they are the better measure.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeVar

import click
import duckdb
import numpy as np

from risk_model.home import Home
from risk_model.lake.reading import Lake, open_lake
from risk_model.registers.importing import Terms, import_delivery
from risk_model.settings import Settings
from risk_model.state import StateMarks, bring_forward, sources_on
from risk_model.timeline.diaries import KNOWN, LOOKBACK_DAYS, MarkSource, read_marks
from risk_model.timeline.spells import build_spells

COUNTIES, PUPILS_OF_SCHOOL = 20, 500
LAST = date(2026, 6, 26)
CORRECTED_DAYS, CORRECTED = 3, 200
"""So many days back one mark in so many is corrected."""
_MARK = """CASE WHEN chance < 950 THEN 'present' WHEN chance < 970 THEN 'absent_sick'
    WHEN chance < 990 THEN 'late' ELSE 'absent_unexcused' END"""

T = TypeVar("T")


@dataclass(frozen=True)
class Seconds:
    """What a step took."""

    wall: float
    processor: float

    def over(self, other: Seconds) -> dict[str, float]:
        """This as a share of the other."""
        return {"wall": self.wall / other.wall, "processor": self.processor / other.processor}

    def document(self) -> dict[str, float]:
        return {"wall": self.wall, "processor": self.processor}


def deliveries(folder: Path, students: int, days: int) -> list[Path]:
    """The term, and two days after it."""
    places = [folder / name for name in ("term", "first", "second")]
    for place in places:
        place.mkdir(parents=True)
    school_days = _weekdays(days + 2)
    with duckdb.connect(config={"memory_limit": "2GB"}) as con:
        con.execute("SET enable_progress_bar = false")
        con.execute(f"""
            CREATE TABLE pupils AS
            SELECT 'G52' || lpad((n * 7919 % 100000007)::VARCHAR, 16, '0') AS student_id,
                'S' || lpad((n // {PUPILS_OF_SCHOOL})::VARCHAR, 5, '0') AS school_id
            FROM range({students}) numbers (n)""")
        told = "DATE '2025-09-01' AS recorded_on"
        schools = f"""
            SELECT DISTINCT school_id, school_id AS name, 'junior' AS stage, {told},
                'C' || (substr(school_id, 2)::INTEGER % {COUNTIES}) AS county_id FROM pupils"""
        spells = f"""
            SELECT student_id, school_id, 8 AS grade, DATE '2025-09-01' AS started_on, {told} FROM pupils"""
        con.execute(f"COPY ({schools}) TO '{places[0]}/schools.parquet'")
        con.execute(f"COPY ({spells}) TO '{places[0]}/enrolments.parquet'")
        con.execute(f"COPY ({_marks(school_days[:-2])}) TO '{places[0]}/attendance.parquet'")
        for place, upto in zip(places[1:], (days + 1, days + 2), strict=True):
            before, today = school_days[upto - 1 - CORRECTED_DAYS : upto - 1], school_days[upto - 1]
            again = f"""SELECT student_id, day, 'absent_leave' AS mark, DATE '{today}' AS recorded_on
                FROM ({_marks(before)}) WHERE hash(day, student_id, {upto}) % {CORRECTED} = 0"""
            con.execute(f"COPY ({_marks([today])} UNION ALL {again}) TO '{place}/attendance.parquet'")
    return places


def _weekdays(count: int) -> list[date]:
    """The last ``count`` weekdays up to :data:`LAST`, in order."""
    past = (LAST - timedelta(days=back) for back in range(2 * count + 7))
    return sorted([day for day in past if day.weekday() < 5][:count])


def _marks(days: list[date]) -> str:
    return " UNION ALL ".join(
        f"SELECT student_id, DATE '{day}' AS day, {_MARK} AS mark, DATE '{day}' AS recorded_on"
        f" FROM (SELECT student_id, hash(student_id, DATE '{day}') % 1000 AS chance FROM pupils)"
        for day in days
    )


def timed(work: Callable[[], T]) -> tuple[T, Seconds]:
    """What the work answers, and what it took."""
    wall, processor = perf_counter(), process_time()
    answer = work()
    return answer, Seconds(perf_counter() - wall, process_time() - processor)


def measure(folder: Path, students: int, days: int, rounds: int) -> dict[str, Any]:
    """All figures; what is made lies in ``folder``."""
    home, settings = Home(folder / "home"), Settings()
    taken = {}
    for place in deliveries(folder / "registers", students, days):
        import_delivery(home, settings, place, Terms(1.0, None, date.today()))
        with open_lake(home, settings) as lake:
            done, taken[place.name] = timed(lambda lake=lake: bring_forward(home, settings, lake))
            expected = "built" if place.name == "term" else "brought forward"
            if done.done != expected:
                raise SystemExit(f"{place.name}: the state was to be {expected}, it was {done}")
            if place.name == "second":
                read = _reads(home, lake, rounds)
    build, forward = taken["term"], taken["second"]
    return {
        "machine": {"processors": os.cpu_count(), "python": platform.python_version(),
                    "duckdb": duckdb.__version__, "load_before": os.getloadavg()[0]},
        "students": students,
        "days": days + 2,
        "seconds": {"build": build.document(), "bring_forward": forward.document(),
                    **{f"read_from_{name}": one.document() for name, one in read.items()}},
        "bring_forward_over_build": forward.over(build),
        "read_from_state_over_lake": read["state"].over(read["lake"]),
        "second_night_over_lake": Seconds(
            forward.wall + read["state"].wall, forward.processor + read["state"].processor
        ).over(read["lake"]),
        "state_over_lake_bytes": _bytes(home.state) / _bytes(home.lake),
    }  # fmt: skip


def _reads(home: Home, lake: Lake, rounds: int) -> dict[str, Seconds]:
    """The best of some rounds of reading the matrix from each source."""
    source = sources_on(home, lake, LAST).marks
    if not isinstance(source, StateMarks):
        raise SystemExit("The state does not serve the day it was brought forward to.")
    since = LAST - timedelta(days=LOOKBACK_DAYS)
    lake.known_on(LAST)
    build_spells(lake.con, LAST, since)
    sources: dict[str, MarkSource] = {"state": source, "lake": KNOWN}
    read_marks(lake.con, LAST, since, source)  # compiles
    best: dict[str, Seconds] = {}
    for _ in range(rounds):
        read = {
            name: timed(lambda one=one: read_marks(lake.con, LAST, since, one))
            for name, one in sources.items()
        }
        if not np.array_equal(read["state"][0], read["lake"][0]):
            raise SystemExit("State and lake do not say the same.")
        for name, (_, seconds) in read.items():
            best[name] = min(best.get(name, seconds), seconds, key=lambda one: one.processor)
    return best


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@click.command()
@click.option("--students", default=200_000, show_default=True)
@click.option("--days", default=88, show_default=True, help="School days of marks before the two measured.")
@click.option("--rounds", default=3, show_default=True, help="Reads from each source; the best counts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(students: int, days: int, rounds: int, as_json: bool) -> None:
    """Time the state of marks beside reading the lake."""
    with tempfile.TemporaryDirectory(prefix="state-") as folder:
        document = measure(Path(folder), students, days, rounds)
    if as_json:
        print(json.dumps(document))
        return
    for name, seconds in document["seconds"].items():
        click.echo(f"{name:<18} {seconds['wall']:8.2f} s {seconds['processor']:8.2f} processor s")
    for name in ("bring_forward_over_build", "read_from_state_over_lake", "second_night_over_lake"):
        click.echo(f"{name:<28} {document[name]['processor']:6.2f}")


if __name__ == "__main__":
    main()
