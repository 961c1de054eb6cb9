"""Labels of everybody on the night a cohort matures: in portions, as ``monitor`` asks, beside all at once.

``python -m benchmarks.matured HOME [--as-of 2026-03-02] [--skip-at-once]``: HOME holds registers alone that
reach to the end of the window (``benchmarks.nightly FOLDER`` leaves them in ``FOLDER/home``). The cohort is
who was enrolled on the day. Each way runs in a process of its own, whose seconds, processor seconds and peak
memory are told, and a digest of its labels, which must be the same. ``--most`` is the size of a portion.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import pandas as pd

from benchmarks.nightly import peak_memory
from monitoring.performance.outcomes import LOOKBACK, marks_for, outcomes
from risk_model.home import Home
from risk_model.labels import label
from risk_model.lake.reading import Lake, open_lake
from risk_model.settings import load_settings
from risk_model.timeline import build_timeline
from risk_model.timeline.portions import PORTION
from risk_model.timeline.spells import spells_on

DIGEST = "select count(*), sum(label), bit_xor(hash(labels)) from labels"


def enrolled_on(lake: Lake, day: date) -> pd.DataFrame:
    """One row per pupil enrolled on ``day``, as a run's scores hold them."""
    lake.known_on(day)
    spells_on(lake.con, day)
    found = lake.con.execute(
        "select distinct on (student_id) student_id, school_id, class_key, grade::bigint as grade "
        "from spells where started_on <= $day and coalesce(ended_on > $day, true) "
        "order by student_id, started_on desc",
        {"day": day},
    )
    return found.df().assign(risk=0.1)


def labels(home: Home, as_of: date, way: str, most: int) -> dict[str, Any]:
    """Make the labels of ``as_of`` known now, ``way``; seconds and digest."""
    settings = load_settings(home.config)
    with open_lake(home, settings) as lake:
        scores = enrolled_on(lake, as_of)
        today = lake.latest_recorded_on() or date.today()
        started, cpu = perf_counter(), _processor_seconds()
        if way == "at once":
            _at_once(lake, scores, as_of, today, settings.labels)
        else:
            marks = marks_for(home, lake, as_of, today)
            outcomes(lake, scores, as_of, today, settings.labels, marks, most)
        seconds, spent = perf_counter() - started, _processor_seconds() - cpu
        (pupils, leavers, digest), *_ = lake.con.execute(DIGEST).fetchall()
    told = {"pupils": pupils, "leavers": int(leavers or 0), "digest": str(digest)}
    return {"way": way, "seconds": seconds, "cpu_seconds": spent, **told}


def _at_once(lake: Lake, scores: pd.DataFrame, as_of: date, today: date, rules: Any) -> None:
    lake.known_on(today)
    build_timeline(lake.con, today, since=as_of - LOOKBACK)
    lake.con.register("asked", scores.assign(snapshot=as_of))
    lake.con.execute(
        "create temp table asked_rows as select student_id, school_id, class_key, grade, "
        "snapshot::date as snapshot from asked"
    )
    label(lake.con, "asked_rows", today, rules)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _apart(home: Path, as_of: date, way: str, most: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.matured", str(home), "--as-of", str(as_of)]
    with peak_memory() as peak:
        run = subprocess.run(
            [*command, "--way", way, "--most", str(most)], stdout=subprocess.PIPE, text=True, check=True
        )
    return {**json.loads(run.stdout), "peak_memory_mb": peak[0], "load": os.getloadavg()[0]}


@click.command()
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), default="2026-03-02", show_default=True)
@click.option("--most", default=PORTION, show_default=True, help="Pupils of a portion.")
@click.option("--way", type=click.Choice(["at once", "in portions"]), help="This way alone, in this process.")
@click.option("--skip-at-once", is_flag=True, help="In portions alone: all at once may not fit.")
def main(home: Path, as_of: datetime, most: int, way: str | None, skip_at_once: bool) -> None:
    """Measure, and print one JSON document."""
    day = as_of.date()
    if way is not None:
        print(json.dumps(labels(Home(home), day, way, most)))
        return
    told = {"in_portions": _apart(home, day, "in portions", most)}
    if not skip_at_once:
        told["at_once"] = before = _apart(home, day, "at once", most)
        measured = ("seconds", "cpu_seconds", "peak_memory_mb")
        told["ratio"] = {name: told["in_portions"][name] / before[name] for name in measured}
        told["same"] = {"labels": told["in_portions"]["digest"] == before["digest"]}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
