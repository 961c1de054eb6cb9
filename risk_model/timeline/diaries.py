"""Every pupil's diary of marks: one byte a day, side by side in one matrix.

A county's term is tens of millions of marks. As rows they are joined, grouped and sorted again and again;
as a matrix of pupils and calendar days they are read once and then walked through. What the diaries say is
what the table ``pupil_days`` of :mod:`risk_model.timeline.build` says row by row (a test holds them equal).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from risk_model.timeline.codes import COMPLETE, KEPT
from risk_model.timeline.marks import MARK

if TYPE_CHECKING:
    import duckdb

LOOKBACK_DAYS = 260
"""Days of marks read before a snapshot: 90 school days across a long summer, or a whole term."""

DAYS_AT_A_TIME = 62
"""Days of marks taken from DuckDB at a time: at a million pupils 600 MB."""

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Stays:
    """Stretches of days with the class a pupil is listed under, by pupil and first day; never overlapping."""

    begin: Numbers
    """(pupils + 1,) the stays of pupil ``n`` are ``begin[n]`` up to, but not with, ``begin[n + 1]``."""
    first: Numbers
    """(stays,) first day, as a column of the diaries."""
    last: Numbers
    """(stays,) last day, included."""
    class_no: Numbers
    """(stays,)"""


@dataclass(frozen=True)
class Diaries:
    """Marks of all pupils over the days from ``since`` on, and what their classes did on them."""

    since: date
    marks: NDArray[np.uint8]
    """(pupils, days) :data:`risk_model.timeline.codes.CODE` of the mark; the row is ``student_no``."""
    stays: Stays
    kept: NDArray[np.uint8]
    """(classes, days) ``NOT_KEPT``, ``KEPT`` or ``COMPLETE``; the row is ``class_no``."""

    @property
    def days(self) -> int:
        return int(self.marks.shape[1])

    def column(self, days: NDArray[Any]) -> Numbers:
        """Columns of these days (datetime64); before the first 0, after the last and null ``self.days``."""
        offset = (days.astype("datetime64[D]") - np.datetime64(self.since)).astype(np.float64)
        return np.clip(np.nan_to_num(offset, nan=self.days), 0, self.days).astype(np.int32)


class MarkSource(Protocol):
    """Where marks come from; every source says the same, to the last byte."""

    def fill(self, con: duckdb.DuckDBPyConnection, marks: NDArray[np.uint8], day: date, since: date) -> None:
        """Write the marks of ``timeline_pupils`` into the matrix of zeros; days ``since`` to ``day``."""


@dataclass(frozen=True)
class KnownMarks:
    """Marks row by row out of ``known.attendance``: on any day, of anybody."""

    pupils: str = "timeline_pupils"
    """Table of the pupils asked for: ``student_no`` and ``student_id``."""

    def fill(self, con: duckdb.DuckDBPyConnection, marks: NDArray[np.uint8], day: date, since: date) -> None:
        width = marks.shape[1]
        flat = marks.reshape(-1)
        for start in range(0, width, DAYS_AT_A_TIME):
            days = {
                "from": since + timedelta(days=start),
                "to": min(day, since + timedelta(days=start + DAYS_AT_A_TIME - 1)),
            }
            # By way of a table: asked for directly, the answer never comes (seen with DuckDB 1.5.5).
            con.execute(_MARKS.format(pupils=self.pupils), days | {"since": since})
            found = con.execute("FROM timeline_marks_read").fetchnumpy()
            pupil, at, code = (np.asarray(found[name]) for name in ("student_no", "at", "code"))
            flat[pupil.astype(np.int64) * width + at] = code
        con.execute("DROP TABLE timeline_marks_read")


KNOWN = KnownMarks()


def read_marks(
    con: duckdb.DuckDBPyConnection, day: date, since: date, source: MarkSource
) -> NDArray[np.uint8]:
    """The matrix of marks of ``timeline_pupils``; days ``since`` to ``day``."""
    pupils = _count(con, "SELECT coalesce(max(student_no), 0) + 1 FROM timeline_pupils")
    marks = np.zeros((pupils, (day - since).days + 1), dtype=np.uint8)
    source.fill(con, marks, day, since)
    return marks


def read_stays(con: duckdb.DuckDBPyConnection, pupils: int, day: date, since: date) -> Stays:
    """Stays of ``timeline_stays`` that touch the days ``since`` to ``day``, cut to them."""
    found = con.execute(_STAYS, {"day": day, "since": since}).fetchnumpy()
    pupil, first, last, class_no = (np.asarray(found[name]).astype(np.int32) for name in found)
    begin = np.searchsorted(pupil, np.arange(pupils + 1)).astype(np.int32)
    return Stays(begin, first, last, class_no)


def read_kept(con: duckdb.DuckDBPyConnection, width: int, since: date) -> NDArray[np.uint8]:
    """The matrix of what classes did, from ``class_days``."""
    classes = _count(con, "SELECT coalesce(max(class_no), 0) + 1 FROM timeline_classes")
    kept = np.zeros((classes, width), dtype=np.uint8)
    found = con.execute(_KEPT, {"since": since}).fetchnumpy()
    kept[found["class_no"], found["at"]] = found["what"]
    return kept


def put_class_marks(
    con: duckdb.DuckDBPyConnection, marks: NDArray[np.uint8], stays: Stays, since: date
) -> None:
    """Make ``timeline_class_marks``: how many pupils of each class have a mark on each day."""
    import pyarrow as pa

    from risk_model.timeline.diary_kernels import count_class_marks

    classes = _count(con, "SELECT coalesce(max(class_no), 0) + 1 FROM timeline_classes")
    counted = count_class_marks(marks, stays.begin, stays.first, stays.last, stays.class_no, classes)
    class_no, at = np.nonzero(counted)
    told = pa.table(
        {
            "class_no": pa.array(class_no.astype(np.int32)),
            "day": pa.array(np.datetime64(since) + at.astype("timedelta64[D]")),
            "marked": pa.array(counted[class_no, at]),
        }
    )
    con.register("counted_marks", told)
    con.execute("CREATE OR REPLACE TEMP TABLE timeline_class_marks AS FROM counted_marks")
    con.unregister("counted_marks")


def put_streaks(con: duckdb.DuckDBPyConnection, diaries: Diaries) -> None:
    """Make ``timeline_streaks``; see :func:`risk_model.timeline.build_diaries`."""
    import pyarrow as pa

    from risk_model.timeline.diary_kernels import unexcused_streaks

    stays = diaries.stays
    days = unexcused_streaks(
        diaries.marks, diaries.kept, stays.begin, stays.first, stays.last, stays.class_no
    )
    pupils = np.flatnonzero(days)
    found = pa.table({"student_no": pa.array(pupils.astype(np.int32)), "unexcused": pa.array(days[pupils])})
    con.register("found_streaks", found)
    con.execute("CREATE OR REPLACE TEMP TABLE timeline_streaks AS FROM found_streaks")
    con.unregister("found_streaks")


def _count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(con.execute(query).fetchall()[0][0])


_MARKS = f"""
CREATE OR REPLACE TEMP TABLE timeline_marks_read AS
SELECT p.student_no, (a.day - $since::DATE)::SMALLINT AS at, (enum_code(a.mark::{MARK}) + 1)::UTINYINT AS code
FROM known.attendance a JOIN {{pupils}} p ON p.student_id = a.student_id
WHERE a.day BETWEEN $from AND $to
"""

_STAYS = """
SELECT student_no, greatest(from_day, $since::DATE) - $since::DATE AS first,
    least(to_day, $day::DATE) - $since::DATE AS last, class_no
FROM timeline_stays WHERE to_day >= $since AND from_day <= $day ORDER BY student_no, from_day
"""

_KEPT = f"""
SELECT class_no, day - $since::DATE AS at, CASE WHEN complete THEN {COMPLETE} ELSE {KEPT} END AS what
FROM class_days WHERE kept
"""
