"""From the files of a delivery to typed rows in the stage, file by file, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from risk_model.lake.attaching import quoted
from risk_model.registers.accounts import FileReport
from risk_model.registers.checking import Check
from risk_model.registers.declaration import Register
from risk_model.registers.delivery import DeliveredFile
from risk_model.registers.fields import RECORDS, Texts, cell_texts, csv_texts, parquet_texts
from risk_model.registers.header import Header, UnreadableFileError, match
from risk_model.registers.reading_csv import ENCODINGS, Batch, CsvFile, batches, open_csv
from risk_model.registers.recording import Recording
from risk_model.registers.staging import add_problems, add_rows, create_table, faulty_lines, forget_file

Advance = Callable[[int], None]


class Taking:
    """Takes files into the stage of ``con``; rows are dated by ``recording``."""

    def __init__(self, con: duckdb.DuckDBPyConnection, recording: Recording, advance: Advance) -> None:
        self._con = con
        self._recording = recording
        self._advance = advance

    def take(self, file: DeliveredFile) -> FileReport:
        """Stage all rows of ``file``; a file that cannot be read at all is reported, not raised."""
        assert file.register is not None
        create_table(self._con, file.register)
        try:
            note = {"csv": self._csv, "xlsx": self._xlsx, "parquet": self._parquet}[str(file.format)](
                file, file.register
            )
        except UnreadableFileError as error:
            return FileReport(file.path.name, "refused", str(error))
        return FileReport(file.path.name, "read", note)

    def _csv(self, file: DeliveredFile, register: Register) -> str:
        if file.path.stat().st_size == 0:
            raise UnreadableFileError("it is empty")
        places = []
        for encoding in ENCODINGS:
            try:
                return self._csv_in(file, register, encoding)
            except UnicodeDecodeError as error:
                places.append(f"{encoding} ({error.reason})")
                forget_file(self._con, register, file.number)
        raise UnreadableFileError(f"its text is neither {' nor '.join(places)} throughout; save it as UTF-8")

    def _csv_in(self, file: DeliveredFile, register: Register, encoding: str) -> str:
        opened: CsvFile = open_csv(file.path, register, encoding)
        for batch in _ahead(batches(opened)):
            self._add(file, opened.header, csv_texts(register, opened, batch), batch.table)
            self._advance(batch.consumed)
        return _note(opened.header)

    def _xlsx(self, file: DeliveredFile, register: Register) -> str:
        from risk_model.registers.reading_xlsx import read_xlsx

        header, note, tables = read_xlsx(file.path, register)
        for table in tables:
            self._add(file, header, cell_texts(register, header), table)
        return "; ".join(filter(None, [_note(header), note]))

    def _parquet(self, file: DeliveredFile, register: Register) -> str:
        path = quoted(file.path)
        try:
            names = [
                str(row[0]) for row in self._con.execute(f"DESCRIBE FROM read_parquet({path})").fetchall()
            ]
            header = match(register, names)
            self._add(file, header, parquet_texts(register, header, names, path), None)
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException) as error:
            raise UnreadableFileError(f"it is no readable Parquet: {_first_line(error, file.path)}") from None
        return _note(header)

    def _add(self, file: DeliveredFile, header: Header, texts: Texts, records: pa.Table | None) -> None:
        """Stage rows; then, for the few that have a fault, what is wrong with them."""
        assert file.register is not None
        check = Check(file.register, texts, header.positions.keys(), self._recording)
        with self._registered(records):
            add_rows(self._con, file.register, file.number, check.rows)
        before = 0 if records is None else records["line"][0].as_py() - 1
        lines = faulty_lines(self._con, file.register, file.number, before)
        if len(lines):
            few = None if records is None else records.filter(np.isin(records["line"], lines))
            with self._registered(few):
                add_problems(self._con, file.register, file.number, check.problems)

    @contextmanager
    def _registered(self, records: pa.Table | None) -> Iterator[None]:
        if records is None:
            yield
            return
        self._con.register(RECORDS, records)
        try:
            yield
        finally:
            self._con.unregister(RECORDS)


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, the next one cut while this one is checked."""
    with ThreadPoolExecutor(1) as cutter:
        coming = cutter.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = cutter.submit(next, batches, None)
            yield batch


def _note(header: Header) -> str:
    return f"columns not known and not taken: {', '.join(header.unknown)}" if header.unknown else ""


def _first_line(error: Exception, path: Path) -> str:
    return str(error).splitlines()[0].replace(str(path), path.name)
