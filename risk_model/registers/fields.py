"""SQL that gives every kind of file the same shape: ``line``, ``flaw`` and a text per declared column.

``flaw`` says why a row cannot be split into its columns, else null. Texts are as delivered.
"""

from __future__ import annotations

from dataclasses import dataclass

from risk_model.registers.declaration import Register
from risk_model.registers.header import Header
from risk_model.registers.reading_csv import Batch, CsvFile, Texture

RECORDS = "records"
"""Name under which a batch of Arrow records is registered with DuckDB."""


@dataclass(frozen=True)
class Texts:
    """SQL of rows of texts, and whether cells may have blanks around."""

    sql: str
    blanks: bool = True


def csv_texts(register: Register, file: CsvFile, batch: Batch) -> Texts:
    """Texts of a batch of CSV records."""
    mark = f"chr({ord(file.delimiter)})"
    # A record with a delimiter is not blank; asking that first is cheap.
    told = f"contains(rec, {mark}) OR trim(rec) <> ''" if batch.texture.blanks else "rec <> ''"
    sql = f"""
        SELECT line, {_flaw(file.header.width, batch.texture)} AS flaw,
               {_columns(register, file.header, "fields[{}]", 1)}
        FROM (SELECT line, broken, rec, {_split(file.delimiter, batch.texture.quotes)} AS fields
              FROM (SELECT line, broken, {_without_newline(batch.texture)} AS rec FROM {RECORDS})
              WHERE {told})"""
    return Texts(sql, batch.texture.blanks)


def _without_newline(texture: Texture) -> str:
    return f"left(rec, -{texture.newline})" if texture.newline else "rtrim(rec, chr(13) || chr(10))"


def cell_texts(register: Register, header: Header) -> Texts:
    """Texts of a batch of cells, columns ``c0``, ``c1``, … of text."""
    return Texts(f"SELECT line, NULL::VARCHAR AS flaw, {_columns(register, header, 'c{}', 0)} FROM {RECORDS}")


def parquet_texts(register: Register, header: Header, names: list[str], path: str) -> Texts:
    """Texts of a Parquet file; a line is a row, counted from 1."""
    columns = ", ".join(
        f'CAST("{_escaped(names[header.positions[column.name]])}" AS VARCHAR) AS {column.name}'
        if column.name in header.positions
        else f"NULL::VARCHAR AS {column.name}"
        for column in register.delivered
    )
    return Texts(
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
    # Every field in quotes and no quote within one: the common export, split without a pattern.
    simply = f"string_split(rec[2:-2], '\"' || {mark} || '\"')"
    within = "length(rec) - length(replace(rec, '\"', ''))"
    simple = f"rec[1] = '\"' AND rec[-1] = '\"' AND {within} = 2 * len({simply})"
    return f"CASE WHEN NOT contains(rec, '\"') THEN {plain} WHEN {simple} THEN {simply} ELSE {unquoted} END"


def _flaw(width: int, texture: Texture) -> str:
    cases = ["WHEN broken THEN 'a quotation mark is opened and never closed'"]
    if texture.nul:
        cases.append("WHEN contains(rec, chr(0)) THEN 'the row holds NUL bytes'")
    cases.append(f"WHEN len(fields) <> {width} THEN len(fields) || ' fields where the header names {width}'")
    return f"CASE {' '.join(cases)} END"
