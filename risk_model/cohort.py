"""Who is scored on a day, who else is enrolled or awaited, and why the others have no score."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from risk_model.timeline.spells import AWAITED, LISTED_ORDER

if TYPE_CHECKING:
    import duckdb

    from risk_model.settings import LabelSettings

OPEN_CASE_DAYS = 200
"""Promoted and enrolled nowhere: an open case until so many days after the last spell."""
REGISTER_LOOKBACK = 30
"""School days a class may be looked back for a kept register …"""
REGISTER_PATIENCE = 10
"""… and how many of them must have gone by before the silence is said."""


def build_cohort(con: duckdb.DuckDBPyConnection, day: date, labels: LabelSettings) -> None:
    """Make the temp table ``cohort``, one row per pupil enrolled or awaited on ``day``.

    Needs ``known.students`` and the diaries of ``day``. Columns: ``student_id, county_id, township_id,
    school_id, class_id, class_key, grade, stage, started_on, boarding, status``; ``status`` is ``scored``
    for exactly the members of the cohort of contract §2, else says why there is no score.
    """
    con.execute(_SILENT_CLASSES, {"day": day, "lookback": REGISTER_LOOKBACK, "patience": REGISTER_PATIENCE})
    con.execute(
        _COHORT,
        {
            "day": day,
            "awaited": labels.between_spells_days,
            "open_case": OPEN_CASE_DAYS,
            "grades": list(labels.grades),
            "streak": labels.long_absence_school_days,
        },
    )


# Classes that kept no register on any of their last school days, in counties that deliver attendance.
_SILENT_CLASSES = """
CREATE OR REPLACE TEMP TABLE cohort_silent_classes AS
WITH latest AS (
    SELECT class_key, county_id, kept FROM class_days WHERE day <= $day
    QUALIFY row_number() OVER (PARTITION BY class_key ORDER BY day DESC) <= $lookback)
SELECT class_key FROM latest
WHERE county_id IN (SELECT county_id FROM class_days WHERE kept)
GROUP BY class_key HAVING count(*) >= $patience AND NOT bool_or(kept)
"""

_COHORT = f"""
CREATE OR REPLACE TEMP TABLE cohort AS
WITH open AS (
    SELECT * FROM spells WHERE started_on <= $day AND (ended_on IS NULL OR ended_on > $day)
    QUALIFY row_number() OVER (PARTITION BY student_id ORDER BY {LISTED_ORDER} DESC) = 1),
last AS (
    SELECT * FROM spells ANTI JOIN open USING (student_id) WHERE started_on <= $day
    QUALIFY row_number() OVER (PARTITION BY student_id ORDER BY ended_on DESC, {LISTED_ORDER} DESC) = 1),
awaited AS (
    SELECT * FROM last WHERE {AWAITED} AND $day::DATE - ended_on <= greatest($awaited, $open_case)),
people AS (SELECT * FROM open UNION ALL SELECT * FROM awaited),
absent_long AS (
    SELECT student_id FROM timeline_streaks JOIN timeline_pupils USING (student_no)
    WHERE unexcused >= $streak)
SELECT p.student_id, p.county_id, p.township_id, p.school_id, p.class_id, p.class_key, p.grade, p.stage,
    p.started_on, p.boarding,
    CASE WHEN s.placement = 'home_teaching' THEN 'home_teaching'
        WHEN a.student_id IS NOT NULL THEN 'absent_long'
        WHEN $day::DATE - p.ended_on > $awaited THEN 'between_spells'
        WHEN p.ended_on IS NULL AND c.class_key IS NOT NULL THEN 'no_register'
        ELSE 'scored' END AS status
FROM people p
LEFT JOIN known.students s ON s.student_id = p.student_id
LEFT JOIN absent_long a ON a.student_id = p.student_id
LEFT JOIN cohort_silent_classes c ON c.class_key = p.class_key
WHERE p.grade IN (SELECT unnest($grades))
"""
