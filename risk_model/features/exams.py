"""Exams by pupil and term, and the pupil's way through the grades: the relations of learning."""

from __future__ import annotations

from risk_model.features.feature import Relation

TERMS = Relation("terms", "SELECT * FROM exam_terms", many=True)

# The school year is the spell's, so that a pupil promoted and not yet enrolled is no year too old.
CAREER = Relation(
    "career",
    """
    SELECT p.pupil, p.grade, s.birth_date,
           make_date(year(p.started_on - INTERVAL 7 MONTH)::INTEGER, 9, 1) AS spell_year,
           make_date(year(least(getvariable('snapshot'), coalesce(p.ended_on, getvariable('snapshot')))
                          - INTERVAL 8 MONTH)::INTEGER, 9, 1) AS school_year, c.repeated
    FROM scored p
    LEFT JOIN known.students s USING (student_id)
    LEFT JOIN (SELECT student_id, sum(years - 1) AS repeated
               FROM (SELECT student_id, grade, count(DISTINCT year(started_on - INTERVAL 7 MONTH)) AS years
                     FROM spells WHERE started_on <= getvariable('snapshot') GROUP BY student_id, grade)
               GROUP BY student_id) c USING (student_id)""",
)

RELATIONS = (TERMS, CAREER)
