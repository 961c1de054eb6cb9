"""Lists as files: CSV, XLSX, JSON and Parquet.

A spreadsheet runs a text that begins like a formula, so in CSV such a text gets an apostrophe in
front, and in XLSX every text is written as a text. Numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from risk_model.errors import UsageError
from serving.lists import KEYS

Rows = list[dict[str, Any]]

DANGEROUS = frozenset("=+-@\t\r\n＝＋－＠")
"""Leads of a formula; full-width twins become formulas where an input method or import folds them."""
JOINED = "; "


def to_csv(rows: Rows) -> bytes:
    """UTF-8 CSV with a header; every text quoted, numbers plain, null empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(KEYS)
    for row in rows:
        writer.writerow([_csv_cell(cell) for cell in _cells(row)])
    return text.getvalue().encode("utf-8")


def to_xlsx(rows: Rows) -> bytes:
    """A workbook with one sheet; texts are texts whatever they begin with."""
    import xlsxwriter

    content = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False}
    options |= {"strings_to_urls": False}
    with xlsxwriter.Workbook(content, options) as book:
        sheet = book.add_worksheet("list")
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(KEYS) - 2, 14)
        sheet.set_column(len(KEYS) - 1, len(KEYS) - 1, 90)
        for column, key in enumerate(KEYS):
            sheet.write_string(0, column, key, book.add_format({"bold": True}))
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(_cells(row)):
                _write_cell(sheet, number, column, cell)
    return content.getvalue()


def to_json(rows: Rows) -> bytes:
    """One JSON array, as ``lists --json`` prints it."""
    return json.dumps(rows, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"


def to_parquet(rows: Rows) -> bytes:
    """Parquet with typed columns; reasons as a list of records."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(rows, schema=_schema())
    content = io.BytesIO()
    pq.write_table(table, content, compression="zstd")
    return content.getvalue()


EXPORTS: dict[str, Callable[[Rows], bytes]] = {
    "csv": to_csv,
    "xlsx": to_xlsx,
    "json": to_json,
    "parquet": to_parquet,
}


def write_private(out: Path, content: bytes) -> None:
    """Write a list where only its owner may read it, whatever lay there before.

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    try:
        with open(os.open(out, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                os.fchmod(file.fileno(), 0o600)
                file.truncate()
            file.write(content)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written: {error.strerror}. Create the folder, or choose another file for --out."
        ) from None


def safe_text(text: str) -> str:
    """The text, with an apostrophe in front if a spreadsheet could take it for a formula.

    >>> safe_text("=1+1"), safe_text("  @SUM(A1)"), safe_text("7A")
    ("'=1+1", "'  @SUM(A1)", '7A')
    """
    lead = text.lstrip(" \u3000\xa0\ufeff\u200b\x00")[:1] or text[:1]
    return f"'{text}" if lead in DANGEROUS and lead else text


def _cells(row: dict[str, Any]) -> list[Any]:
    """The row's values in the order of :data:`KEYS`, reasons joined into one text."""
    told = JOINED.join(reason["text"] for reason in row["reasons"])
    return [told if key == "reasons" else row[key] for key in KEYS]


def _csv_cell(cell: Any) -> Any:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return safe_text(cell) if isinstance(cell, str) else cell


def _write_cell(sheet: Any, row: int, column: int, cell: Any) -> None:
    if cell is None:
        return
    if isinstance(cell, bool):
        sheet.write_boolean(row, column, cell)
    elif isinstance(cell, int | float):
        sheet.write_number(row, column, cell)
    else:
        sheet.write_string(row, column, _storable(str(cell)))


def _storable(text: str) -> str:
    """Within what a cell holds: 32,767 characters."""
    return text[:32_767]


def _schema() -> Any:
    import pyarrow as pa

    whole, number, text, flag = pa.int64(), pa.float64(), pa.string(), pa.bool_()
    reason = pa.struct({"feature": text, "family": text, "text": text, "contribution": number})
    kinds = {"grade": whole, "risk": number, "rank": whole, "rank_in_school": whole, "rank_in_class": whole}
    kinds |= {"listed": flag, "stale": flag, "reasons": pa.list_(reason)}
    return pa.schema([(key, kinds.get(key, text)) for key in KEYS])
