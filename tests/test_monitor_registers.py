"""What the registers say of themselves, counted from plain rows."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from monitoring.performance.cohorts import revised
from monitoring.performance.facts import facts_of_window
from monitoring.performance.judging import judge_cohorts
from monitoring.quality.coverage import coverage, coverage_told, judge_coverage
from monitoring.quality.registers import RegisterFacts, register_facts
from risk_model.settings import LabelSettings, MonitoringSettings
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


def test_coverage_is_told_by_school_and_county():
    """A sends four marks of five, B all, C none, D for half of its pupils by a headcount."""
    pupils = {f"{school}{n}": school for school in "ABCD" for n in range(5)}
    days = [DAY - timedelta(days=back) for back in range(1, 11)]
    told = [
        {"student_id": pupil, "day": day, "mark": "present", "school_id": school}
        for pupil, school in pupils.items()
        for day in days
        if school == "B" or (school == "A" and pupil != "A0")
    ]
    half = [{"school_id": "D", "day": day, "present": 5, "complete": True} for day in days[::2]]
    places = [
        {"school_id": school, "county_id": "K" if school in "AB" else "L", "name": school}
        for school in "ABCD"
    ]
    facts = facts_of(enrolments=stays(**pupils), attendance=told, headcounts=half, schools=places)
    found = coverage(facts)
    assert found.set_index("school_id")["coverage"].to_dict() == {"A": 0.8, "B": 1.0, "C": 0.0, "D": 0.5}
    part = coverage_told(found, facts)
    assert part is not None
    assert [one["school_id"] for one in part["lowest"]] == ["C", "D", "A", "B"]
    assert {one["county_id"]: one["coverage"] for one in part["counties"]} == {"L": 0.25, "K": 0.9}
    (low,) = judge_coverage(found, LabelSettings())
    assert (low.level, low.n, low.figures["names"]) == ("tell", 1, "C")
    assert low.said("en")
    assert low.said("zh")


def test_without_marks_there_is_no_coverage_to_tell():
    facts = facts_of(enrolments=stays(p="A"))
    assert coverage(facts).empty
    assert coverage_told(coverage(facts), facts) is None


def rows(exits: int, found: int) -> dict[str, Any]:
    counts = {"positives": exits, "found": found, "known": 500, "listed": 25, "unknown_share": 0.0}
    figures = {"counts": counts, "expected_precision": None, "precision": found / 25, "recall": found / exits}
    return {"state": "mature", "as_of": "2025-11-03", "days": 90, "judged_on": "2026-03-09", "facts": {},
            "figures": figures}  # fmt: skip


def test_what_a_cohorts_labels_are_made_from_is_one_number_that_every_late_row_changes():
    said = {"enrolments": stays(p="A", q="A"), "attendance": [mark("p", "A"), mark("q", "A")]}

    def number(**changed: list[dict[str, Any]]) -> dict[str, str]:
        return facts_of_window(KnownLake(**(said | changed)), DAY - timedelta(days=30), 90, DAY)  # type: ignore[arg-type]

    before = number()
    assert number() == before
    assert number(attendance=said["attendance"][::-1]) == before, "the order does not matter"
    late = {"student_id": "q", "school_id": "A", "started_on": "2025-09-01", "ended_on": "2026-04-01",
            "end_reason": "dropped_out"}  # fmt: skip
    assert number(enrolments=[said["enrolments"][0], late]) != before
    assert number(attendance=[mark("p", "A"), mark("q", "A", "absent_unexcused")]) != before
    assert number(attendance=[mark("p", "A")]) != before, "a row taken back"
    long_ago = {"student_id": "p", "day": "2024-01-08", "mark": "late", "school_id": "A"}
    assert number(attendance=[*said["attendance"], long_ago]) == before, "outside the window"


def test_a_cohort_judged_again_keeps_what_was_said_and_tells_what_changed():
    kept = rows(10, 4)
    same = revised(kept, {**rows(10, 4), "judged_on": "2026-03-16", "facts": {"enrolments": "1"}})
    assert same["judged_on"] == "2026-03-09"
    assert "earlier" not in same
    assert same["looked_on"] == "2026-03-16"
    assert list(judge_cohorts([same | {"model_version": "1"}], "2", MonitoringSettings())) == []
    now = revised(same, {**rows(12, 5), "judged_on": "2026-03-23"}) | {"model_version": "1"}
    assert [(one["judged_on"], one["positives"]) for one in now["earlier"]] == [("2026-03-09", 10)]
    again = revised(now, {**rows(13, 5), "judged_on": "2026-03-30"}) | {"model_version": "1"}
    assert [one["positives"] for one in again["earlier"]] == [10, 12]
    (told,) = judge_cohorts([again], "2", MonitoringSettings())
    assert (told.code, told.level) == ("cohort_revised", "tell")
    assert "13 left where 12 were known" in told.said("en")
    assert told.said("zh")
