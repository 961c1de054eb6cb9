"""Requests a second and their slowest per cent: a class's list with its audit record written, and one score.

``python -m benchmarks.service --pupils 500000 --json``: publishes a made-up run of so many pupils, starts
``dropout-risk serve`` and lets ``wrk`` (a package of the distribution) ask for the lists of many classes over
some connections, first alone, then while another run as large is published. Every answer writes an audit
record before it is given. ``--mlflow HOME`` measures one score with its reasons on demand instead, beside
``mlflow models serve`` of the same model; ``--mixed HOME --minutes 60`` whether memory grows.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine

from benchmarks.loaded import Running, asked, served
from benchmarks.served_mixed import measure_mixed
from benchmarks.served_scores import measure_scores
from risk_model.home import Home
from risk_model.settings import Settings
from serving import pruning, publication
from serving.access.tree import SchoolPlace
from serving.accounts.tokens import create_token
from serving.database import open_database, writing
from serving.directory.writing import Placed, Told, write
from serving.publication import Row
from serving.tables import PUBLISHED
from tests.made_up_runs import made_up_run, run_key

PUPILS_OF_SCHOOL = 400
DAY = date(2026, 3, 2)
CLASSES = 200
"""Lists asked for in turn."""


def publish(home: Home, settings: Settings, pupils: int, number: int) -> float:
    """Stage, check and flip a made-up run; how many seconds that took."""
    rows, entries = made_up_run(pupils // PUPILS_OF_SCHOOL, PUPILS_OF_SCHOOL, seed=number)
    begun = time.perf_counter()
    with open_database(home, settings) as engine:
        if number == 1:
            _tell_directory(engine, rows, entries)
        day = DAY + timedelta(days=number)
        run = publication.begin(engine, run_key(day, number), -3.0, ("absence_14",))
        publication.stage(engine, run, rows, entries)
        publication.check(engine, run, len(rows))
        with writing(engine) as connection:
            publication.finish(connection, run, PUBLISHED, _document())
            publication.publish(connection, run)
        pruning.analyze(engine)
    return time.perf_counter() - begun


def _tell_directory(engine: Engine, rows: list[Row], entries: list[dict[str, Any]]) -> None:
    """Who sits in which class, as the registers would have told."""
    school, student = (publication.COLUMNS.index(name) for name in ("school_id", "student_id"))
    key = publication.COLUMNS.index("class_key")
    schools = [
        SchoolPlace(*(entry[name] for name in ("school_id", "county_id", "township_id", "province_id")))
        for entry in entries
    ]
    placed = [Placed(row[student], row[school], f"class:{row[key]}", date(2025, 9, 1)) for row in rows]
    with engine.begin() as connection:
        write(connection, Told(schools=schools, placements=placed))


def _document() -> dict[str, Any]:
    return {"capacity": {"capacity_share": 0.05, "capacity_per_class": 5, "minimum_risk": 0.01}}


def token(home: Home, settings: Settings, within: str) -> str:
    """Of a machine that may read the lists of a unit."""
    now = datetime.now(UTC)
    with open_database(home, settings) as engine, engine.begin() as connection:
        scopes = frozenset({"lists:read"})
        return create_token(connection, "load", scopes, within, now + timedelta(days=1), now)


def load(
    service: Running, secret: str, seconds: int, connections: int, schools: int, folder: Path
) -> dict[str, Any]:
    """Ask for the lists of many classes in turn, as fast as the connections allow."""
    script = f"""
        local n = 0
        request = function()
          n = (n + 7) % {min(CLASSES, schools)}
          local school = string.format("52012%05d", n)
          local unit = "class:" .. school .. ":7A:2025"
          return wrk.format("GET", "/api/v1/lists?unit=" .. unit, {{["Authorization"] = "Bearer {secret}"}})
        end"""
    return asked(service, script, folder, seconds, connections)


def measure(
    folder: Path, pupils: int, seconds: int, connections: int, workers: int, within: str
) -> dict[str, Any]:
    """The document."""
    home, settings = Home(folder), Settings()
    publish(home, settings, pupils, 1)
    secret = token(home, settings, within)
    schools = 1 if within.startswith("school:") else pupils // PUPILS_OF_SCHOOL
    with served(home, workers) as service:
        load(service, secret, 2, connections, schools, folder)
        alone = load(service, secret, seconds, connections, schools, folder)
        took: list[float] = []
        night = threading.Thread(target=lambda: took.append(publish(home, settings, pupils, 2)))
        night.start()
        beside = load(service, secret, seconds, connections, schools, folder)
        night.join()
    return {
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
        "pupils": pupils, "workers": workers, "within": within, "class_list": alone,
        "class_list_while_published": {**beside, "publication_seconds": took[0]},
    }  # fmt: skip


@click.command()
@click.option("--pupils", default=500_000, show_default=True)
@click.option("--seconds", default=20, show_default=True, help="Of each load.")
@click.option("--connections", default=8, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--within", default="school:5201200000", show_default=True, help="What the caller may see.")
@click.option(
    "--mlflow",
    "champion_of",
    type=click.Path(path_type=Path, exists=True),
    help="Instead: one score on demand of this home's champion, beside 'mlflow models serve'.",
)
@click.option(
    "--mixed",
    type=click.Path(path_type=Path, exists=True),
    help="Instead: lists, pupils, scores, sign-ins and publications on a copy of this home.",
)
@click.option("--minutes", default=60.0, show_default=True, help="Of the mixed load.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(
    pupils: int,
    seconds: int,
    connections: int,
    workers: int,
    within: str,
    champion_of: Path | None,
    mixed: Path | None,
    minutes: float,
    as_json: bool,
) -> None:
    """Measure a class's list under load, a score on demand, or memory under a mixed load."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed. Install the distribution's package of that name.")
    with tempfile.TemporaryDirectory(prefix="service-") as folder:
        place = Path(folder)
        if champion_of is not None:
            found = measure_scores(place, Home(champion_of), seconds, connections, workers)
        elif mixed is not None:
            found = measure_mixed(place, Home(mixed), minutes, workers)
        else:
            found = measure(place, pupils, seconds, connections, workers, within)
    print(json.dumps(found, indent=None if as_json else 1))


if __name__ == "__main__":
    main()
