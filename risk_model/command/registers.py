"""``contract``, ``hash-ids`` and ``import``: registers, from what they are to where they lie."""

from __future__ import annotations

from pathlib import Path

import click

from risk_model.command.surface import Office, Result, command

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@command("contract")
@click.option(
    "--format", "layout", type=click.Choice(["text", "md"]), default="text", help="Text or Markdown."
)
def contract(office: Office, layout: str) -> Result:
    """Print every register: its columns, limits, Chinese names, purpose and retention."""
    from risk_model.registers.printing import as_document, as_markdown, as_text

    return Result(as_document(), as_markdown() if layout == "md" else as_text())


@command("hash-ids")
@click.argument("file", type=FILE)
@click.option("--column", required=True, help="Header of the column with the national numbers.")
@click.option(
    "--key-file",
    type=FILE,
    envvar="DROPOUT_RISK_PROVINCE_KEY_FILE",
    required=True,
    help="File with the province key; it never enters the lake.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="CSV to write.")
def hash_ids(office: Office, file: Path, column: str, key_file: Path, out: Path) -> Result:
    """Replace national numbers in FILE (CSV) by keyed hashes, in a column national_id_hash."""
    from risk_model.registers.hashing import hash_column

    hashed = hash_column(file, column, key_file, out)
    document = {"out": str(out), "rows": hashed.rows, "empty": hashed.empty}
    return Result(
        document, f"{hashed.rows:,} rows written to {out}, {hashed.empty:,} of them without a number."
    )


@command("import")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option(
    "--max-rejected",
    type=click.FloatRange(0, 1),
    help="Above this share of rejected rows of a register nothing is taken. "
    "[default: max_rejected of [registers], 0.02]",
)
@click.option(
    "--recorded-on",
    metavar="D|event+N",
    help="When rows without recorded_on became known. [default: the day of import]",
)
def import_(office: Office, folder: Path, max_rejected: float | None, recorded_on: str | None) -> Result:
    """Take the registers in DIR into the lake: all of them or nothing."""
    from risk_model.registers.importing import Terms, import_delivery

    allowed = office.settings.registers.max_rejected if max_rejected is None else max_rejected
    terms = Terms(allowed, recorded_on)
    with office.accounts() as accounts:
        report = import_delivery(office.home, office.settings, folder, terms, accounts)
    return Result(report.document(), report.text())
