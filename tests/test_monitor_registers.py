"""What the registers say of themselves, counted from plain rows."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from monitoring.quality.registers import RegisterFacts, register_facts
from tests.known_registers import make_known

DAY = date(2026, 4, 10)


class KnownLake:
    """Stands for a lake cut by a day: registers of plain rows."""

    def __init__(self, **registers: list[dict[str, Any]]) -> None:
        self.con = duckdb.connect()
        make_known(self.con, **registers)
        self.filled = frozenset(name for name, rows in registers.items() if rows)

    def known_on(self, day: date) -> None:
        assert day == DAY

    def registers(self) -> frozenset[str]:
        return self.filled

    def assumed(self) -> bool:
        return False


def facts_of(**registers: list[dict[str, Any]]) -> RegisterFacts:
    return register_facts(KnownLake(**registers), DAY)  # type: ignore[arg-type]


def stays(**schools: str) -> list[dict[str, Any]]:
    return [
        {"student_id": pupil, "school_id": school, "started_on": "2025-09-01"}
        for pupil, school in schools.items()
    ]


def mark(pupil: str, school: str | None = None, what: str = "present") -> dict[str, Any]:
    return {"student_id": pupil, "day": DAY - timedelta(days=1), "mark": what, "school_id": school}


@pytest.mark.parametrize("said", ["A", None, "unheard of"])
def test_a_mark_counts_at_the_school_that_sent_it_or_else_where_the_pupil_is(said: str | None):
    facts = facts_of(
        enrolments=stays(p="A", q="B"), attendance=[mark("p", said), mark("q", None, "absent_sick")]
    )
    told = facts.marks.set_index("school_id")
    assert told["rows"].to_dict() == {"A": 1, "B": 1}
    assert told["absent_sick"].to_dict() == {"A": 0, "B": 1}


def test_a_pupil_who_moved_is_counted_by_the_school_that_sent_the_mark():
    facts = facts_of(enrolments=stays(p="B", q="A"), attendance=[mark("p", "A"), mark("q", "A")])
    assert facts.marks.set_index("school_id")["rows"].to_dict() == {"A": 2}


def test_a_complete_headcount_tells_of_all_pupils():
    told = {"school_id": "A", "day": DAY - timedelta(days=1), "present": 28, "complete": True}
    facts = facts_of(enrolments=stays(p="A"), attendance=[mark("p", None, "late")], headcounts=[told])
    row = facts.marks.iloc[0]
    assert (row["rows"], row["late"]) == (29, 1)
