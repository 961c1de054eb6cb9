"""What can happen to a pupil: spells that end, long absences, a move to home teaching."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from risk_model.timeline.spells import FOREVER

if TYPE_CHECKING:
    import duckdb

    from risk_model.settings import LabelSettings


def build_events(con: duckdb.DuckDBPyConnection, day: date, rules: LabelSettings) -> None:
    """Make ``label_events(student_no, happened_on, kind, back_on)``, so far of all but the marks.

    ``kind`` is a component of the label, ``censored``, or (from :mod:`risk_model.labels.returns`)
    ``undecided``. ``back_on`` is the day the pupil was seen again, far ahead if never, and null where the
    register of attendance is not what tells.
    """
    con.execute(_ENDS, {"day": day, "grace": rules.transfer_grace_days})
    con.execute(_HOME_TEACHING)


def add_events_of_marks(con: duckdb.DuckDBPyConnection, rules: LabelSettings) -> None:
    """Add what the marks tell of the pupils whose marks are laid out: long absences, teaching at home."""
    con.execute(_LONG_ABSENCES, {"days": rules.long_absence_school_days})
    con.execute(_TAUGHT_AT_HOME)


# A spell followed by another: one that goes on after its end and begins within the grace. A transfer
# whose grace is not over yet cannot be called a transfer to nowhere. An end for "other" or unknown
# reasons that nothing follows tells nothing about leaving, so it censors like a transfer. (Joined first and
# then taken away: an anti-join ON a condition with OR compares every pair, and a million pupils never end.)
_ENDS = f"""
CREATE OR REPLACE TEMP TABLE label_events AS
WITH ended AS (SELECT * FROM spells WHERE ended_on IS NOT NULL),
moving AS (FROM ended WHERE coalesce(end_reason, 'other') IN ('transferred', 'other')),
followed AS (
    SELECT e.student_id, e.school_id, e.started_on FROM moving e
    JOIN spells f ON f.student_id = e.student_id
        AND f.started_on <= e.ended_on + $grace::INTEGER AND coalesce(f.ended_on, {FOREVER}) > e.ended_on
    WHERE f.school_id <> e.school_id OR f.started_on <> e.started_on),
unfollowed AS (
    SELECT student_id, school_id, started_on FROM moving
    ANTI JOIN followed USING (student_id, school_id, started_on)),
judged AS (
    SELECT e.student_id, e.ended_on AS happened_on, CASE
        WHEN e.end_reason = 'dropped_out' THEN 'dropped_out'
        WHEN e.end_reason IN ('suspended', 'deceased', 'moved_abroad') THEN 'censored'
        WHEN e.end_reason = 'graduated' AND e.grade >= 9 THEN 'censored'
        WHEN u.student_id IS NULL THEN NULL
        WHEN e.end_reason = 'transferred' AND e.ended_on + $grace::INTEGER <= $day THEN 'transferred_nowhere'
        ELSE 'censored' END AS kind
    FROM ended e LEFT JOIN unfollowed u USING (student_id, school_id, started_on))
SELECT p.student_no, j.happened_on, j.kind, NULL::DATE AS back_on
FROM judged j JOIN timeline_pupils p USING (student_id) WHERE j.kind IS NOT NULL
"""

# A run begins after every mark that is not absent_unexcused; its n-th day completes a long absence,
# and the mark that opens the next run ends it. Days without a mark are not in the runs at all.
_LONG_ABSENCES = f"""
INSERT INTO label_events
WITH suspects AS (
    SELECT student_no FROM timeline_pupil_days WHERE mark = 'absent_unexcused'
    GROUP BY student_no HAVING count(*) >= $days),
runs AS (
    SELECT student_no, day, mark, count(*) FILTER (mark <> 'absent_unexcused')
        OVER (PARTITION BY student_no ORDER BY day) AS run
    FROM timeline_pupil_days SEMI JOIN suspects USING (student_no) WHERE mark IS NOT NULL),
completed AS (
    SELECT student_no, run, day FROM runs WHERE mark = 'absent_unexcused'
    QUALIFY row_number() OVER (PARTITION BY student_no, run ORDER BY day) = $days)
SELECT c.student_no, c.day, 'long_absence', coalesce(b.day, {FOREVER})
FROM completed c LEFT JOIN runs b
    ON b.student_no = c.student_no AND b.run = c.run + 1 AND b.mark <> 'absent_unexcused'
"""

# A mark home_taught says so on its day; the register of pupils only when its row became known.
_TAUGHT_AT_HOME = """
INSERT INTO label_events
SELECT student_no, day, 'censored', NULL FROM timeline_marks WHERE mark = 'home_taught'
"""

_HOME_TEACHING = """
INSERT INTO label_events
SELECT p.student_no, s.recorded_on, 'censored', NULL
FROM known.students s JOIN timeline_pupils p USING (student_id) WHERE s.placement = 'home_teaching'
"""
