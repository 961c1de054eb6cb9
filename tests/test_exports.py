"""Exports: no cell of a list becomes a formula, numbers stay numbers, nothing restricted leaves."""

from __future__ import annotations

import csv
import io
import json
import random
import string
import zipfile

import openpyxl
import pyarrow.parquet as pq
import pytest

from serving.exports import DANGEROUS, to_csv, to_json, to_parquet, to_xlsx
from serving.lists import KEYS
from tests.nights import CountyOffice, county_office, county_office_with_archive  # noqa: F401
from tests.test_lists import page

LEADS = sorted(DANGEROUS)
TAILS = ("1+1", "cmd|' /C calc'!A0", 'HYPERLINK("http://x")', "SUM(A1:A9)", "\n=1", '"', ",", ";", "7A", "")
TEXTS = ("student_id", "county_id", "school_id", "class_id", "status", "model_version")


def row(**cells):
    plain = {
        "student_id": "P1", "as_of": "2026-03-02", "county_id": "K", "school_id": "A", "class_id": "7A",
        "grade": 7, "status": "scored", "risk": 0.123456789,
        "rank": 1, "rank_in_school": 1, "rank_in_class": 1,
        "listed": True, "stale": False, "model_version": "3",
        "reasons": [{"feature": "f", "family": "attendance", "text": "Missed 18 %", "contribution": 0.5}],
    }  # fmt: skip
    return {**plain, **cells}


def hostile(count: int) -> list[dict]:
    """Rows whose texts all begin dangerously, some behind blanks, some with line breaks and quotes."""
    dice = random.Random(11)

    def text() -> str:
        blanks = dice.choice(["", "", " ", "  ", "\u3000", "\ufeff"])
        tail = dice.choice(TAILS) + "".join(dice.choices(string.printable[:94], k=dice.randint(0, 8)))
        return blanks + dice.choice(LEADS) + tail

    return [
        row(
            **{name: text() for name in TEXTS},
            reasons=[{"feature": "f", "family": "x", "text": text(), "contribution": -0.5}],
        )
        for _ in range(count)
    ]


def test_no_cell_of_a_csv_begins_like_a_formula():
    rows = hostile(750)
    cells = [cell for line in csv.reader(io.StringIO(to_csv(rows).decode(), newline="")) for cell in line]
    texts = [cell for cell in cells if cell]
    assert len(rows) * (len(TEXTS) + 1) >= 5000
    assert len(cells) == (len(rows) + 1) * len(KEYS)
    for cell in texts:
        assert cell[0] not in DANGEROUS
        assert cell.strip(" \u3000\ufeff")[0] not in DANGEROUS


def test_a_csv_keeps_every_text_whole_behind_its_apostrophe():
    rows = hostile(50)
    read = list(csv.DictReader(io.StringIO(to_csv(rows).decode(), newline="")))
    assert [cell["class_id"] for cell in read] == [f"'{original['class_id']}" for original in rows]


def test_no_cell_of_a_workbook_is_a_formula_or_a_link():
    rows = hostile(750)
    content = to_xlsx(rows)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet
    cells = openpyxl.load_workbook(io.BytesIO(content)).active
    assert cells.max_row == 751
    assert all(cell.data_type in "snb" for line in cells.iter_rows() for cell in line)


def test_numbers_are_numbers_and_texts_are_texts():
    values = to_csv([row(class_id="007")]).decode().splitlines()[1]
    assert '"007"' in values
    assert ",0.123456789," in values
    sheet = openpyxl.load_workbook(io.BytesIO(to_xlsx([row(class_id="007")]))).active
    line = dict(zip(KEYS, (cell.value for cell in sheet[2]), strict=True))
    assert (line["class_id"], line["risk"], line["rank"], line["listed"]) == ("007", 0.123456789, 1, True)


def test_a_negative_number_is_not_taken_for_a_formula():
    assert ",-0.5," in to_csv([row(risk=-0.5)]).decode()


def test_reasons_are_joined_and_null_stays_empty():
    told = [{"feature": "a", "family": "x", "text": text, "contribution": None} for text in ("One", "Two")]
    [read] = csv.DictReader(io.StringIO(to_csv([row(reasons=told, risk=None, rank=None)]).decode()))
    assert read["reasons"] == "One; Two"
    assert (read["risk"], read["rank"]) == ("", "")


def test_json_and_parquet_hold_the_rows_as_they_are():
    rows = [row(), row(risk=None, rank=None, class_id=None)]
    assert json.loads(to_json(rows)) == rows
    assert pq.read_table(io.BytesIO(to_parquet(rows))).to_pylist() == rows


@pytest.mark.parametrize("export", [to_csv, to_xlsx, to_json, to_parquet])
def test_an_empty_list_is_an_empty_file_of_its_kind(export):
    assert export([])


def test_no_export_tells_a_restricted_reason(office: CountyOffice):
    office.frame["parent_illness"] = 1.0
    office.score()
    rows = page(office, everybody=True).rows
    told = json.dumps([rows, to_csv(rows).decode(), to_json(rows).decode()], ensure_ascii=False)
    assert "details are restricted" in told
    assert "parent_illness" not in told
    assert "seriously ill" not in told
