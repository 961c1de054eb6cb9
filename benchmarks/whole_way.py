"""Seconds and peak memory of every stage from registers to a published list.

``python -m benchmarks.whole_way --students 200000 --years 1 --json``: simulates a county, then runs
``import``, ``train`` and ``score`` as processes of their own and prints what each took, by the operating
system's own accounts.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click

COMMAND = str(Path(sys.executable).with_name("dropout-risk"))


@dataclass(frozen=True)
class Stage:
    """One command: wall seconds, processor seconds, peak memory in MB, its JSON document."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    document: Any


def run_stage(home: Path, name: str, *arguments: str, allowed: tuple[int, ...] = (0, 6)) -> Stage:
    """Run one command in ``home`` and account for it.

    Raises
    ------
    SystemExit
        The command ended with an exit code that is not allowed; its message stands on stderr.
    """
    return run_process(name, [COMMAND, "--home", str(home), "--json", name, *arguments], allowed)


def run_process(name: str, command: list[str], allowed: tuple[int, ...] = (0,)) -> Stage:
    """Run any ``command`` that prints JSON or nothing, and account for it as :func:`run_stage` does."""
    started = perf_counter()
    with tempfile.TemporaryFile() as stdout:
        process = subprocess.Popen(command, stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - started
        stdout.seek(0)
        said = stdout.read()
    code = os.waitstatus_to_exitcode(status)
    if code not in allowed:
        raise SystemExit(f"{name} ended with exit code {code}")
    cpu = usage.ru_utime + usage.ru_stime
    return Stage(name, seconds, cpu, usage.ru_maxrss / 1024, json.loads(said or b"null"))


def whole_way(folder: Path, students: int, years: int, preset: str, file_format: str) -> list[Stage]:
    """Simulate, import, train and score in ``folder``."""
    registers = folder / "registers"
    size = ["--students", str(students), "--years", str(years), "--preset", preset, "--format", file_format]
    return [
        run_stage(folder, "simulate", str(registers), *size),
        run_stage(folder, "import", str(registers)),
        run_stage(folder, "train"),
        run_stage(folder, "score"),
    ]


def summary(stages: list[Stage]) -> dict[str, Any]:
    """The figures for ``docs/measurements.md``."""
    documents = {stage.name: stage.document for stage in stages}
    rows = sum(table["read"] for table in documents["import"]["tables"].values())
    import_seconds = next(stage.seconds for stage in stages if stage.name == "import")
    return {
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
        "stages": [
            {key: value for key, value in asdict(stage).items() if key != "document"} for stage in stages
        ],
        "rows_imported": rows,
        "rows_per_second": rows / import_seconds,
        "score": {
            key: documents["score"][key] for key in ("students", "listed", "seconds", "peak_memory_mb")
        },
        "train": {key: documents["train"].get(key) for key in ("promoted", "pooled", "seconds")},
    }


@click.command()
@click.option("--students", default=200_000, show_default=True)
@click.option("--years", default=1, show_default=True)
@click.option("--preset", default="county", show_default=True)
@click.option("--format", "file_format", default="csv", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(students: int, years: int, preset: str, file_format: str, as_json: bool) -> None:
    """Time the whole way from registers to a published list."""
    with tempfile.TemporaryDirectory(prefix="whole-way-") as folder:
        stages = whole_way(Path(folder), students, years, preset, file_format)
    if as_json:
        print(json.dumps(summary(stages)))
        return
    for stage in stages:
        print(f"{stage.name:<10} {stage.seconds:8.1f} s  {stage.peak_memory_mb:8.0f} MB")


if __name__ == "__main__":
    main()
