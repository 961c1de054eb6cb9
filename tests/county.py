"""Simulated counties for tests: written once a session, delivered in parts as a county office would.

The simulator writes every row with the day it became known, so a delivery "up to a day" is simply the
rows recorded by then, and the next delivery the rows recorded after it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

COMMAND = str(Path(sys.executable).with_name("dropout-risk"))


@dataclass(frozen=True)
class Answer:
    """What one call of the command answered."""

    code: int
    document: Any
    stdout: str
    stderr: str


def environment() -> dict[str, str]:
    return {**os.environ, "DO_NOT_TRACK": "true"}


def dropout_risk(home: Path, *arguments: str, as_json: bool = True) -> Answer:
    """Run the real command in a process of its own."""
    options = ["--home", str(home), *(["--json"] if as_json else [])]
    run = subprocess.run(
        [COMMAND, *options, *arguments], capture_output=True, text=True, env=environment(), check=False
    )
    document = json.loads(run.stdout) if as_json and run.stdout.strip() else None
    return Answer(run.returncode, document, run.stdout, run.stderr)


def simulate(folder: Path, *, students: int, years: int, seed: int = 1, preset: str = "poor-county") -> Path:
    size = ["--students", str(students), "--years", str(years), "--seed", str(seed), "--preset", preset]
    answer = dropout_risk(folder.parent, "simulate", str(folder), *size)
    assert answer.code == 0, answer.stderr
    return folder


def part_of(registers: Path, folder: Path, *, after: date | None = None, until: date) -> Path:
    """The delivery of rows recorded after ``after`` and by ``until``."""
    folder.mkdir(parents=True)
    with duckdb.connect() as con:
        for file in sorted(registers.glob("*.csv")):
            source = con.read_csv(str(file), header=True, all_varchar=True)
            wanted = source.filter(f"cast(recorded_on as date) <= date '{until}'")
            if after is not None:
                wanted = wanted.filter(f"cast(recorded_on as date) > date '{after}'")
            if wanted.limit(1).fetchall():
                wanted.write_csv(str(folder / file.name), header=True)
    return folder
