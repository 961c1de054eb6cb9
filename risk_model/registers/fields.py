"""SQL that gives every kind of file the same shape: ``line``, ``flaw`` and a text per declared column.

``flaw`` says why a row cannot be split into its columns, else null. Texts are as delivered.
"""

from __future__ import annotations

from risk_model.registers.declaration import Register
from risk_model.registers.header import Header
from risk_model.registers.reading_csv import Batch, CsvFile

RECORDS = "records"
"""Name under which a batch of Arrow records is registered with DuckDB."""


def csv_texts(register: Register, file: CsvFile, batch: Batch) -> str:
    """Texts of a batch of CSV records."""
    fields = _split(file.delimiter, batch.quotes)
    return f"""
        SELECT line, {_flaw(file.header.width, batch)} AS flaw,
               {_columns(register, file.header, "fields[{}]", 1)}
        FROM (SELECT line, broken, rec, {fields} AS fields
              FROM (SELECT line, broken, rtrim(rec, chr(13) || chr(10)) AS rec FROM {RECORDS})
              WHERE trim(rec) <> '')"""


def cell_texts(register: Register, header: Header) -> str:
    """Texts of a batch of cells, columns ``c0``, ``c1``, … of text."""
    return f"SELECT line, NULL::VARCHAR AS flaw, {_columns(register, header, 'c{}', 0)} FROM {RECORDS}"


def parquet_texts(register: Register, header: Header, names: list[str], path: str) -> str:
    """Texts of a Parquet file; a line is a row, counted from 1."""
    columns = ", ".join(
        f'CAST("{_escaped(names[header.positions[column.name]])}" AS VARCHAR) AS {column.name}'
        if column.name in header.positions
        else f"NULL::VARCHAR AS {column.name}"
        for column in register.delivered
    )
    return (
        f"SELECT file_row_number + 1 AS line, NULL::VARCHAR AS flaw, {columns}"
        f" FROM read_parquet({path}, file_row_number = true, hive_partitioning = false)"
    )


def _escaped(name: str) -> str:
    return name.replace('"', '""')


def _columns(register: Register, header: Header, place: str, base: int) -> str:
    return ", ".join(
        f"{place.format(header.positions[column.name] + base)} AS {column.name}"
        if column.name in header.positions
        else f"NULL::VARCHAR AS {column.name}"
        for column in register.delivered
    )


def _split(delimiter: str, quotes: bool) -> str:
    mark = f"chr({ord(delimiter)})"
    plain = f"string_split(rec, {mark})"
    if not quotes:
        return plain
    other = "\\t" if delimiter == "\t" else delimiter
    pattern = f'( *"(?:[^"]|"")*" *|[^{other}]*){other}'
    pieces = f"regexp_extract_all(rec || {mark}, '{pattern}', 1)"
    whole = "regexp_full_match(trim(piece), '(?s)\".*\"') AND length(trim(piece)) >= 2"
    inner = "replace(trim(piece)[2:-2], '\"\"', '\"')"
    unquoted = f"list_transform({pieces}, lambda piece: CASE WHEN {whole} THEN {inner} ELSE piece END)"
    return f"CASE WHEN contains(rec, '\"') THEN {unquoted} ELSE {plain} END"


def _flaw(width: int, batch: Batch) -> str:
    cases = ["WHEN broken THEN 'a quotation mark is opened and never closed'"]
    if batch.nul:
        cases.append("WHEN contains(rec, chr(0)) THEN 'the row holds NUL bytes'")
    cases.append(f"WHEN len(fields) <> {width} THEN len(fields) || ' fields where the header names {width}'")
    return f"CASE {' '.join(cases)} END"
