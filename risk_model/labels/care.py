"""Whose label somebody tried to change: pupils in one-to-one care within the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from risk_model.timeline.spells import FOREVER

if TYPE_CHECKING:
    import duckdb


def build_care(con: duckdb.DuckDBPyConnection) -> None:
    """Make ``label_care(student_id, snapshot, care_on)`` for the rows of ``label_rows`` met by care.

    ``care_on`` is the first day of the window ``(s, s + H]`` on which a case of the pupil was open or a
    step of one was taken, by the register ``care`` as known on the day of the fit. A step opens its case,
    whatever its kind, until the case's next ``closed``; a case that is never closed stays open.
    """
    con.execute(_CARE)


_CARE = f"""
CREATE OR REPLACE TEMP TABLE label_care AS
WITH stretches AS (
    SELECT student_id, day AS from_day,
        CASE WHEN kind = 'closed' THEN day
            ELSE coalesce(min(day) FILTER (kind = 'closed') OVER later, {FOREVER}) END AS to_day
    FROM known.care
    WINDOW later AS (PARTITION BY student_id, care_id ORDER BY day
        ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING))
SELECT r.student_id, r.snapshot, min(greatest(c.from_day, r.snapshot + 1)) AS care_on
FROM label_rows r JOIN stretches c ON c.student_id = r.newest_id
    AND c.from_day <= r.until AND c.to_day > r.snapshot
GROUP BY r.student_id, r.snapshot
"""
