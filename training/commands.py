"""Subcommands of the training room: ``simulate`` and ``train``.

Imports nothing heavy: the work is imported when a command is called.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import click

from risk_model.command.surface import DAY, Day, Office, Result, command
from risk_model.errors import PromotionRefusedError, UsageError
from training.simulator.command import simulate

__all__ = ["simulate", "train"]

EVERY = "every:"
SECONDS = {"s": 1, "m": 60, "h": 3600}


class SnapshotsType(click.ParamType[int | tuple[date, ...]]):
    """``every:30d`` or days separated by commas."""

    name = "snapshots"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | tuple[date, ...]:
        if not isinstance(value, str):
            chosen: int | tuple[date, ...] = value
            return chosen
        if value.startswith(EVERY):
            days = value.removeprefix(EVERY).removesuffix("d")
            if days.isdecimal() and 7 <= int(days) <= 365:
                return int(days)
            return self.fail(f"{value!r} is no interval; write every:30d, from 7 to 365 days.", param, ctx)
        return tuple(sorted({Day().convert(part, param, ctx) for part in value.split(",")}))


class BudgetType(click.ParamType[float]):
    """``90s``, ``10m`` or ``1h``; ``0`` for none."""

    name = "budget"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        number, unit = value[:-1], value[-1:]
        if value == "0":
            return 0.0
        if unit not in SECONDS or not number.isdecimal() or int(number) > 9999:
            return self.fail(f"{value!r} is no budget of time; write it as 90s, 10m or 1h.", param, ctx)
        return float(number) * SECONDS[unit]


@command("train")
@click.option(
    "--snapshots",
    type=SnapshotsType(),
    metavar="every:30d|D1,D2,…",
    help="Days to look back on. [default: every:30d]",
)
@click.option(
    "--horizon-days",
    type=click.IntRange(14, 730),
    help="Days after a snapshot in which a pupil may leave. [default: 90]",
)
@click.option(
    "--label", metavar="a,b", help="What counts as leaving. [default: dropped_out,long_absence,non_return]"
)
@click.option(
    "--budget",
    type=BudgetType(),
    metavar="10m",
    default="0",
    help="Time to search for better numbers of the trees; 90s, 10m, 1h. [default: no search]",
)
@click.option(
    "--promote",
    type=click.Choice(["auto", "never", "force"]),
    default="auto",
    show_default=True,
    help="auto: if the gate passes; force: whatever it says, and the registry keeps that.",
)
@click.option("--require-promotion", is_flag=True, help="Exit with 4 if the model was not promoted.")
@click.option("--as-of", type=DAY, help="Train as if it were this day. [default: the latest recorded_on]")
@click.option(
    "--keep-predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the backtest's risks and labels to this Parquet file. They are pupils' data.",
)
def train(
    office: Office,
    snapshots: int | tuple[date, ...] | None,
    horizon_days: int | None,
    label: str | None,
    budget: float,
    promote: str,
    require_promotion: bool,
    as_of: date | None,
    keep_predictions: Path | None,
) -> Result:
    """Backtest, fit, calibrate, register and, if the gate passes, promote a risk model."""
    if require_promotion and promote == "never":
        raise UsageError("--require-promotion and --promote never exclude each other. Leave one of them out.")
    from training.looking_back import Request
    from training.report import table
    from training.search.searching import Budget
    from training.train import run
    from training.watch import Watch

    settings = with_label(office.settings, horizon_days, label)
    searching = Budget(budget) if budget else None
    request = Request(as_of, snapshots, searching, promote, keep_predictions)
    with office.accounts() as accounts:
        document = run(office.home, settings, request, Watch(accounts))
    text = table(document)
    if require_promotion and not document["promoted"]:
        raise PromotionRefusedError(text, document=document)
    return Result(document, text)


def with_label(settings: Any, horizon_days: int | None, label: str | None) -> Any:
    """The settings with another horizon and label; UsageError if a component does not exist."""
    from pydantic import ValidationError

    from risk_model.settings import LabelSettings

    changed = settings.labels.model_dump()
    changed |= {} if horizon_days is None else {"horizon_days": horizon_days}
    changed |= {} if label is None else {"components": tuple(label.split(","))}
    try:
        labels = LabelSettings(**changed)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise UsageError(f"--label {label}: {wrong['msg']}. Correct it and run again.") from None
    return settings.model_copy(update={"labels": labels})
