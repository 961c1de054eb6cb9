"""One kind of bad file: its content, the exact account of its rows and what quarantine says."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

MARKS = "student_id,day,mark\n"
GOOD = "S1,2025-09-01,present\n"
SPELLS = "student_id,school_id,started_on,grade,ended_on,end_reason\n"
RESULTS = "student_id,subject,assessed_on,score,max_score,sat\n"


@dataclass(frozen=True)
class Fault:
    """A row in quarantine; ``reason`` is a part of what is said."""

    line: int
    column: str
    value: str
    reason: str
    file: str = ""


@dataclass(frozen=True)
class BadFile:
    """One kind: its file, and ``read, accepted, rejected, unchanged`` – or why it is refused."""

    name: str
    file: str
    content: str | bytes
    accounts: tuple[int, int, int, int] | None = None
    faults: tuple[Fault, ...] = ()
    refused: str = ""
    others: dict[str, str | bytes] = field(default_factory=dict)

    @property
    def register(self) -> str:
        stem = self.file.split(".")[0]
        return {"考勤": "attendance", "attendance_2025-09": "attendance"}.get(stem, stem)


def marks(name: str, rows: str, accounts: tuple[int, int, int, int], *faults: Fault) -> BadFile:
    return BadFile(name, "attendance.csv", MARKS + rows, accounts, faults)


def one(file: str, name: str, header: str, row: str, column: str, value: str, reason: str) -> BadFile:
    """One row, rejected for one cell."""
    return BadFile(name, file, f"{header}\n{row}\n", (1, 0, 1, 0), (Fault(2, column, value, reason),))


def workbook(rows: list[list[Any]]) -> bytes:
    import xlsxwriter

    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            if isinstance(cell, date | datetime):
                sheet.write_datetime(number, place, datetime(cell.year, cell.month, cell.day))
            else:
                sheet.write(number, place, cell)
    book.close()
    return target.getvalue()


def plain_zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("attendance.csv", MARKS + GOOD)
    return target.getvalue()
