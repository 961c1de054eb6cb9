"""In which county's files a pupil's months lie.

A pupil's home is the only county in which he ever had a spell, by the rows in force. Whoever had spells in
several, or none at all, and every identifier that was ever changed or took another's place, is at home
:data:`NOWHERE`, which every county's night reads besides its own. So wherever a pupil is looked for, and
under whichever identifier, he is found.
"""

from __future__ import annotations

import duckdb

from risk_model.state.storage import STATE
from risk_model.timeline.spells import UNKNOWN_COUNTY

NOWHERE = ""
RENAMED = """
    SELECT student_id FROM (
        SELECT unnest([old_student_id, student_id]) AS student_id FROM lake.student_aliases
        UNION ALL SELECT unnest([old_student_id, student_id]) FROM lake.student_aliases_past)
    WHERE student_id IS NOT NULL"""
"""SQL: identifiers that a change of identifier ever named, also one that was withdrawn since."""


def put_pupils(con: duckdb.DuckDBPyConnection, marked: str) -> None:
    """Number everybody with a spell, or in ``marked`` (SQL: ``student_id``); the state is new."""
    con.execute(f"""
        INSERT INTO {STATE}.pupils BY NAME
        SELECT county_id, student_id,
            (row_number() OVER (ORDER BY county_id, student_id) - 1)::INTEGER AS pupil
        FROM (SELECT coalesce(county_id, '{NOWHERE}') AS county_id, student_id
              FROM (SELECT DISTINCT student_id FROM ({marked})) FULL JOIN ({_homes()}) USING (student_id))
        ORDER BY pupil""")


def move_pupils(con: duckdb.DuckDBPyConnection, seen: str) -> None:
    """Look up the homes of the pupils in the table ``seen`` again; new ones get a number.

    Makes ``state_moved(pupil, was, now)``: pupils whose home is another now.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE state_found AS {_homes(seen)}")
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE state_looked_up AS
        SELECT student_id, old.county_id AS was, coalesce(new.county_id, '{NOWHERE}') AS now,
            coalesce(pupil, row_number() OVER (PARTITION BY pupil IS NULL ORDER BY now, student_id)
                + (SELECT coalesce(max(pupil), -1) FROM {STATE}.pupils))::INTEGER AS pupil
        FROM {seen} LEFT JOIN {STATE}.pupils old USING (student_id)
        LEFT JOIN state_found new USING (student_id)""")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE state_moved AS"
        " SELECT pupil, was, now FROM state_looked_up WHERE was <> now"
    )
    con.execute(f"DELETE FROM {STATE}.pupils WHERE pupil IN (SELECT pupil FROM state_moved)")
    con.execute(f"""
        INSERT INTO {STATE}.pupils BY NAME
        SELECT now AS county_id, student_id, pupil FROM state_looked_up
        WHERE was IS DISTINCT FROM now ORDER BY pupil""")


def _homes(pupils: str | None = None) -> str:
    """SQL: ``student_id`` and ``county_id`` of pupils with spells; of those in table ``pupils``, or all."""
    those = f" SEMI JOIN {pupils} USING (student_id)" if pupils else ""
    return f"""
        SELECT student_id, CASE WHEN min(county_id) = max(county_id) AND student_id NOT IN ({RENAMED})
            THEN min(county_id) ELSE '{NOWHERE}' END AS county_id
        FROM (SELECT e.student_id, coalesce(s.county_id, '{UNKNOWN_COUNTY}') AS county_id
              FROM (SELECT student_id, school_id FROM lake.enrolments{those}) e
              LEFT JOIN lake.schools s USING (school_id))
        GROUP BY student_id"""
