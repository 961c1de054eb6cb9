"""XLSX workbooks as batches of text cells: Excel's days and numbers are written out as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import pyarrow as pa
import python_calamine

from risk_model.registers.declaration import Kind, Register
from risk_model.registers.header import Header, UnreadableFileError, match

ROWS = 50_000
LARGEST_UNPACKED = 2 << 30
_EPOCH = date(1899, 12, 30)
_SERIAL_DAYS = range(10_959, 73_051)
"""Excel's numbers of the days 1930-01-01 to 2099-12-31."""


def read_xlsx(path: Path, register: Register) -> tuple[Header, str, Iterator[pa.Table]]:
    """Header, a note on what was left aside, and batches (``line`` = row of the sheet, ``c0``, ``c1``, …).

    The first sheet is read. Rows without any value are no rows.

    Raises
    ------
    UnreadableFileError
        It is no workbook, or its first sheet has no header of ``register``.
    """
    sheet, others = _first_sheet(path)
    rows = ((line, row) for line, row in enumerate(sheet, 1) if any(cell != "" for cell in row))
    _, names = next(rows, (0, None))
    if names is None:
        raise UnreadableFileError("its first sheet is empty")
    header = match(register, [_text(name, None) for name in names])
    note = f"only its first sheet was read, {others} more were not" if others else ""
    return header, note, _batches(rows, header, register)


def _first_sheet(path: Path) -> tuple[Iterator[Sequence[Any]], int]:
    try:
        with ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (BadZipFile, OSError) as error:
        raise UnreadableFileError(f"it is no XLSX workbook: {error}") from None
    if unpacked > LARGEST_UNPACKED:
        raise UnreadableFileError(f"unpacked it would take {unpacked >> 20} MB; deliver it as CSV")
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        sheet = book.get_sheet_by_index(0)
        return iter(sheet.to_python(skip_empty_area=False)), len(book.sheet_names) - 1
    except (python_calamine.CalamineError, IndexError, OSError, ValueError) as error:
        raise UnreadableFileError(f"it is no XLSX workbook: {error}") from None


def _batches(
    rows: Iterator[tuple[int, Sequence[Any]]], header: Header, register: Register
) -> Iterator[pa.Table]:
    days = {header.positions[column.name] for column in register.delivered
            if column.kind is Kind.DATE and column.name in header.positions}  # fmt: skip
    while part := list(islice(rows, ROWS)):
        columns: dict[str, Any] = {"line": pa.array([line for line, _ in part], pa.int64())}
        for position in range(header.width):
            kind = Kind.DATE if position in days else None
            cells = [_text(row[position], kind) if position < len(row) else "" for _, row in part]
            columns[f"c{position}"] = pa.array(cells, pa.string())
        yield pa.table(columns)


def _text(cell: Any, kind: Kind | None) -> str:
    """A cell as a person would type it; a bare number in a column of days is Excel's count of days."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float | int):
        if kind is Kind.DATE and int(cell) == cell and int(cell) in _SERIAL_DAYS:
            return str(_EPOCH + timedelta(days=int(cell)))
        return str(int(cell)) if float(cell).is_integer() else repr(cell)
    if isinstance(cell, datetime):
        return str(cell.date()) if cell.time() == time() else str(cell)
    return str(cell)
