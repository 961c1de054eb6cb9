"""How the cost of a night grows: with pupils, with years of history, and with workers of a Dask cluster.

``python -m benchmarks.scaling FOLDER --json``: provinces of 10,000, 100,000 and 1,000,000 pupils with three
years of history, one of 100,000 with one, two and three, and one of 200,000 on a cluster of one and of two
workers of one thread each, all on this machine. Measured is the second night, one day of marks after the
first, for the first makes the state that later ones bring forward.

The marginal cost is that of each further pupil, in processor time and by the clock; memory is that of all
processes at once. On a cluster the time of the parts counts, publication aside.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from benchmarks.nightly import night, prepared
from benchmarks.whole_way import run_stage

HISTORY = (1, 2, 3)
WORKERS = (1, 2)
PATIENCE = 60
"""Seconds a scheduler may take to say where it is."""


def second_night(folder: Path, students: int, years: int = max(HISTORY), *options: str) -> dict[str, Any]:
    """Score a province twice, a day of marks apart; the accounts of the second time."""
    kept, made = prepared(folder, students, years)
    home = folder / "tonight"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(kept, home)
    night(home, *options)
    run_stage(home, "import", str(made.news), "--max-rejected", "0.2")
    found = night(home, *options)
    shutil.rmtree(home)
    return found


def marginal(nights: Sequence[dict[str, Any]], cost: str) -> list[float]:
    """Cost of each further pupil from one size to the next, in microseconds."""
    return [
        1e6 * (_cost(more, cost) - _cost(less, cost)) / (more["students"] - less["students"])
        for less, more in pairwise(nights)
    ]


def _cost(told: dict[str, Any], cost: str) -> float:
    return float(told["cpu_seconds"] if cost == "cpu" else told["seconds"]["total"])


def by_size(folder: Path, sizes: Sequence[int]) -> dict[str, Any]:
    """Nights of provinces of several sizes, and what each further pupil costs."""
    nights = [second_night(folder / f"of-{size}", size) for size in sizes]
    found: dict[str, Any] = {"nights": nights}
    for cost in ("cpu", "clock"):
        each = marginal(nights, cost)
        found[f"marginal_{cost}_us"] = each
        found[f"marginal_{cost}_ratio"] = each[-1] / each[0] if len(each) > 1 and each[0] > 0 else None
    return found


def by_history(folder: Path, students: int) -> dict[str, Any]:
    """The same pupils with one year behind them, with two, and with three."""
    nights = {years: second_night(folder / f"of-{students}-{years}y", students, years) for years in HISTORY}
    first, last = nights[min(HISTORY)], nights[max(HISTORY)]
    told = [{"years": years, **one} for years, one in nights.items()]
    per_pupil = [_cost(one, "cpu") / one["students"] for one in (first, last)]
    return {"nights": told, "longest_over_shortest_cpu_per_pupil": per_pupil[1] / per_pupil[0]}


@contextmanager
def _process(*arguments: str) -> Iterator[None]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{arguments[0]}", *arguments[1:]]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Address of a scheduler of this machine with so many workers of one thread."""
    with tempfile.TemporaryDirectory(prefix="dask-") as place, ExitStack() as started:
        file = Path(place) / "scheduler.json"
        here = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        started.enter_context(_process("scheduler", *here))
        begun = time.monotonic()
        while not file.exists():
            if time.monotonic() - begun > PATIENCE:
                raise SystemExit("The scheduler did not start.")
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        for number in range(workers):
            own = ["--nthreads", "1", "--no-dashboard", "--local-directory", f"{place}/{number}"]
            started.enter_context(_process("worker", address, "--nworkers", "1", *own))
        _wait_for(address, workers)
        yield address


def _wait_for(address: str, workers: int) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=PATIENCE)


def by_workers(folder: Path, students: int) -> dict[str, Any]:
    """The same night by one worker of a cluster and by two."""
    found = {}
    for workers in WORKERS:
        with cluster(workers) as address:
            found[workers] = second_night(
                folder / f"of-{students}", students, max(HISTORY), "--scheduler", address
            )
    seconds = {
        workers: told["seconds"]["total"] - told["seconds"]["publish"] for workers, told in found.items()
    }
    return {
        "nights": [{"workers": workers, **told} for workers, told in found.items()],
        "seconds_publication_aside": seconds,
        "two_over_one": seconds[1] / seconds[2],
    }


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--sizes", default="10000,100000,1000000", show_default=True)
@click.option("--students", default=100_000, show_default=True, help="Pupils with one to three years.")
@click.option("--on-cluster", default=200_000, show_default=True, help="Pupils of the cluster's province.")
@click.option("--only", type=click.Choice(["size", "history", "workers"]), multiple=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(
    folder: Path | None, sizes: str, students: int, on_cluster: int, only: tuple[str, ...], as_json: bool
) -> None:
    """Measure how a night's cost grows; provinces are made in FOLDER and kept there."""
    asked = only or ("size", "history", "workers")
    found: dict[str, Any] = {"machine": {"processors": os.cpu_count(), "python": platform.python_version()}}
    with tempfile.TemporaryDirectory(prefix="scaling-") as once:
        place = folder or Path(once)
        place.mkdir(parents=True, exist_ok=True)
        if "size" in asked:
            found["size"] = by_size(place, [int(size) for size in sizes.split(",")])
        if "history" in asked:
            found["history"] = by_history(place, students)
        if "workers" in asked:
            found["workers"] = by_workers(place, on_cluster)
    print(json.dumps(found, indent=None if as_json else 1))


if __name__ == "__main__":
    main()
