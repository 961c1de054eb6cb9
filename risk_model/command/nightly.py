"""``nightly``: the one line in cron – deliveries in, quality, score, publish, monitor."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import click

from risk_model.command.steps import call, exists
from risk_model.command.surface import DAY, Office, Result, command
from risk_model.errors import RiskModelError, UsageError

DONE = "_DONE"
TAKEN = "_TAKEN"


@command("nightly")
@click.option("--as-of", type=DAY, help="Score as of this day. [default: today]")
@click.option(
    "--inbox",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of delivery folders, taken in name order once each holds _DONE.",
)
def nightly(office: Office, as_of: date | None, inbox: Path | None) -> Result:
    """Take waiting deliveries, score, publish and monitor: the one line in cron."""
    day = as_of or date.today()
    deliveries = [_take(office, folder) for folder in waiting(inbox)] if inbox else []
    score = call(office, "score", "--as-of", day.isoformat(), allowed=(0, 6))
    document: dict[str, Any] = {"import": deliveries, "score": score.document}
    codes = [score.exit_code] + [delivery["exit_code"] for delivery in deliveries]
    if exists("monitor"):
        document["monitor"], code = _monitored(office, day)
        codes.append(code)
    return Result(document, _text(document), _worst(codes))


def _monitored(office: Office, day: date) -> tuple[Any, int]:
    """The document of ``monitor`` and its exit code; its failure does not hide the lists, which are out."""
    try:
        step = call(office, "monitor", "--as-of", day.isoformat(), allowed=(0, 6))
    except RiskModelError as error:
        office.say(f"The lists are out; monitoring failed: {error}")
        return {"error": str(error)}, 1
    return step.document, step.exit_code


def waiting(inbox: Path) -> list[Path]:
    """Complete delivery folders not yet taken, in the order of their names."""
    if not inbox.is_dir():
        raise UsageError(f"The inbox {inbox} is not a folder. Create it, or leave --inbox out.")
    folders = sorted(folder for folder in inbox.iterdir() if (folder / DONE).exists())
    return [folder for folder in folders if not (folder / TAKEN).exists()]


def _take(office: Office, folder: Path) -> dict[str, Any]:
    """Import one delivery; a refused one stays in the inbox and does not stop the night."""
    try:
        step = call(office, "import", str(folder), allowed=(0, 3))
    except OSError as error:
        raise RiskModelError(f"The delivery {folder.name} cannot be read: {error}.") from None
    if step.exit_code == 0:
        (folder / TAKEN).touch()
    return {"delivery": folder.name, "exit_code": step.exit_code, **(step.document or {})}


def _worst(codes: list[int]) -> int:
    """A refused delivery outranks a school held back, that a failed monitoring; 0 only if all went well."""
    for code in (3, 6, 1):
        if code in codes:
            return code
    return 0


def _text(document: dict[str, Any]) -> str:
    lines = [
        f"Delivery {delivery['delivery']}: {'taken' if delivery['exit_code'] == 0 else 'refused, see above'}."
        for delivery in document["import"]
    ]
    score = document["score"]
    lines.append(
        f"Scored {score['students']:,} pupils as of {score['as_of']} with model {score['model_version']}; "
        f"{score['listed']:,} listed, {len(score['held_back'])} units held back."
    )
    monitor = document.get("monitor") or {}
    if "decision" in monitor:
        lines.append(
            f"Monitoring: {monitor['decision']}, {len(monitor['alerts'])} alerts; {monitor['report']}"
        )
    return "\n".join(lines)
