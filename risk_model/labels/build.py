"""Labels of all snapshots in one pass, from the registers as known on one day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from risk_model.labels.care import build_care
from risk_model.labels.coverage import build_coverage
from risk_model.labels.events import add_events_of_marks, build_events
from risk_model.labels.returns import add_returns, build_starts
from risk_model.timeline.class_days import EVERYBODY

if TYPE_CHECKING:
    import duckdb

    from risk_model.settings import LabelSettings


def label(
    con: duckdb.DuckDBPyConnection,
    cohort: str,
    day: date,
    rules: LabelSettings,
    portions: Iterable[range] = (EVERYBODY,),
) -> None:
    """Make the temp table ``labels`` for the table ``cohort``, as known on ``day``.

    Call after ``known_on(day)`` and ``build_timeline(con, day, since=first snapshot - 60 days)``: a label
    uses only what was recorded by ``day``.

    Parameters
    ----------
    cohort : name of a table ``(student_id, school_id, class_key, grade, snapshot DATE)``; identifiers as
        known on the snapshot, old ones are followed to the newest.
    day : the day of the fit; nothing that happened after it is looked at.
    portions : pupils whose marks are looked at together, from
        :func:`risk_model.timeline.portions.build_in_portions` in place of ``build_timeline``.

    Makes ``labels(student_id, snapshot, label, state, happened_on, dropped_out, long_absence, non_return,
    transferred_nowhere, care_affected)``, one row per row of ``cohort``. ``label`` is 1 or 0 where ``state``
    is ``positive`` or ``negative``, else null; ``happened_on`` is the day of the event that decided, a
    component of the label or a censoring. Each component is true if it happened in the window before any
    censoring, enabled or not, whatever the state. ``care_affected`` is true if somebody cared for the pupil
    within the window and before ``happened_on``: what follows an event cannot have changed it.
    """
    con.execute(_rows(cohort), {"horizon": rules.horizon_days})
    build_events(con, day, rules)
    build_starts(con, day)
    for pupils in portions:
        add_events_of_marks(con, rules)
        add_returns(con, pupils)
    build_coverage(con, rules)
    build_care(con)
    con.execute(_REACH, {"day": day})
    con.execute(_WINDOWS, {"components": list(rules.components)})
    con.execute(_LABELS, {"lag": rules.reporting_lag_days, "minimum": rules.minimum_coverage})


def _rows(cohort: str) -> str:
    """label_rows: the cohort with each pupil's number of today; null for one whom no spell names any more."""
    return f"""
CREATE OR REPLACE TEMP TABLE label_rows AS
WITH RECURSIVE followed(old, new) AS (
    SELECT old_student_id, student_id FROM known.student_aliases
    UNION
    SELECT f.old, a.student_id FROM followed f JOIN known.student_aliases a ON a.old_student_id = f.new),
newest AS (SELECT f.old, f.new FROM followed f ANTI JOIN known.student_aliases a ON a.old_student_id = f.new)
SELECT c.student_id, c.snapshot, c.snapshot + $horizon::INTEGER AS until, c.school_id,
    p.student_no, p.student_id AS newest_id
FROM {cohort} c
LEFT JOIN newest n ON n.old = c.student_id
LEFT JOIN timeline_pupils p ON p.student_id = coalesce(n.new, c.student_id)
"""


# label_reach: until when the registers that can tell of leaving speak, and whether any tells of attendance.
_REACH = """
CREATE OR REPLACE TEMP TABLE label_reach AS
WITH bounds AS (SELECT min(snapshot) AS first FROM label_rows),
latest AS (
    SELECT max(recorded_on) AS day FROM known.enrolments
    UNION ALL SELECT max(recorded_on) FROM known.attendance WHERE day >= (SELECT first FROM bounds)
    UNION ALL SELECT max(recorded_on) FROM known.headcounts WHERE day >= (SELECT first FROM bounds))
SELECT least($day::DATE, max(day)) AS reach,
    EXISTS (FROM known.attendance) OR EXISTS (FROM known.headcounts WHERE complete) AS attended
FROM latest
"""

# label_windows: what happened to each row in its window. `out` = by the register of attendance the pupil
# was already away at the snapshot, and not seen again by then; `undecided` = a term began in the window
# and no register tells whether the pupil came.
_WINDOWS = """
CREATE OR REPLACE TEMP TABLE label_windows AS
WITH met AS (
    SELECT r.student_id, r.snapshot, r.until, e.kind, e.happened_on, e.back_on,
        e.happened_on > r.snapshot AS inside, e.kind IN (SELECT unnest($components)) AS enabled
    FROM label_rows r JOIN label_events e ON e.student_no = r.student_no AND e.happened_on <= r.until
    WHERE e.happened_on > r.snapshot OR e.back_on > r.snapshot)
SELECT student_id, snapshot,
    min(happened_on) FILTER (inside AND enabled) AS positive_on,
    min(happened_on) FILTER (inside AND NOT enabled AND kind IN ('censored', 'transferred_nowhere'))
        AS censored_on,
    min(happened_on) FILTER (inside AND kind = 'dropped_out') AS dropped_out_on,
    min(happened_on) FILTER (inside AND kind = 'long_absence') AS long_absence_on,
    min(happened_on) FILTER (inside AND kind = 'non_return') AS non_return_on,
    min(happened_on) FILTER (inside AND kind = 'transferred_nowhere') AS transferred_nowhere_on,
    bool_or(NOT inside AND enabled) AS out,
    bool_or(inside AND kind = 'undecided' AND back_on > until)
        AND 'non_return' IN (SELECT unnest($components)) AS undecided
FROM met GROUP BY student_id, snapshot
"""

# The first event decides, and on the same day leaving goes before censoring. Nothing is said before its
# time nor of a silent school, not even of those of its pupils who are recorded as gone: were they kept
# and the rest not, everybody of a silent school would seem to leave.
_LABELS = """
CREATE OR REPLACE TEMP TABLE labels AS
WITH judged AS (
    SELECT r.*, w.* EXCLUDE (student_id, snapshot), s.student_id IS NOT NULL AS still_in,
        r.until + $lag::INTEGER <= h.reach AS matured,
        NOT h.attended OR coalesce(c.coverage >= $minimum, false) AS covered,
        h.attended AND coalesce(w.undecided, false) AS open_question,
        w.positive_on <= coalesce(w.censored_on, w.positive_on) AS left_first
    FROM label_rows r CROSS JOIN label_reach h
    LEFT JOIN label_windows w USING (student_id, snapshot)
    LEFT JOIN label_still_in s USING (student_id, snapshot)
    LEFT JOIN label_coverage c USING (student_id, snapshot)),
stated AS (
    SELECT *, CASE
        WHEN NOT matured THEN 'unknown'
        WHEN NOT still_in THEN 'already_out'
        WHEN censored_on IS NOT NULL AND left_first IS NOT TRUE THEN 'censored'
        WHEN NOT covered THEN 'unknown'
        WHEN left_first THEN 'positive'
        WHEN out THEN 'already_out'
        WHEN open_question THEN 'unknown'
        ELSE 'negative' END AS state
    FROM judged),
dated AS (
    SELECT s.*, CASE WHEN state IN ('positive', 'censored') THEN least(positive_on, censored_on) END
            AS happened_on, c.care_on
    FROM stated s LEFT JOIN label_care c USING (student_id, snapshot))
SELECT student_id, snapshot, CASE state WHEN 'positive' THEN 1 WHEN 'negative' THEN 0 END AS label, state,
    happened_on,
    coalesce(dropped_out_on <= coalesce(censored_on, dropped_out_on), false) AS dropped_out,
    coalesce(long_absence_on <= coalesce(censored_on, long_absence_on), false) AS long_absence,
    coalesce(non_return_on <= coalesce(censored_on, non_return_on), false) AS non_return,
    coalesce(transferred_nowhere_on <= coalesce(censored_on, transferred_nowhere_on), false)
        AS transferred_nowhere,
    coalesce(care_on < coalesce(happened_on, until + 1), false) AS care_affected
FROM dated
"""
