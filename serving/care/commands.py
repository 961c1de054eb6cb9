"""``care export`` and ``care ledger``: care taken out of the service, for the lake and for people."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from risk_model.command.surface import Office, Result, command, group
from risk_model.errors import UsageError


@group("care")
def care() -> None:
    """One-to-one care taken out of the service: as a register, or as a table to read."""


@command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(office: Office, folder: Path) -> Result:
    """Write FOLDER/care.csv, a delivery of the register care for 'import': days and kinds, no texts."""
    from serving.audit.commands import note_look
    from serving.care.exporting import export_care
    from serving.database import open_database

    with open_database(office.home, office.settings, create=False) as engine:
        note_look(office, "export", unit="all", detail="care export")
        with engine.connect() as connection:
            rows = export_care(connection, folder)
    return Result({"rows": rows, "out": str(folder)}, f"{rows:,} rows of care are in {folder}, for 'import'.")


@command("ledger")
@click.option("--unit", "unit_text", metavar="UNIT", required=True, help="As school:A.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="CSV to write.")
@click.option("--restricted", is_flag=True, help="With restricted texts; needs --for.")
@click.option("--for", "login", metavar="LOGIN", help="Who asks for them: principal of the unit or above.")
def ledger_(office: Office, unit_text: str, out: Path, restricted: bool, login: str | None) -> Result:
    """Write every step and note of a unit's pupils to a CSV that only its owner may read."""
    from serving.audit.commands import note_look
    from serving.care.ledger import demand_above, ledger
    from serving.database import open_database
    from serving.exports import write_private
    from serving.units import parse_unit

    if restricted != (login is not None):
        raise UsageError("--restricted and --for LOGIN go together: somebody asks for restricted texts.")
    unit, at = parse_unit(unit_text), datetime.now(UTC)
    detail = "care ledger"
    with open_database(office.home, office.settings, create=False) as engine, engine.connect() as connection:
        if login is not None:
            viewer = demand_above(connection, login, unit, at)
            detail += f" with restricted texts for account {viewer.account_id}"
        note_look(office, "export", unit=str(unit), detail=detail)
        content = ledger(connection, unit, at, restricted=restricted)
    write_private(out, content)
    document = {"unit": str(unit), "out": str(out), "restricted": restricted}
    return Result(document, f"The care of {unit} is in {out}.")


care.add_command(export)
care.add_command(ledger_)
