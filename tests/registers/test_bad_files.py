"""Every kind of bad file is accounted for row by row, or refused by name; nothing passes in silence."""

from __future__ import annotations

import pytest
from bad_file import BadFile
from bad_files import BAD_FILES
from office import SCHOOLS, STUDENTS, TestOffice, accounts, quarantined

from risk_model.errors import InputRefusedError


def delivery(bad: BadFile) -> dict[str, str | bytes]:
    base: dict[str, str | bytes] = {"schools.csv": SCHOOLS, "students.csv": STUDENTS}
    if "no register" in bad.refused:
        base = {}
    return base | {bad.file: bad.content} | bad.others


def test_there_are_at_least_sixty_kinds_and_each_has_its_own_name() -> None:
    assert len({bad.name for bad in BAD_FILES}) == len(BAD_FILES) >= 60


@pytest.mark.parametrize("bad", [bad for bad in BAD_FILES if not bad.refused], ids=lambda bad: bad.name)
def test_each_row_of_a_bad_file_is_accounted_for(bad: BadFile, office: TestOffice) -> None:
    report = office.deliver(**delivery(bad))
    assert accounts(report, bad.register) == bad.accounts
    rows = [row for row in quarantined(report) if row["register"] == bad.register]
    assert len(rows) == len(bad.faults)
    for row, fault in zip(rows, bad.faults, strict=True):
        assert row["file"] == bad.file
        assert (int(row["line"]), row["column"], row["value"]) == (fault.line, fault.column, fault.value)
        assert fault.reason in row["reason"]


@pytest.mark.parametrize("bad", [bad for bad in BAD_FILES if bad.refused], ids=lambda bad: bad.name)
def test_a_file_that_cannot_be_read_refuses_the_delivery_by_name(bad: BadFile, office: TestOffice) -> None:
    with pytest.raises(InputRefusedError, match=r"Nothing of this delivery|holds no register") as caught:
        office.deliver(**delivery(bad))
    assert bad.refused in str(caught.value)
    document = caught.value.document
    assert document is not None
    assert document["taken"] is False
    if document["tables"]:
        statuses = {file["path"]: file["status"] for file in document["files"]}
        assert statuses[bad.file] == "refused"
        assert statuses["students.csv"] == "read"
        assert office.known("students") == [], "nothing of the delivery was taken"


@pytest.mark.slow
def test_of_a_million_rows_one_bad_one_is_found(office: TestOffice) -> None:
    rows = [f"S{number},2025-09-0{1 + number % 9},present\n" for number in range(1_000_000)]
    rows[654_321] = "S654321,2025-09-01,presnt\n"
    report = office.deliver(attendance="student_id,day,mark\n" + "".join(rows), max_rejected=0.02)
    assert accounts(report, "attendance") == (1_000_000, 999_999, 1, 0)
    assert [(row["line"], row["value"]) for row in quarantined(report)] == [("654323", "presnt")]
