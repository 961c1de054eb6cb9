"""CSV files as batches of records, cut without looking at single rows in Python.

Bytes are validated as strict UTF-8, or else the whole file as strict GB18030; records are found by
their newlines (numpy), those in quotes excepted, and handed to DuckDB as Arrow strings, with the
number of their first line. Splitting into fields is DuckDB's (:mod:`risk_model.registers.fields`).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa

from risk_model.registers.declaration import Register
from risk_model.registers.header import Header, UnreadableFileError, likeness, match

BLOCK = 32 << 20
LONGEST_RECORD = 1000
"""Lines; a quotation mark left open longer than this was never meant to be one."""
PARALLEL_ROWS = 1 << 16
"""DuckDB gives each piece of an Arrow table to another thread."""
DELIMITERS = (",", "\t", ";")
BLANKS = tuple(blank.encode() for blank in " \t\u00a0\u3000")
ENCODINGS = ("utf-8", "gb18030")
_HEADER_LIMIT = 1 << 20
_NEWLINE, _QUOTE = 10, 34


@dataclass(frozen=True)
class Texture:
    """What bytes hold beside plain cells; what is not there need not be looked for row by row."""

    quotes: bool
    nul: bool
    blanks: bool
    """There are blanks (or broken newlines) that may have to be trimmed off a cell."""
    newline: int
    """Characters that end every record: 1, 2 (CRLF), or 0 where they are mixed."""


@dataclass(frozen=True)
class Batch:
    """Records of a file: ``rec`` (text, newline included), ``line`` (1-based), ``broken`` (open quote)."""

    table: pa.Table
    texture: Texture
    consumed: int
    """Bytes of the file read so far, for the progress bar."""


@dataclass(frozen=True)
class CsvFile:
    """An opened CSV file: how its records split, and which field is which column."""

    path: Path
    encoding: str
    delimiter: str
    header: Header
    header_line: int


def open_csv(path: Path, register: Register, encoding: str) -> CsvFile:
    """Read the header of ``path``.

    Raises
    ------
    UnreadableFileError
        Empty, not text, or without the columns of ``register``.
    UnicodeDecodeError
        The header is not in ``encoding``.
    """
    text, line = _first_record(path, encoding)
    delimiter = max(DELIMITERS, key=lambda one: (likeness(register, _names(text, one)), text.count(one)))
    return CsvFile(path, encoding, delimiter, match(register, _names(text, delimiter)), line)


def batches(file: CsvFile) -> Iterator[Batch]:
    """The records after the header, in order, some tens of megabytes at a time.

    Raises
    ------
    UnicodeDecodeError
        The file is not in its encoding from here on.
    UnreadableFileError
        The compressed stream is broken.
    """
    rest, line = b"", 1
    for block, consumed, last in _blocks(file.path, file.encoding):
        cut = _cut(rest + block, line, last, file.delimiter)
        rest = cut.rest
        if (table := _after_header(cut, file.header_line)).num_rows:
            pieces = table.to_batches(max_chunksize=PARALLEL_ROWS)
            yield Batch(pa.Table.from_batches(pieces), cut.texture, consumed)
        line = cut.next_line


@dataclass(frozen=True)
class _Cut:
    table: pa.Table
    rest: bytes
    next_line: int
    texture: Texture


def texture(text: bytes, delimiter: str) -> Texture:
    """Look ``text`` (UTF-8) over, at the speed of memory.

    >>> texture(b"S1,2025-09-01\\r\\nS2,2025-09-01\\r\\n", ",")
    Texture(quotes=False, nul=False, blanks=False, newline=2)
    """
    returns, quotes = text.count(b"\r"), b'"' in text
    newline = 1 if not returns else 2 if returns == text.count(b"\n") == text.count(b"\r\n") else 0
    # Outside quotes the delimiter itself is no part of a cell.
    blanks = any(one in text for one in BLANKS if quotes or one != delimiter.encode())
    return Texture(quotes, b"\0" in text, blanks or quotes or not newline, newline)


def _cut(text: bytes, first_line: int, last: bool, delimiter: str) -> _Cut:
    """Cut ``text`` into records; what may continue in the next block is ``rest``."""
    found = texture(text, delimiter)
    if last and text and not text.endswith(b"\n"):
        text += b"\r\n" if found.newline == 2 else b"\n"
    codes = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(codes == _NEWLINE) + 1
    closed = np.ones(len(ends), bool)
    broken: list[int] = []
    whole = len(ends)
    if found.quotes:
        whole = _close_quotes(text, codes, ends, closed, broken, last, delimiter)
    ends, closed = ends[:whole], closed[:whole]
    numbers = np.flatnonzero(np.concatenate([[True], closed[:-1]])) if whole else np.empty(0, np.int64)
    offsets = np.concatenate([[0], ends[closed]]).astype(np.int64)
    texts = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text))
    table = pa.table(
        {"rec": texts, "line": numbers + first_line, "broken": np.isin(numbers, np.array(broken, np.int64))}
    )
    end = int(offsets[-1])
    return _Cut(table, text[end:], first_line + whole, found)


def _close_quotes(
    text: bytes,
    codes: np.ndarray,
    ends: np.ndarray,
    closed: np.ndarray,
    broken: list[int],
    last: bool,
    delimiter: str,
) -> int:
    """Mark in ``closed`` which lines end a record; returns how many lines are whole records.

    A record goes on over lines where a field's opening quote has no closing one: only lines with an
    odd number of quotes can open or close such a field, so only they are looked at.
    """
    marks = np.flatnonzero(codes == _QUOTE)
    counts = np.diff(np.searchsorted(marks, np.concatenate([[0], ends])))
    odd = np.flatnonzero(counts & 1).tolist()
    opening = re.compile(rb"(?:^|" + re.escape(delimiter.encode()) + rb')[ ]*"')
    index = 0
    while index < len(odd):
        line = odd[index]
        start = int(ends[line - 1]) if line else 0
        if not opening.search(text, start, int(ends[line])) and not text.startswith(b'"', start):
            index += 1  # a quote within a field: 5" is a length
            continue
        if index + 1 == len(odd) and not last and len(ends) - line < LONGEST_RECORD:
            return line  # goes on in the next block
        if index + 1 == len(odd) or odd[index + 1] - line > LONGEST_RECORD:
            broken.append(line)
            index += 1
            continue
        closed[line : odd[index + 1]] = False
        index += 2
    return len(ends)


def _after_header(cut: _Cut, header_line: int) -> pa.Table:
    first = cut.next_line - 1 if not cut.table.num_rows else cut.table["line"][0].as_py()
    if first > header_line:
        return cut.table
    return cut.table.slice(int(np.searchsorted(cut.table["line"].to_numpy(), header_line, side="right")))


def _blocks(path: Path, encoding: str) -> Iterator[tuple[bytes, int, bool]]:
    """Blocks of strict UTF-8 without byte order mark, bytes consumed, and whether it is the last."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    old_mac: bool | None = None
    first = True
    with _open(path) as stream:
        block = _read(stream, path)
        while True:
            following = _read(stream, path) if block else b""
            text = decoder.decode(block, final=not following)
            # A UTF-8 block is only validated; its bytes are used as they are.
            clean = block if encoding == "utf-8" else text.encode()
            if first:
                clean = clean.removeprefix(codecs.BOM_UTF8)
                old_mac = b"\n" not in clean and b"\r" in clean
                first = False
            yield (clean.replace(b"\r", b"\n") if old_mac else clean), len(block), not following
            if not following:
                return
            block = following


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _read(stream: BinaryIO, path: Path) -> bytes:
    try:
        return stream.read(BLOCK)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFileError(f"its compressed stream is broken: {error}") from None


def _first_record(path: Path, encoding: str) -> tuple[str, int]:
    """The header as text without its newline, and the line it starts on, blank lines before skipped."""
    for block, _, _ in _blocks(path, encoding):
        start, line = 0, 1
        while (end := block.find(b"\n", start)) >= 0 and not block[start:end].strip():
            start, line = end + 1, line + 1
        text = block[start : end if end >= 0 else None]
        if b"\0" in text:
            raise UnreadableFileError("it is not text (NUL bytes in its header; UTF-16?); save it as UTF-8")
        if not text.strip():
            break
        if len(text) > _HEADER_LIMIT:
            raise UnreadableFileError("its first line is longer than a megabyte; it is no table")
        return text.decode("utf-8").rstrip("\r"), line
    raise UnreadableFileError("it is empty")


def _names(text: str, delimiter: str) -> list[str]:
    return next(csv.reader(StringIO(text), delimiter=delimiter), [])
