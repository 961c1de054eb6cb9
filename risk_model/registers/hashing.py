"""Keyed hashes of national numbers, so that departments' lists can be joined without the numbers."""

from __future__ import annotations

import csv
import hmac
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from risk_model.errors import UsageError
from risk_model.registers.header import UnreadableFileError
from risk_model.registers.reading_csv import ENCODINGS

if TYPE_CHECKING:
    from _csv import Reader as Rows
    from _csv import Writer

SHORTEST_KEY = 16
"""Bytes; with fewer the key itself is guessed."""
HASHED = "national_id_hash"


@dataclass(frozen=True)
class Hashed:
    """Rows written, and how many of them had no number."""

    rows: int
    empty: int


def keyed_hash(number: str, key: bytes) -> str:
    """HMAC-SHA-256 of ``number``, as 64 hexadecimal digits; blanks and case do not matter.

    >>> keyed_hash("11010119900101123x", b"k" * 16) == keyed_hash(" 110101 19900101 123X", b"k" * 16)
    True
    """
    plain = "".join(unicodedata.normalize("NFKC", number).split()).upper()
    return hmac.new(key, plain.encode(), sha256).hexdigest()


def hash_column(file: Path, column: str, key_file: Path, out: Path) -> Hashed:
    """Write ``file`` to ``out`` (UTF-8) with ``column`` replaced by ``national_id_hash``.

    Raises
    ------
    UsageError
        The key is too short, ``column`` is not in the header, or ``out`` is ``file``.
    UnreadableFileError
        The file is no UTF-8 or GB18030 text, or a row is ragged.
    """
    key = _key(key_file)
    if out.resolve() == file.resolve():
        raise UsageError(f"--out {out} is the file itself; name another, so that nothing is lost.")
    encoding = _encoding(file)
    with (
        file.open(encoding=encoding, newline="") as source,
        out.open("w", encoding="utf-8", newline="") as target,
    ):
        rows = csv.reader(source, strict=True)
        header = next(rows, [])
        if column not in header:
            raise UsageError(f"{file.name} has no column {column!r}; it has {', '.join(header)}.")
        place = header.index(column)
        writer = csv.writer(target)
        writer.writerow([HASHED if name == column else name for name in header])
        return _write(rows, writer, place, len(header), key)


def _write(rows: Rows, writer: Writer, place: int, width: int, key: bytes) -> Hashed:
    count = empty = 0
    for row in rows:
        if not row:
            continue
        if len(row) != width:
            raise UnreadableFileError(
                f"line {rows.line_num} has {len(row)} fields where the header names {width}."
            )
        number = row[place].strip()
        row[place] = keyed_hash(number, key) if number else ""
        writer.writerow(row)
        count, empty = count + 1, empty + (not number)
    return Hashed(count, empty)


def _key(key_file: Path) -> bytes:
    key = key_file.read_bytes().strip()
    if len(key) < SHORTEST_KEY:
        raise UsageError(
            f"The key in {key_file} has {len(key)} bytes; a province key needs {SHORTEST_KEY} or more."
        )
    return key


def _encoding(file: Path) -> str:
    for encoding in ("utf-8-sig", *ENCODINGS[1:]):
        try:
            with file.open(encoding=encoding) as stream:
                while stream.read(1 << 20):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise UnreadableFileError(f"{file.name} is neither UTF-8 nor GB18030 text; save it as UTF-8.")
