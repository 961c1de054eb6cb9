"""The timeline as known on a day, in temp tables of one DuckDB connection.

Made from ``known.*`` (cut by ``recorded_on`` by whoever called ``known_on``); here days are only cut by
when they happened. Public tables:

``spells(student_id, school_id, county_id, township_id, stage, class_id, class_key, grade, started_on,
ended_on, end_reason, boarding, recorded_on)``
    Every spell known, also long past or yet to start.
``school_days(school_id, county_id, day, term_start, day_no)``
    School days of each school from ``since`` on, ``day_no`` 1, 2, … per school; beyond ``day`` where a
    calendar is known. ``term_start`` is the first school day of the county's term, null before the first
    term start seen.
``class_days(class_no, class_key, school_id, county_id, day, day_no, expected, marked, complete, kept)``
    A row per class and school day up to ``day`` on which the class had pupils.
``pupil_days(student_id, class_key, school_id, day, day_no, mark)``
    A row per pupil and day on which the pupil's class kept its register; ``mark`` null = the class kept
    it, but this pupil has no mark. A view over ``timeline_pupil_days``, which holds numbers instead of
    texts: at a million pupils the texts alone would be gigabytes.

``school_marks(school_id, day, present, late, …)``
    What a school's registers say of everybody, see :mod:`risk_model.timeline.school_marks`; made with the
    diaries only.

Tables named ``timeline_…`` are shared by cohort and labels and described where they are made.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from risk_model.timeline.class_days import build_class_days, build_pupil_days
from risk_model.timeline.diaries import (
    KNOWN,
    Diaries,
    MarkSource,
    Stays,
    put_class_marks,
    put_streaks,
    read_kept,
    read_marks,
    read_stays,
)
from risk_model.timeline.elsewhere import put_kept_elsewhere
from risk_model.timeline.marks import build_class_sizes, build_marks
from risk_model.timeline.school_days import build_school_days
from risk_model.timeline.school_marks import put_school_marks
from risk_model.timeline.spells import build_spells

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray


def build_timeline(con: duckdb.DuckDBPyConnection, day: date, *, since: date) -> None:
    """Make the timeline's temp tables for the days ``since`` to ``day``, both included.

    A term start is recognised from ``since`` + 14 days on, so begin that much earlier than the first
    day you ask about.
    """
    build_spells(con, day)
    build_marks(con, day, since)
    build_school_days(con, day, since)
    build_class_days(con, day)
    build_pupil_days(con)


def build_diaries(
    con: duckdb.DuckDBPyConnection,
    day: date,
    *,
    since: date,
    of_part: bool = False,
    source: MarkSource = KNOWN,
) -> Diaries:
    """The same timeline without a row per pupil and day: all tables but ``pupil_days``, and the diaries.

    Features and the cohort stand on it. Makes ``timeline_streaks(student_no, unexcused)`` besides: days
    missed without excuse up to the last other mark, of pupils who have any; and
    :mod:`school_marks <risk_model.timeline.school_marks>`, what each school's registers say day by day.
    ``of_part``: they hold one part of a night, and what other counties' classes did is taken over
    (:mod:`risk_model.parts`).
    """
    marks, stays = build_registers(con, day, since=since, source=source)
    if of_part:
        put_kept_elsewhere(con)
    diaries = Diaries(since, marks, stays, read_kept(con, marks.shape[1], since))
    put_streaks(con, diaries)
    put_school_marks(con, diaries)
    return diaries


def build_registers(
    con: duckdb.DuckDBPyConnection, day: date, *, since: date, source: MarkSource = KNOWN
) -> tuple[NDArray[np.uint8], Stays]:
    """``spells``, ``school_days`` and ``class_days`` alone, with the marks and stays they were made from."""
    build_spells(con, day, since)
    return build_days_kept(con, day, since=since, source=source)


def build_days_kept(
    con: duckdb.DuckDBPyConnection, day: date, *, since: date, source: MarkSource
) -> tuple[NDArray[np.uint8], Stays]:
    """The same of the ``spells`` that are there."""
    marks = read_marks(con, day, since, source)
    stays = read_stays(con, len(marks), day, since)
    put_class_marks(con, marks, stays, since)
    build_class_sizes(con, day, since)
    build_school_days(con, day, since)
    build_class_days(con, day)
    return marks, stays
