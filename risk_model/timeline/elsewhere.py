"""In a night in parts (:mod:`risk_model.parts`): days on which classes of other counties kept registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

KEPT = "elsewhere_kept(class_key VARCHAR, day DATE, complete BOOLEAN)"


def put_kept_elsewhere(con: duckdb.DuckDBPyConnection) -> None:
    """Replace what ``class_days`` and ``school_days`` say of other counties: they saw a few pupils only."""
    for table in ("class_days", "school_days"):
        con.execute(f"DELETE FROM {table} WHERE county_id NOT IN (FROM part_counties)")
    con.execute(_KEPT_ELSEWHERE)


def kept_for_others(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """What other parts take over of this one's ``class_days``: ``class_key, day, complete``."""
    return con.execute(_KEPT_FOR_OTHERS).to_arrow_table()


_KEPT_ELSEWHERE = """
INSERT INTO class_days BY NAME
SELECT c.class_no, c.class_key, c.school_id, c.county_id, k.day, k.complete, true AS kept
FROM elsewhere_kept k JOIN timeline_classes c USING (class_key)
WHERE c.county_id NOT IN (FROM part_counties)
"""

_KEPT_FOR_OTHERS = """
WITH moved AS (
    SELECT student_id FROM spells GROUP BY student_id HAVING count(DISTINCT county_id) > 1),
visited AS (SELECT DISTINCT class_no FROM timeline_stays SEMI JOIN moved USING (student_id))
SELECT class_key, day, complete FROM class_days SEMI JOIN visited USING (class_no)
WHERE kept AND county_id IN (FROM part_counties) ORDER BY ALL
"""
