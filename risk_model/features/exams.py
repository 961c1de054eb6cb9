"""Exams by pupil and term, and the pupil's way through the grades: the relations of learning.

z-scores are kept as whole millionths and scores as whole hundredths of a percent, so that sums do not
depend on the order of the rows.
"""

from __future__ import annotations

from risk_model.features.feature import Relation
from risk_model.features.groundwork import sql_list

CORE_SUBJECTS = ("chinese", "math", "english")
"""Core subjects of compulsory education; spellings below mean the same."""
CORE_SPELLINGS = (*CORE_SUBJECTS, "mathematics", "maths", "语文", "数学", "英语", "外语")
YEARS_BACK = 2
FEWEST_SAT = 10
"""A z-score needs so many results in its grade, subject, term and county."""


def half_year(day: str) -> str:
    """SQL: number of the school half-year of ``day``: August to January is even, February to July odd.

    The day of the exam decides and not the delivered ``term``, which is optional and spelled freely.
    """
    return f"(2 * (year({day}) - (month({day}) < 8)::INTEGER) + (month({day}) BETWEEN 2 AND 7)::INTEGER)"


# Grade and county are those of the spell the pupil had begun last. Of two spells begun on one day the
# later school_id counts, so that the grade does not depend on the order of the rows.
EXAMS = f"""
    taught AS (
        SELECT student_no, started_on AS from_day, grade, county_id,
               lead(started_on, 1, DATE '9999-12-31') OVER (PARTITION BY student_no ORDER BY started_on)
                   AS to_day
        FROM (SELECT student_id, started_on, max_by(grade, school_id) AS grade,
                     max_by(county_id, school_id) AS county_id
              FROM spells GROUP BY student_id, started_on) JOIN timeline_pupils USING (student_id)),
    delivered AS (
        SELECT n.student_no, r.assessed_on, lower(r.subject) AS subject,
               {half_year("r.assessed_on")}::SMALLINT AS half,
               coalesce(r.sat, true) AND r.score IS NOT NULL AS sat,
               r.sat IS NOT DISTINCT FROM false AS missed,
               r.score * 10 < r.max_score * 6 AS failed,
               round(10000 * r.score / r.max_score)::INTEGER AS hundredths
        FROM known.results r JOIN timeline_pupils n USING (student_id)
        WHERE r.assessed_on <= getvariable('snapshot')
          AND r.assessed_on > getvariable('snapshot') - INTERVAL {YEARS_BACK} YEAR),
    exams AS MATERIALIZED (
        SELECT d.student_no, d.subject, d.half, d.sat, d.missed, d.failed, d.hundredths, t.grade, t.county_id
        FROM delivered d LEFT JOIN taught t
          ON t.student_no = d.student_no AND d.assessed_on >= t.from_day AND d.assessed_on < t.to_day),
    norms AS (
        SELECT county_id, grade, subject, half, n, total::BIGINT AS total,
               sqrt((n * squares - total * total)::DOUBLE) AS spread
        FROM (SELECT county_id, grade, subject, half, count(*) AS n, sum(hundredths) AS total,
                     sum(hundredths::BIGINT * hundredths) AS squares
              FROM exams WHERE sat AND grade IS NOT NULL GROUP BY ALL)
        WHERE n >= {FEWEST_SAT} AND n * squares > total * total)"""

# n·x − Σx over √(n·Σx² − (Σx)²): whole numbers up to the one root and division.
TERMS = Relation(
    "terms",
    f"""
    WITH {EXAMS},
    placed AS (
        SELECT e.student_no, e.half, e.sat, e.missed, e.failed, e.hundredths,
               e.subject IN {sql_list(CORE_SPELLINGS)} AS core,
               CASE WHEN e.sat THEN round(1e6 * (n.n * e.hundredths - n.total) / n.spread)::BIGINT END AS z
        FROM exams e LEFT JOIN norms n
          ON n.county_id = e.county_id AND n.grade = e.grade AND n.subject = e.subject
         AND n.half = e.half),
    by_term AS (
        SELECT student_no AS pupil, half, count(*) FILTER (sat) AS sat, count(*) FILTER (missed) AS missed,
               count(*) FILTER (sat AND failed) AS failed, count(*) FILTER (sat AND core) AS sat_core,
               count(*) FILTER (sat AND failed AND core) AS failed_core,
               sum(hundredths) FILTER (sat) AS hundredths, count(z) AS n, sum(z) AS z,
               count(z) FILTER (core) AS n_core, sum(z) FILTER (core) AS z_core
        FROM placed WHERE sat OR missed GROUP BY student_no, half)
    SELECT *, row_number() OVER (PARTITION BY pupil ORDER BY half DESC) AS term_no
    FROM by_term SEMI JOIN scored USING (pupil)""",
    many=True,
)

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
