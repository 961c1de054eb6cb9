"""A delivery: a folder of files, each told by its name to be (part of) a register."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from risk_model.errors import InputRefusedError
from risk_model.registers.accounts import FileReport, ImportReport
from risk_model.registers.declaration import Register
from risk_model.registers.declared import REGISTERS

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".csv.gz": "csv",
    ".tsv.gz": "csv",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
}
NAMELESS = "its name is that of no register, or not of a CSV, XLSX or Parquet file"
PACKED = 10
"""A packed format holds about so many times its bytes."""
DONE_MARK = "_DONE"
_NAMES = sorted(
    (
        (spelling, register.name)
        for register in REGISTERS.values()
        for spelling in (register.name, *register.aliases)
    ),
    key=lambda pair: -len(pair[0]),  # student_aliases before students
)


@dataclass(frozen=True)
class DeliveredFile:
    """A file and the register it belongs to; ``register`` is None where its name tells none."""

    path: Path
    register: Register | None
    format: str | None
    number: int

    @property
    def readable(self) -> bool:
        """Whether its name says which register it is, and in which format."""
        return self.register is not None and self.format is not None


def find_files(folder: Path) -> tuple[DeliveredFile, ...]:
    """Files directly in ``folder`` in name order; not folders in it (``truth/``), not hidden files.

    Raises
    ------
    InputRefusedError
        No file's name is that of a register.
    """
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and path.name != DONE_MARK
    )
    files = tuple(
        DeliveredFile(path, register_of(path.name), _format(path.name), number)
        for number, path in enumerate(paths)
    )
    if not any(file.readable for file in files):
        reports = tuple(FileReport(path.name, "unknown", NAMELESS) for path in paths)
        raise InputRefusedError(
            f"{folder} holds no register. Name files as attendance.csv, students_2025.xlsx or 学生.csv; "
            "`dropout-risk contract` prints all names.",
            document=ImportReport(reports, taken=False).document(),
        )
    return files


def unpacked_bytes(files: tuple[DeliveredFile, ...]) -> int:
    """About how much the rows of ``files`` take up as plain text, and in memory."""
    return sum(
        file.path.stat().st_size * (PACKED if file.path.suffix.lower() in (".gz", ".parquet", ".xlsx") else 1)
        for file in files
        if file.readable
    )


def register_of(name: str) -> Register | None:
    """The register a file name tells: its own or a Chinese name, then anything but a letter.

    >>> register_of("attendance_2025-09.csv.gz").name, register_of("考勤（9月）.xlsx").name
    ('attendance', 'attendance')
    >>> register_of("students2.csv").name, register_of("studentship.csv")
    ('students', None)
    """
    stem = unicodedata.normalize("NFKC", name).lower()
    for spelling, register in _NAMES:
        if stem.startswith(spelling) and re.match(r"$|[\d\W_]", stem[len(spelling) :]):
            return REGISTERS[register]
    return None


def digest(files: tuple[DeliveredFile, ...]) -> str:
    """Fingerprint of names and bytes: the very same delivery is recognised when it comes again."""
    total = hashlib.blake2b(digest_size=32)
    for file in files:
        if file.readable:
            with file.path.open("rb") as stream:
                total.update(
                    f"{file.path.name}\0{hashlib.file_digest(stream, 'blake2b').hexdigest()}\0".encode()
                )
    return total.hexdigest()


def _format(name: str) -> str | None:
    for suffix in sorted(FORMATS, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return FORMATS[suffix]
    return None
