"""However a CSV file is written – quotes, newlines, blanks, block by block – its cells are the same."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from risk_model.registers import reading_csv
from risk_model.registers.checking import Check
from risk_model.registers.declared import REGISTERS
from risk_model.registers.fields import RECORDS, Texts, csv_texts
from risk_model.registers.reading_csv import Batch, batches, open_csv
from risk_model.registers.recording import parse_recording

ATTENDANCE = REGISTERS["attendance"]
COLUMNS = ["student_id", "day", "mark", "school_id"]
PIECES = ["a", "é", "学", "7", " ", "\u3000", "\u00a0", ",", '"', '""', "\n", ";", "-"]
ROWS = [
    ["S1", "2025-09-01", "present", "A"],
    ["S2", "2025-09-31", "present", "A"],
    ["S3", "2025-09-01", "asleep", ""],
    ["", "2025-09-01", "旷课", "A"],
    ["S5", "20250901", "late", "A"],
    ["S6", "2025-09-01"],
    ["S7", "2025/9/1", "LATE", "A"],
]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


def read(
    con: duckdb.DuckDBPyConnection, path: Path, ask: str = "texts"
) -> tuple[list[tuple[Any, ...]], list[Batch]]:
    """Rows of a file of marks: its ``texts``, or the ``rows`` or ``problems`` of their check."""
    file = open_csv(path, ATTENDANCE, "utf-8")
    rows, seen = [], []
    for batch in batches(file):
        texts = csv_texts(ATTENDANCE, file, batch)
        con.register(RECORDS, batch.table)
        rows += con.execute(f"FROM ({_sql(texts, file.header.positions, ask)}) ORDER BY line").fetchall()
        con.unregister(RECORDS)
        seen.append(batch)
    return rows, seen


def _sql(texts: Texts, positions: dict[str, int], ask: str) -> str:
    if ask == "texts":
        return f"SELECT line, flaw, {', '.join(COLUMNS)} FROM ({texts.sql})"
    check = Check(ATTENDANCE, texts, positions.keys(), parse_recording(None, date(2025, 12, 1)))
    return check.rows if ask == "rows" else check.problems


def write(path: Path, rows: list[list[str]], **style: Any) -> Path:
    text = io.StringIO()
    csv.writer(text, **style).writerows([COLUMNS, *rows])
    path.write_bytes(text.getvalue().encode())
    return path


@pytest.mark.parametrize("seed", range(40))
def test_cells_are_those_of_the_csv_module_however_the_file_is_quoted_and_cut(
    seed: int, con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    monkeypatch.setattr(reading_csv, "BLOCK", draw.choice([64, 100, 1 << 20]))
    pieces = PIECES if seed % 2 else PIECES[:4]
    rows = [
        ["".join(draw.choices(pieces, k=draw.randrange(4))) for _ in COLUMNS]
        for _ in range(draw.randrange(30))
    ]
    style = {
        "quoting": draw.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
        "lineterminator": draw.choice(["\n", "\r\n"]),
    }
    path = write(tmp_path / "attendance.csv", rows, **style)
    if draw.random() < 0.5:
        path.write_bytes(path.read_bytes().rstrip(b"\r\n"))
    found, seen = read(con, path)
    with path.open(newline="", encoding="utf-8") as stream:
        expected = list(csv.reader(stream))[1:]
    assert [list(row[2:]) for row in found] == expected
    assert {row[1] for row in found} <= {None}
    padded = any(cell != cell.strip() for row in expected for cell in row)
    assert any(batch.texture.blanks for batch in seen) or not padded


@pytest.mark.parametrize(
    "style",
    [
        {"lineterminator": "\r\n"},
        {"quoting": csv.QUOTE_ALL},
        {"quoting": csv.QUOTE_ALL, "lineterminator": "\r\n"},
        {"delimiter": "\t"},
        {"delimiter": ";", "quoting": csv.QUOTE_ALL},
    ],
    ids=str,
)
@pytest.mark.parametrize("ask", ["rows", "problems"])
def test_rows_and_what_is_wrong_with_them_do_not_depend_on_the_style(
    style: dict[str, Any], ask: str, con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    plain, _ = read(con, write(tmp_path / "attendance.csv", ROWS, lineterminator="\n"), ask)
    styled, seen = read(
        con, write(tmp_path / "attendance_2.csv", ROWS, **{"lineterminator": "\n"} | style), ask
    )
    assert styled == plain
    assert len(plain) == (7 if ask == "rows" else 4)
    assert seen[0].texture.newline == len(style.get("lineterminator", "\n"))


def test_padded_cells_blank_lines_and_mixed_newlines_are_read_as_plain_ones(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    plain, _ = read(con, write(tmp_path / "attendance.csv", ROWS, lineterminator="\n"), "rows")
    padded = [[f" {cell}\u3000" for cell in row] for row in ROWS]
    found, _ = read(con, write(tmp_path / "attendance_2.csv", padded, lineterminator="\n"), "rows")
    assert found == plain
    told = (tmp_path / "attendance.csv").read_bytes()
    for name, text in (
        ("_blank.csv", told.replace(b"\n", b"\n\n")),
        ("_spaces.csv", told.replace(b"\n", b"\n     \n")),
        ("_mixed.csv", told.replace(b"\n", b"\r\n", 3)),
        ("_returns.csv", told.replace(b"\n", b"\r\r\n")),
        ("_crlf_blank.csv", told.replace(b"\n", b"\r\n\r\n")),
    ):
        path = tmp_path / f"attendance{name}"
        path.write_bytes(text)
        found, _ = read(con, path, "rows")
        assert [row[1:] for row in found] == [row[1:] for row in plain], name
        double = text.count(b"\n") == 2 * told.count(b"\n")
        assert [row[0] for row in found] == [row[0] * 2 - 1 if double else row[0] for row in plain], name
