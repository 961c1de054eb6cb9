"""The subcommand ``monitor``; nothing heavy is imported before it is called."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from risk_model.command.surface import DAY, Office, Result, command
from risk_model.errors import UsageError

REACHED = 6
TOLD = 3


@command("monitor")
@click.option("--as-of", type=DAY, help="Look at the newest list up to this day. [default: the latest]")
@click.option(
    "--fail-on",
    type=click.Choice(["investigate", "retrain"]),
    help="End with 6 if the decision is this or graver.",
)
@click.option("--silence", metavar="KEY", help="Tell nobody of this alert, until a day and for a reason.")
@click.option("--until", type=DAY, help="Last day of the silence.")
@click.option("--why", default="", help="Reason of the silence.")
def monitor(
    office: Office, as_of: date | None, fail_on: str | None, silence: str | None, until: date | None, why: str
) -> Result:
    """May tonight's list be trusted? Quality, drift, performance, fairness, stability; one report."""
    if silence is not None:
        return _silenced(office, silence, until, why)
    if until is not None or why:
        raise UsageError("--until and --why belong to --silence KEY. Name the alert.")
    from monitoring.decision import reached
    from monitoring.night import monitor_night

    with office.accounts() as accounts:
        document = monitor_night(office.home, office.settings, as_of, office.say, accounts)
    return Result(document, _text(document), REACHED if reached(document["decision"], fail_on) else 0)


def _silenced(office: Office, key: str, until: date | None, why: str) -> Result:
    from monitoring.alerts.standing import Alerts

    office.command = "silence"  # its figures are not those of a night
    made = Alerts(office.home.monitoring).silence(key, until, why, date.today())
    told = {"key": made.key, "until": made.until.isoformat(), "why": made.why}
    return Result(told, f"Nobody is told of {made.key} until {made.until}: {made.why}")


def _text(document: dict[str, Any]) -> str:
    lines = [
        f"{document['decision'].capitalize()}: the list of {document['as_of']} "
        f"({document['students']:,} pupils, {document['listed']:,} listed, "
        f"model {document['model_version']})."
    ]
    lines += [f"– {reason['text']}" for reason in document["reasons"][:TOLD]]
    more = len(document["reasons"]) - TOLD
    lines += [f"  and {more} more"] if more > 0 else []
    return "\n".join([*lines, f"Report: {document['report']}"])
