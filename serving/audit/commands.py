"""The subcommands ``audit verify`` and ``audit report``, and how commands themselves are recorded."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from risk_model.command.surface import Office, Result, command, group

if TYPE_CHECKING:
    from serving.audit.verifying import Verdict

BROKEN = 1
"""Exit code of a chain that is not whole."""


@group("audit")
def audit() -> None:
    """Who looked at whom: is the record whole, and what does it say of a year or a pupil."""


@command("verify")
@click.option("--noted", metavar="N:HASH", help="A head noted down earlier must still be in the chain.")
def verify_(office: Office, noted: str | None) -> Result:
    """Look at every record of the chain; names each one edited, deleted, swapped or cut off."""
    from serving.audit.tables import head_path, open_audit
    from serving.audit.verifying import read_noted, verify

    asked = read_noted(noted) if noted else None
    with open_audit(office.home, office.settings) as engine:
        verdict = verify(engine, head_path(office.home), asked)
    return Result(_verdict_document(verdict), _verdict_text(verdict), 0 if verdict.whole else BROKEN)


@command("report")
@click.option("--year", type=click.IntRange(2000, 9000), help="Which year. [default: this one]")
@click.option("--student", metavar="ID", help="Instead of a year: who looked at this pupil.")
def report(office: Office, year: int | None, student: str | None) -> Result:
    """The yearly account of looks at minors, by role, reason and unit; or who looked at a pupil."""
    from serving.audit.ages import birth_dates
    from serving.audit.reading import looks_at, pupils_of_year, report_text, yearly_report
    from serving.audit.tables import open_audit

    with open_audit(office.home, office.settings) as engine:
        if student is None:
            asked = year or date.today().year
            births = birth_dates(office.home, office.settings, pupils_of_year(engine, asked))
            document = yearly_report(engine, asked, births)
            return Result(document, report_text(document))
        note_look(office, "look", student_id=student, detail="audit report")
        with engine.connect() as connection:
            looks = [vars(look) for look in looks_at(connection, student, limit=10_000)]
    return Result(looks, "\n".join(_look_text(look) for look in looks))


audit.add_command(verify_)
audit.add_command(report)


def note_look(office: Office, action: str, **about: Any) -> None:
    """Record what a command is about to show, under the name of the operating system's user.

    Raises
    ------
    AuditError
        It cannot be written, so nothing is shown.
    """
    from serving.audit.client import DirectAudit
    from serving.audit.entries import Entry

    recorder = DirectAudit(office.home, office.settings)
    try:
        recorder.record([Entry(None, action, reason="command", system_user=system_user(), **about)])
    finally:
        recorder.close()


def system_user() -> str:
    """The user this process runs as, and who became that user by ``sudo``; not what a variable claims."""
    import os
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without a name
        name = f"uid {os.getuid()}"
    behind = os.environ.get("SUDO_USER") if os.getuid() == 0 else None
    return f"{name} (sudo by {behind})" if behind else name


def _verdict_document(verdict: Verdict) -> dict[str, Any]:
    return {
        "whole": verdict.whole,
        "records": verdict.records,
        "head": f"{verdict.newest.number}:{verdict.newest.hash}",
        "unanswered": verdict.unanswered,
        "faults": [{**vars(fault), "text": fault.said()} for fault in verdict.faults],
    }


def _verdict_text(verdict: Verdict) -> str:
    lines = [fault.said() for fault in verdict.faults]
    if verdict.unanswered:
        lines.append(
            f"{verdict.unanswered:,} records after the head: being written, or left by a killed writer."
        )
    whole = "The chain is whole" if verdict.whole else "The chain is BROKEN"
    lines.append(f"{whole}: {verdict.records:,} records. Its end, to be noted down elsewhere:")
    return "\n".join([*lines, f"{verdict.newest.number}:{verdict.newest.hash}"])


def _look_text(look: dict[str, Any]) -> str:
    who = f"account {look['account_id']}" if look["account_id"] is not None else look["system_user"]
    why = look["reason"] or "–"
    return f"{look['at']:%Y-%m-%d %H:%M:%S} UTC  {who}  {look['action']}  {why}  {look['detail']}".rstrip()
