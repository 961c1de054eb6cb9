"""Seconds of a publication, step by step, on SQLite and on PostgreSQL, and a reader's longest wait beside it.

``python -m benchmarks.publish [--rows N] [--database-url URL] --json`` publishes two nights of made-up rows
like real ones and then, the first being long past, has it thinned away. Beside it stands, in the same run and
database, a bare bulk insert of the same rows: into a table of the same columns with neither key nor index,
one transaction, nothing checked. PostgreSQL is measured where ``--database-url`` names an empty database or
the server's programs are installed: then on a cluster of its own, in a temporary folder, that waits for the
disk as a real one does.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from multiprocessing.synchronize import Event
from pathlib import Path
from time import perf_counter
from typing import Any

import click
from sqlalchemy import Column, Engine, MetaData, Table

from risk_model.home import Home
from risk_model.settings import PublicationSettings, Settings
from serving import pruning, publication
from serving.bulk import insert_rows
from serving.database import open_database
from serving.lists import Asked, published_page
from serving.publication import SCORES, Row
from serving.tables import PUBLISHED
from serving.units import parse_unit
from tests.made_up_runs import made_up_run, run_key
from tests.postgres import binaries, running_cluster

PUPILS = 600
"""Of a school."""
PARTS = 20
"""Counties a night is staged in."""
LONG_AGO, LATER = date(2025, 9, 1), date(2025, 9, 2)
TONIGHT = date(2026, 3, 2)
CAPACITY = {"capacity": {"capacity_share": 0.05, "capacity_per_class": 5, "minimum_risk": 0.01}}
BARE = Table("bare", MetaData(), *(Column(column.name, column.type) for column in SCORES.columns))


def measured(engine: Engine, home: Home, settings: Settings, rows: int) -> dict[str, Any]:
    """What each step of a later night took, the bare insert, and what a reader beside it saw."""
    night = made_up_run(max(1, rows // PUPILS), PUPILS)
    _night(engine, *night, LONG_AGO)
    _night(engine, *made_up_run(len(night[1]), 1), LATER)  # the week's last, which keeps its place
    bare = _bare(engine, night[0])
    with _reading(home, settings) as reader:
        seconds = _night(engine, *night, TONIGHT)
        seconds |= _timed("analyze", pruning.analyze, engine)
        started = perf_counter()
        pruned = pruning.prune(home, settings, engine)
        seconds["prune"] = perf_counter() - started
    ours = sum(seconds[step] for step in ("stage", "check", "flip", "analyze"))
    return {
        "rows": len(night[0]),
        "seconds": {**seconds, "publication": ours},
        "rows_per_second": len(night[0]) / ours,
        "bare_insert_seconds": bare,
        "times_bare_insert": ours / bare,
        "pruned": asdict(pruned),
        "pruned_rows_per_second": pruned.rows / seconds["prune"],
        "reader": reader,
    }


def _night(engine: Engine, rows: list[Row], schools: list[dict[str, Any]], day: date) -> dict[str, float]:
    """Stage the rows in parts, check them, flip; the seconds of each."""
    run = publication.begin(engine, run_key(day), -3.0, ("absence_14",))
    seconds = _timed("stage", _stage, engine, run, rows, schools)
    seconds |= _timed("check", publication.check, engine, run, len(rows))
    return seconds | _timed("flip", _flip, engine, run)


def _stage(engine: Engine, run: int, rows: list[Row], schools: list[dict[str, Any]]) -> None:
    step, pupils = -(-len(schools) // PARTS), len(rows) // len(schools)
    for first in range(0, len(schools), step):
        some = rows[first * pupils : (first + step) * pupils]
        publication.stage(engine, run, some, schools[first : first + step])


def _flip(engine: Engine, run: int) -> None:
    with engine.begin() as connection:
        publication.publish(connection, run)
        publication.finish(connection, run, PUBLISHED, CAPACITY)


def _timed(step: str, work: Any, *arguments: Any) -> dict[str, float]:
    started = perf_counter()
    work(*arguments)
    return {step: perf_counter() - started}


def _bare(engine: Engine, rows: list[Row]) -> float:
    BARE.create(engine)
    started = perf_counter()
    with engine.begin() as connection:
        insert_rows(connection, BARE, [(0, *row) for row in rows])
    seconds = perf_counter() - started
    BARE.drop(engine)
    return seconds


@contextmanager
def _reading(home: Home, settings: Settings) -> Iterator[dict[str, float]]:
    """A process that reads one school's list over and over; fills in how often and its waits, in seconds."""
    context = multiprocessing.get_context("spawn")
    begun, done, answers = context.Event(), context.Event(), context.Queue()
    process = context.Process(target=_read, args=(home.folder, settings.database_url, begun, done, answers))
    process.start()
    begun.wait(120)
    told: dict[str, float] = {}
    try:
        yield told
    finally:
        done.set()
        waits = sorted(answers.get(timeout=120))
        process.join()
    told |= {"reads": len(waits), "longest": waits[-1], "p99": waits[len(waits) * 99 // 100]}


def _read(folder: Path, url: str | None, begun: Event, done: Event, answers: Any) -> None:
    waits = []
    unit = parse_unit("school:5201200000")
    with open_database(Home(folder), Settings(database_url=url)) as engine:
        while not done.is_set() or not waits:
            started = perf_counter()
            with engine.connect() as connection:
                published_page(connection, unit, Asked(everybody=True))
            waits.append(perf_counter() - started)
            begun.set()
    answers.put(waits)


@contextmanager
def _postgresql(url: str | None) -> Iterator[str | None]:
    """An empty database, or none where there is no PostgreSQL."""
    if url is not None or binaries() is None:
        yield url
        return
    with running_cluster(durable=True) as cluster:
        yield cluster.new_database()


def _on(url: str | None, rows: int, beside: Path | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        settings = Settings(database_url=url, publication=PublicationSettings(keep_runs_days=7))
        home = Home(Path(folder))
        with open_database(home, settings) as engine:
            return measured(engine, home, settings, rows)


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--database-url", help="An empty PostgreSQL database. [default: a cluster of its own]")
@click.option("--folder", type=click.Path(path_type=Path), help="Where SQLite lies. [default: temporary]")
@click.option("--json", "as_json", is_flag=True)
def main(rows: int, database_url: str | None, folder: Path | None, as_json: bool) -> None:
    """Measure a publication of ROWS pupils."""
    document: dict[str, Any] = {
        "rows": rows,
        "versions": {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version},
        "sqlite": _on(None, rows, folder),
        "postgresql": None,
        "postgresql_over_sqlite": None,
    }
    with _postgresql(database_url) as url:
        if url is not None:
            document["postgresql"] = _on(url, rows, folder)
            pair = (document[name]["seconds"]["publication"] for name in ("postgresql", "sqlite"))
            document["postgresql_over_sqlite"] = next(pair) / next(pair)
    print(json.dumps(document) if as_json else _text(document))


def _text(document: dict[str, Any]) -> str:
    lines = []
    for name in ("sqlite", "postgresql"):
        told = document[name]
        if told is None:
            lines.append(f"{name}: not here")
            continue
        steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in told["seconds"].items())
        lines.append(
            f"{name}, {told['rows']:,} rows: {steps}; {told['times_bare_insert']:.1f} times a bare insert; "
            f"a reader's longest wait {told['reader']['longest']:.2f} s in {told['reader']['reads']:,} reads"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
