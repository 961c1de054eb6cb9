"""``dropout-risk simulate``: a county to try the system on."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from risk_model.command.surface import DAY, Office, Result, command
from risk_model.errors import UsageError

if TYPE_CHECKING:
    from training.simulator.run import Report

_FEWEST, _LAST_DAY = 100, "2026-06-30"
_PRESETS = ("county", "poor-county", "province")


@command("simulate")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--students",
    type=click.IntRange(min=_FEWEST),
    default=20_000,
    show_default=True,
    help="Pupils enrolled at the start.",
)
@click.option("--years", type=click.IntRange(1, 12), default=3, show_default=True, help="School years.")
@click.option("--preset", type=click.Choice(_PRESETS), default="county", show_default=True)
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same bytes."
)
@click.option("--format", "format_", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option("--dirty", is_flag=True, help="With late, corrected, doubled, missing and contradictory rows.")
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "gb18030"]),
    default="utf-8",
    show_default=True,
    help="Of CSV files; a dirty delivery mixes both.",
)
@click.option("--until", type=DAY, default=_LAST_DAY, show_default=True, help="Last day recorded.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=None,
    help="Processes; the files do not depend on it. [default: up to 4]",
)
def simulate(
    office: Office,
    folder: Path,
    students: int,
    years: int,
    preset: str,
    seed: int,
    format_: str,
    dirty: bool,
    encoding: str,
    until: date,
    workers: int | None,
) -> Result:
    """Write registers of an invented county into DIR, and the hidden truth into DIR/truth."""
    from training.simulator.files import Output
    from training.simulator.layout import Plan
    from training.simulator.run import simulate_into
    from training.simulator.school_year import EARLIEST, LATEST

    if not EARLIEST <= until <= LATEST or until.year - years < EARLIEST.year:
        raise UsageError(
            f"Only {EARLIEST} to {LATEST} can be simulated. Choose --until and --years within it."
        )
    plan = Plan(students, years, preset, seed, until, dirty)
    output = Output(
        "parquet" if format_ == "parquet" else "csv", "gb18030" if encoding == "gb18030" else "utf-8", dirty
    )
    processes = workers or _processes(plan.township_count)
    with office.progress("simulating", plan.township_count) as advance:
        report = simulate_into(folder, plan, output, workers=processes, advance=advance)
    asked = {
        "students": students,
        "years": years,
        "preset": preset,
        "seed": seed,
        "until": until,
        "dirty": dirty,
    }
    return Result(
        asked | {"files": report.files, "rows": report.rows}, _told(folder, students, years, report)
    )


def _processes(townships: int) -> int:
    """One process for a few townships, since starting another costs a second."""
    return max(1, min(os.cpu_count() or 1, 4, townships // 4))


def _told(folder: Path, students: int, years: int, report: Report) -> str:
    total = sum(rows for file, rows in report.rows.items() if not file.startswith("truth/"))
    return (
        f"{students:,} pupils over {years} years: {total:,} rows of registers in {folder}, "
        f"the truth in {folder / 'truth'}."
    )
