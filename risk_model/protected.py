"""Whom a model may treat unequally: what is known of each pupil on each snapshot, for audits alone.

None of it is ever a predictor because of this module, and none of it is told but as counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from risk_model.lake.reading import Lake

ATTRIBUTES = (
    "sex", "ethnicity", "disability", "left_behind", "poverty", "relocated", "boarding", "county",
)  # fmt: skip
"""Asked of every pupil; null where no register tells."""
NEEDS = {
    "sex": "students", "ethnicity": "students", "disability": "students", "left_behind": "families",
    "poverty": "families", "relocated": "families", "boarding": "enrolments", "county": "schools",
}  # fmt: skip
"""The register each attribute is read from."""


def unlike(name: str, groups: Sequence[str]) -> str | None:
    """Why nothing can be compared where an attribute has only these groups; None if it can.

    >>> unlike("sex", ["F"])
    'All pupils of whom it is known are the same: F.'
    """
    if not groups:
        return f"No row of the register {NEEDS[name]} tells it."
    return f"All pupils of whom it is known are the same: {groups[0]}." if len(groups) == 1 else None


def protected_on(lake: Lake, days: Sequence[date]) -> pd.DataFrame:
    """The attributes as known on each day: ``snapshot``, ``student_id`` and all but ``county`` as text.

    Left behind: a parent away, or neither parent is the guardian. Poverty: a category other than none.
    """
    parts = []
    for day in sorted(days):
        lake.known_on(day)
        found = lake.con.execute(KNOWN).df()
        parts.append(found.assign(snapshot=pd.Timestamp(day).as_unit("us")))
    columns = ["snapshot", "student_id", *(name for name in ATTRIBUTES if name != "county")]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


KNOWN = """
WITH family AS (
    SELECT student_id, parents_away, guardian, poverty, relocated FROM known.families
    QUALIFY row_number() OVER (PARTITION BY student_id ORDER BY observed_on DESC, recorded_on DESC) = 1),
spell AS (
    SELECT student_id, boarding FROM known.enrolments
    QUALIFY row_number() OVER (
        PARTITION BY student_id ORDER BY started_on DESC, recorded_on DESC, school_id) = 1),
people AS (SELECT student_id FROM known.students UNION SELECT student_id FROM spell)
SELECT p.student_id, s.sex, s.ethnicity, s.disability::VARCHAR AS disability,
    CASE WHEN f.parents_away > 0 OR f.guardian IN ('grandparents', 'relatives', 'nobody') THEN 'true'
        WHEN f.parents_away IS NULL AND f.guardian IS NULL THEN NULL ELSE 'false' END AS left_behind,
    f.poverty, f.relocated::VARCHAR AS relocated, e.boarding::VARCHAR AS boarding
FROM people p LEFT JOIN known.students s USING (student_id) LEFT JOIN family f USING (student_id)
LEFT JOIN spell e USING (student_id)
"""
"""A row per pupil of the views ``known.*``: ``student_id`` and all but ``county`` as text."""
