"""A county of a handful of pupils, written down row by row, for tests of timeline, cohort and labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import duckdb

from tests.known_registers import make_known

UNEXCUSED = "absent_unexcused"


def weekdays(first: date, last: date) -> list[date]:
    """Mondays to Fridays, first and last included."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day.isoweekday() <= 5]


AUTUMN_START, AUTUMN_END = date(2025, 9, 1), date(2026, 1, 16)
SPRING_START, SPRING_END = date(2026, 3, 2), date(2026, 7, 3)
NEXT_START, NEXT_END = date(2026, 9, 1), date(2027, 1, 15)
AUTUMN = weekdays(AUTUMN_START, AUTUMN_END)
SPRING = weekdays(SPRING_START, SPRING_END)
NEXT_AUTUMN = weekdays(NEXT_START, NEXT_END)


@dataclass
class SmallCounty:
    """Rows of registers; :meth:`known_on` shows those recorded by a day as schema ``known``."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    absences: dict[tuple[str, date], str | None] = field(default_factory=dict)

    def school(self, school_id: str, county_id: str = "C1", **more: Any) -> None:
        row = {"school_id": school_id, "name": school_id, "county_id": county_id, **more}
        self.rows["schools"].append(row)

    def enrol(self, *pupils: str, at: str = "A:7A", grade: int = 7, since: date = AUTUMN_START, **more: Any):
        """One spell each; ``at`` is ``school:class``, or the school alone where it has no classes."""
        school_id, _, class_id = at.partition(":")
        for pupil in pupils:
            row = {"student_id": pupil, "school_id": school_id, "class_id": class_id or None, "grade": grade}
            ended = more.get("ended_on")
            row |= {"started_on": since, "recorded_on": ended or since, **more}
            self.rows["enrolments"].append(row)

    def close(self, pupil: str, on: date, reason: str, *, recorded_on: date | None = None) -> None:
        """End the pupil's latest spell, as known from ``recorded_on`` (default: the day itself)."""
        spell = [row for row in self.rows["enrolments"] if row["student_id"] == pupil][-1]
        ended = {"ended_on": on, "end_reason": reason, "recorded_on": recorded_on or on}
        self.rows["enrolments"].append({**spell, **ended})

    def marks(self, pupils: Iterable[str], days: Iterable[date], mark: str | None = "present") -> None:
        """Marks of the days; a later call overwrites an earlier one, None takes the mark away."""
        days = list(days)
        self.absences.update({(pupil, day): mark for pupil in pupils for day in days})

    def calendar(self, days: Iterable[date], school_day: bool = True, **where: str) -> None:
        self.rows["calendar"] += [{"day": day, "school_day": school_day, **where} for day in days]

    def headcounts(self, at: str, days: Iterable[date], complete: bool = True) -> None:
        school_id, _, class_id = at.partition(":")
        row = {"school_id": school_id, "class_id": class_id or None, "complete": complete}
        self.rows["headcounts"] += [{**row, "day": day} for day in days]

    def student(self, pupil: str, **columns: Any) -> None:
        self.rows["students"].append({"student_id": pupil, **columns})

    def care(self, pupil: str, *steps: tuple[date, str], case: str = "K1", recorded_on: date | None = None):
        """Steps of a case, each known on its day unless it is said when."""
        row = {"student_id": pupil, "care_id": case}
        self.rows["care"] += [
            {**row, "day": day, "kind": kind, "recorded_on": recorded_on or day} for day, kind in steps
        ]

    def known_on(self, day: date) -> duckdb.DuckDBPyConnection:
        """A connection with the registers as known on ``day``."""
        registers = dict(self.rows)
        registers["enrolments"] = _in_force(self.rows["enrolments"], day)
        registers["attendance"] = [
            {"student_id": pupil, "day": marked, "mark": mark, "recorded_on": marked}
            for (pupil, marked), mark in self.absences.items()
            if mark is not None and marked <= day
        ]
        registers["headcounts"] = [row for row in self.rows["headcounts"] if row["day"] <= day]
        registers["care"] = [row for row in self.rows["care"] if row["recorded_on"] <= day]
        con = duckdb.connect()
        con.execute("SET threads = 1")
        make_known(con, **registers)
        return con


def _in_force(spells: list[dict[str, Any]], day: date) -> list[dict[str, Any]]:
    """The latest row of each spell recorded by ``day``."""
    known = {}
    for row in sorted(spells, key=lambda row: row["recorded_on"]):
        if row["recorded_on"] <= day:
            known[row["student_id"], row["school_id"], row["started_on"]] = row
    return list(known.values())


def rows_of(con: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    return con.execute(query, list(values)).fetchall()
