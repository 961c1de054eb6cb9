"""Whether a pupil still belonged to the cohort, and whether anybody kept a register to see it by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from risk_model.timeline.spells import AWAITED, FOREVER

if TYPE_CHECKING:
    import duckdb

    from risk_model.settings import LabelSettings


def build_coverage(con: duckdb.DuckDBPyConnection, rules: LabelSettings) -> None:
    """Make ``label_still_in`` and ``label_coverage(student_id, snapshot, coverage)``.

    ``coverage`` is the share, 0–1, of the window's school days on which the pupil's school kept its
    register; null if the window has no school day, so that nobody could be seen staying. A pupil who
    moves is looked for where he moves to; one who is enrolled nowhere, where he was or is awaited.
    """
    con.execute(_STILL_IN, {"awaited": rules.between_spells_days, "grace": rules.transfer_grace_days})
    con.execute(_WHEREABOUTS)
    con.execute(_COVERAGE)


# label_still_in: rows whose pupil, by what is known today, was enrolled on the snapshot, awaited, or
# between the two schools of a transfer.
_STILL_IN = f"""
CREATE OR REPLACE TEMP TABLE label_still_in AS
WITH enrolled AS (
    SELECT r.student_id, r.snapshot, r.newest_id FROM label_rows r
    SEMI JOIN spells s ON s.student_id = r.newest_id
        AND s.started_on <= r.snapshot AND coalesce(s.ended_on, {FOREVER}) > r.snapshot),
last AS (
    SELECT r.student_id, r.snapshot, r.newest_id, s.end_reason, s.grade, s.ended_on
    FROM (FROM label_rows ANTI JOIN enrolled USING (student_id, snapshot)) r
    JOIN spells s ON s.student_id = r.newest_id AND s.started_on <= r.snapshot
    QUALIFY row_number() OVER (PARTITION BY r.student_id, r.snapshot
        ORDER BY s.ended_on DESC, s.started_on DESC, s.recorded_on DESC, s.school_id DESC) = 1)
SELECT student_id, snapshot FROM enrolled
UNION ALL
SELECT student_id, snapshot FROM last WHERE {AWAITED} AND snapshot - ended_on <= $awaited
UNION ALL
SELECT l.student_id, l.snapshot FROM last l
SEMI JOIN spells s ON s.student_id = l.newest_id
    AND s.started_on > l.snapshot AND s.started_on <= l.ended_on + $grace::INTEGER
WHERE l.end_reason = 'transferred'
"""

# label_whereabouts: the school whose register should tell of the pupil, without gaps from the first
# stay on: after a stay the same school until the next one begins, or until a term begins for which the
# pupil is awaited elsewhere.
_WHEREABOUTS = f"""
CREATE OR REPLACE TEMP TABLE label_whereabouts AS
WITH moves AS (
    SELECT s.student_no, s.from_day, c.school_id
    FROM timeline_stays s JOIN timeline_classes c USING (class_no)
    UNION ALL
    SELECT student_no, term_start, school_id FROM label_starts WHERE awaited)
SELECT student_no, school_id, from_day,
    coalesce(lead(from_day) OVER (PARTITION BY student_no ORDER BY from_day) - 1, {FOREVER}) AS to_day
FROM moves
"""

# Classmates share their windows: each stretch of a school's days is counted once.
_COVERAGE = """
CREATE OR REPLACE TEMP TABLE label_coverage AS
WITH stretches AS (
    SELECT r.student_id, r.snapshot, w.school_id,
        greatest(w.from_day, r.snapshot + 1) AS from_day, least(w.to_day, r.until) AS to_day
    FROM label_rows r JOIN label_whereabouts w ON w.student_no = r.student_no
        AND w.from_day <= r.until AND w.to_day > r.snapshot),
counted AS (
    SELECT s.school_id, s.from_day, s.to_day, count(*) AS days, count(*) FILTER (g.kept) AS kept
    FROM (SELECT DISTINCT school_id, from_day, to_day FROM stretches) s
    JOIN label_school_register g ON g.school_id = s.school_id AND g.day BETWEEN s.from_day AND s.to_day
    GROUP BY ALL)
SELECT s.student_id, s.snapshot, sum(c.kept) / sum(c.days) AS coverage
FROM stretches s JOIN counted c
    ON c.school_id = s.school_id AND c.from_day = s.from_day AND c.to_day = s.to_day
GROUP BY s.student_id, s.snapshot
"""
