"""Labels of a small county, asked for as tests ask: this snapshot, known on that day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

from risk_model.labels import label
from risk_model.settings import LabelSettings
from risk_model.timeline import build_timeline
from tests.small_county import AUTUMN, SPRING, SmallCounty, rows_of

SNAPSHOT = date(2025, 10, 10)
HORIZON = 90
FIT = date(2026, 3, 31)
"""A day on which the labels of SNAPSHOT have matured: s + 90 + 28 is 2026-02-05."""
CLASS = ("p1", "p2", "p3", "p4")
OTHERS = ("q1", "q2", "q3", "q4")


class Labelled(NamedTuple):
    """A row of ``labels``."""

    student_id: str
    snapshot: date
    label: int | None
    state: str
    happened_on: date | None
    dropped_out: bool
    long_absence: bool
    non_return: bool
    transferred_nowhere: bool
    care_affected: bool


def ordinary_county() -> SmallCounty:
    """Classes 7A of schools A and B, four pupils each, everybody present on every day of the school year."""
    county = SmallCounty()
    county.school("A")
    county.school("B")
    county.enrol(*CLASS, at="A:7A")
    county.enrol(*OTHERS, at="B:7A")
    county.calendar([*AUTUMN, *SPRING], county_id="C1")
    county.marks([*CLASS, *OTHERS], [*AUTUMN, *SPRING])
    return county


def labelled(
    county: SmallCounty,
    *,
    pupils: tuple[str, ...] = CLASS,
    snapshots: tuple[date, ...] = (SNAPSHOT,),
    fit: date = FIT,
    every_row: bool = False,
    school: str = "A",
    **settings: Any,
) -> Any:
    """Labels as known on ``fit``: by pupil, or all rows where there are several snapshots."""
    con = county.known_on(fit)
    build_timeline(con, fit, since=min(snapshots) - timedelta(days=60))
    con.execute(
        "CREATE TABLE snapshots "
        "(student_id TEXT, school_id TEXT, class_key TEXT, grade BIGINT, snapshot DATE)"
    )
    for day in snapshots:
        con.executemany(
            "INSERT INTO snapshots VALUES (?, ?, ?, 7, ?)",
            [(pupil, school, f"{school}:7A:2025", day) for pupil in pupils],
        )
    label(con, "snapshots", fit, LabelSettings(**settings))
    rows = [Labelled(*row) for row in rows_of(con, "SELECT * FROM labels ORDER BY student_id, snapshot")]
    assert len(rows) == len(pupils) * len(snapshots)
    return rows if every_row else {row.student_id: row for row in rows}
