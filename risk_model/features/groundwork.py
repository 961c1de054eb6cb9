"""Tables that the relations of several families stand on: who is scored, and their marks by window.

They are temporary and made anew for every snapshot:

``scored(pupil, student_id, county_id, school_id, class_key, grade, started_on, ended_on, boarding)``
    pupils that get a risk; ``pupil`` is the timeline's number of the pupil, so that millions of marks
    carry four bytes instead of a text. ``ended_on`` is null while the spell is open.
``windows(school_id, last_day, from_7, from_14, from_30, from_60, from_90, term_start)``
    the first day of each school's last 7, 14, … school days up to the snapshot date.
``mark_counts``
    what each scored pupil's diary holds, see :mod:`risk_model.features.mark_counts`.
``exam_terms``
    each pupil's exams by half-year, see :mod:`risk_model.features.exam_terms`.
``nearest_school(pupil, latitude, longitude)``
    see :mod:`risk_model.features.nearest`.
"""

from __future__ import annotations

from datetime import date

import duckdb

from risk_model.features.exam_rows import KNOWN_EXAMS, ExamSource
from risk_model.features.exam_terms import put_exam_terms
from risk_model.features.mark_columns import SPANS
from risk_model.features.mark_counts import put_mark_counts
from risk_model.features.nearest import put_nearest_schools
from risk_model.settings import Settings
from risk_model.timeline.diaries import Diaries

SCORED = """
CREATE OR REPLACE TEMP TABLE scored AS
SELECT n.student_no AS pupil, c.student_id, c.county_id, c.school_id, c.class_key, c.grade, c.started_on,
       s.ended_on, c.boarding
FROM cohort c JOIN timeline_pupils n USING (student_id)
LEFT JOIN (SELECT student_id, school_id, started_on, max(ended_on) AS ended_on
           FROM spells WHERE ended_on <= getvariable('snapshot') GROUP BY ALL) s
  USING (student_id, school_id, started_on)
WHERE c.status = 'scored'
"""

SCHOOL_WINDOWS = f"""
CREATE OR REPLACE TEMP TABLE windows AS
WITH recent AS (
    SELECT school_id, day, term_start, row_number() OVER (PARTITION BY school_id ORDER BY day DESC) AS back
    FROM school_days WHERE day <= getvariable('snapshot'))
SELECT school_id, max(day) AS last_day, max(term_start) AS term_start,
       {", ".join(f"min(day) FILTER (back <= {days}) AS from_{days}" for days in SPANS)}
FROM recent GROUP BY school_id
"""


def lay_groundwork(
    con: duckdb.DuckDBPyConnection,
    day: date,
    settings: Settings,
    diaries: Diaries,
    exams: ExamSource = KNOWN_EXAMS,
    *,
    of_part: bool = False,
) -> None:
    """Make the tables of this module for the snapshot ``day``; the timeline and cohort are there.

    ``of_part``: they hold one part of a night, see :mod:`risk_model.parts`.
    """
    set_variables(con, day, settings)
    for statement in (SCORED, SCHOOL_WINDOWS):
        con.execute(statement)
    put_mark_counts(con, diaries)
    put_nearest_schools(con)
    put_exam_terms(con, day, exams, of_part=of_part)


def set_variables(con: duckdb.DuckDBPyConnection, day: date, settings: Settings) -> None:
    """Set what the relations read: ``snapshot`` (date), ``horizon_days``, ``entitled_poverty`` (texts)."""
    con.execute("SET VARIABLE snapshot = ?::DATE", [day])
    con.execute("SET VARIABLE horizon_days = ?::INTEGER", [settings.labels.horizon_days])
    con.execute("SET VARIABLE entitled_poverty = ?::VARCHAR[]", [list(settings.aid.entitled_poverty)])
