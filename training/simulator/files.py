"""The files of a delivery: how tables become bytes, and where they are appended to."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from risk_model.registers.declaration import Register
from risk_model.registers.declared import REGISTERS

_ROWS_PER_GROUP = 120_000
_CSV = arrow_csv.WriteOptions(include_header=False, quoting_style="none", batch_size=1 << 14)


@dataclass(frozen=True)
class Output:
    """How the registers are written; the truth is always Parquet."""

    format: Literal["csv", "parquet"] = "csv"
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    dirty: bool = False

    def suffix(self, name: str) -> str:
        return "parquet" if name.startswith("truth/") else self.format

    def chinese(self, name: str) -> bool:
        """Whether the file has Chinese headers and values: three kinds of file of a dirty delivery."""
        return self.dirty and (name in ("families", "travel") or _month(name) in ("03", "10"))

    def encoding_of(self, name: str) -> str:
        """A dirty delivery mixes encodings from file to file."""
        if not self.dirty:
            return self.encoding
        return "gb18030" if name in ("students", "families") or _month(name) == "10" else "utf-8"


def _month(name: str) -> str:
    return name[-2:] if name.startswith("attendance_") else ""


def register_of(name: str) -> str:
    """The register a file belongs to.

    >>> register_of("attendance_2025-09"), register_of("student_aliases")
    ('attendance', 'student_aliases')
    """
    return "attendance" if _month(name) else name


def encode(output: Output, name: str, table: pa.Table) -> pa.Table | bytes:
    """What is appended to file ``name``: a table for Parquet, encoded lines for CSV."""
    if output.chinese(name):
        table = _in_chinese(REGISTERS[register_of(name)], table)
    if output.suffix(name) == "parquet":
        return table
    lines = io.BytesIO()
    arrow_csv.write_csv(_plain(table), lines, _CSV)
    return _recoded(lines.getvalue(), output.encoding_of(name))


def header(output: Output, name: str, columns: list[str]) -> bytes:
    """First line of a CSV file."""
    if output.chinese(name):
        columns = _headers(REGISTERS[register_of(name)], columns)
    return (",".join(columns) + "\n").encode(output.encoding_of(name))


def _recoded(lines: bytes, encoding: str) -> bytes:
    return lines if encoding == "utf-8" or lines.isascii() else lines.decode().encode(encoding)


def _plain(table: pa.Table) -> pa.Table:
    """Dictionaries become text, since CSV has no codes."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table[field.name].cast(pa.string()))
    return table


def _in_chinese(register: Register, table: pa.Table) -> pa.Table:
    columns = [_words(register, name, table[name]) for name in table.column_names]
    return pa.table(columns, names=_headers(register, table.column_names))


def _headers(register: Register, names: list[str]) -> list[str]:
    return [(register.column(name).aliases or (name,))[0] for name in names]


def _words(register: Register, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(column.type):
        return pc.if_else(column, "是", "否")
    declared = register.column(name)
    if not declared.values:
        return column
    spellings = {value: word for word, value in reversed(list(declared.value_aliases.items()))}
    text = column.cast(pa.string())
    words = pa.array([spellings.get(value, value) for value in declared.values])
    return words.take(pc.index_in(text, pa.array(declared.values)).combine_chunks())


class Folder:
    """Appends to the files of a delivery, each opened when its first row comes."""

    def __init__(self, path: Path, output: Output) -> None:
        self._path, self._output = path, output
        self._csv: dict[str, io.BufferedWriter] = {}
        self._parquet: dict[str, pq.ParquetWriter] = {}
        self._waiting: dict[str, list[pa.Table]] = {}
        self.rows: dict[str, int] = {}

    def __enter__(self) -> Folder:
        (self._path / "truth").mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._waiting:
            self._flush(name)
        for file in (*self._csv.values(), *self._parquet.values()):
            file.close()

    def append(self, name: str, columns: list[str], rows: int, part: pa.Table | bytes) -> None:
        """Append ``part``, made by :func:`encode` of ``rows`` rows, to file ``name``."""
        file = f"{name}.{self._output.suffix(name)}"
        self.rows[file] = self.rows.get(file, 0) + rows
        if isinstance(part, bytes):
            self._csv_file(name, columns).write(part)
            return
        waiting = self._waiting.setdefault(name, [])
        waiting.append(part)
        if sum(map(len, waiting)) >= _ROWS_PER_GROUP:
            self._flush(name)

    def _csv_file(self, name: str, columns: list[str]) -> io.BufferedWriter:
        if name not in self._csv:
            self._csv[name] = (self._path / f"{name}.csv").open("wb")
            self._csv[name].write(header(self._output, name, columns))
        return self._csv[name]

    def _flush(self, name: str) -> None:
        tables, self._waiting[name] = self._waiting[name], []
        if not tables:
            return
        table = pa.concat_tables(tables).unify_dictionaries()
        if name not in self._parquet:
            self._parquet[name] = pq.ParquetWriter(self._path / f"{name}.parquet", table.schema)
        self._parquet[name].write_table(table, row_group_size=len(table))


Encoded = Mapping[str, list[tuple[list[str], int, pa.Table | bytes]]]
"""Of each file: columns, number of rows and encoded part, part after part."""
