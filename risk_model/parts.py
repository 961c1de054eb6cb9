"""A night in parts: some counties at a time, with the same result as all at once, to the last bit.

A part sees the rows of every pupil who was ever enrolled in its counties, wherever these rows come from,
and of those who share a household with them. That is all its own pupils' features look at, but for two
things of pupils who came from elsewhere: whether their former class kept its register, and how their former
county did in an exam. Those are worked out where all of that county's pupils are seen, and handed over:

``elsewhere_kept(class_key, day, complete)``
    Days on which a class kept its register, of classes with a pupil who was enrolled in another county, too.
``elsewhere_norms(county_id, grade, subject, half, n, total, squares)``
    See :func:`risk_model.features.exam_terms.norms_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from risk_model.cohort import OPEN_CASE_DAYS
from risk_model.lake.known import narrow_views
from risk_model.timeline.elsewhere import KEPT
from risk_model.timeline.spells import UNKNOWN_COUNTY

if TYPE_CHECKING:
    import duckdb

NORMS = (
    "elsewhere_norms(county_id VARCHAR, grade SMALLINT, subject VARCHAR, half SMALLINT, "
    "n BIGINT, total BIGINT, squares BIGINT)"
)


PUPILS = "pupils"
"""Table, and name of what is dealt out, of the pupils that a part looks at."""


@dataclass(frozen=True)
class Part:
    """The counties whose pupils are listed in one part of a night."""

    counties: tuple[str, ...]
    sources: Mapping[str, str] | None = field(default=None, compare=False)
    """SQL of its rows by register where they were dealt out (:mod:`risk_model.dealing`); none: it looks
    for them in the lake."""


def counties_of(con: duckdb.DuckDBPyConnection, day: date) -> dict[str, int]:
    """Pupils of lately of every county that ever had one, as known on ``day``; needs ``known.*`` of it."""
    asked = {"day": day, "unknown": UNKNOWN_COUNTY, "lately": OPEN_CASE_DAYS}
    return {county: int(pupils) for county, pupils in con.execute(_COUNTIES, asked).fetchall()}


def left_by_movers(con: duckdb.DuckDBPyConnection, day: date) -> frozenset[str]:
    """Counties with a pupil who was ever enrolled in another one, too: they have something to hand over.

    Needs ``known.*`` of ``day``.
    """
    asked = {"day": day, "unknown": UNKNOWN_COUNTY}
    return frozenset(county for (county,) in con.execute(_LEFT, asked).fetchall())


def plan(counties: Mapping[str, int], most: int) -> tuple[Part, ...]:
    """Counties put together, in their order, to at most ``most`` pupils.

    A county with more is a part of its own: it is ranked as a whole.

    >>> [part.counties for part in plan({"A": 40, "B": 50, "C": 200, "D": 1}, 100)]
    [('A', 'B'), ('C',), ('D',)]
    """
    parts: list[Part] = []
    held = 0
    for county, pupils in counties.items():
        if parts and held + pupils <= most:
            parts[-1] = Part((*parts[-1].counties, county))
            held += pupils
        else:
            parts.append(Part((county,)))
            held = pupils
    return tuple(parts)


def narrow(con: duckdb.DuckDBPyConnection, part: Part) -> None:
    """Let ``known.*`` hold only what the part looks at; a later ``known_on`` widens it again."""
    con.execute("CREATE OR REPLACE TEMP TABLE part_counties(county_id VARCHAR)")
    con.execute("INSERT INTO part_counties SELECT unnest(?::VARCHAR[])", [list(part.counties)])
    if part.sources is None:
        pupils_of_parts(con, [part])
    pupils = PUPILS if part.sources is None else part.sources.get(PUPILS, _NOBODY)
    con.execute(f"CREATE OR REPLACE TEMP TABLE part_pupils AS SELECT student_id FROM {pupils}")
    narrow_views(con, "part_pupils", part.sources or {})


def pupils_of_parts(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Make ``pupils(student_id, part)``, ``part`` being the place in ``parts``: all whom a part looks at.

    Pupils ever enrolled in its counties and those of their households; needs ``known.*``.
    """
    placed = [(county, number) for number, part in enumerate(parts) for county in part.counties]
    asked = {"counties": [county for county, _ in placed], "parts": [number for _, number in placed]}
    con.execute(_PUPILS, asked | {"unknown": UNKNOWN_COUNTY})


def take_over(
    con: duckdb.DuckDBPyConnection, kept: Sequence[str] = (), norms: Sequence[str] = (), reader: str = ""
) -> None:
    """Make the two ``elsewhere_…`` tables from Parquet files (none: empty).

    ``reader`` is what ``read_parquet`` takes besides, as the key of encrypted files.
    """
    for table, files in ((KEPT, kept), (NORMS, norms)):
        con.execute(f"CREATE OR REPLACE TEMP TABLE {table}")
        if files:
            name = table.partition("(")[0]
            con.execute(f"INSERT INTO {name} FROM read_parquet({list(files)}{reader})")


def keep_own_cohort(con: duckdb.DuckDBPyConnection) -> None:
    """Leave in ``cohort`` only pupils listed in the part's counties."""
    con.execute("DELETE FROM cohort WHERE county_id NOT IN (FROM part_counties)")


# A pupil counts where enrolled lately, as before a summer; counties without one have a part, too.
_COUNTIES = """
SELECT coalesce(s.county_id, $unknown) AS county_id,
    count(DISTINCT e.student_id) FILTER (
        e.started_on <= $day AND coalesce(e.ended_on > $day::DATE - $lately, true)) AS pupils
FROM known.enrolments e LEFT JOIN known.schools s USING (school_id) GROUP BY ALL ORDER BY ALL
"""

_LEFT = """
WITH been AS (
    SELECT DISTINCT e.student_id, coalesce(s.county_id, $unknown) AS county_id
    FROM known.enrolments e LEFT JOIN known.schools s USING (school_id) WHERE e.started_on <= $day),
moved AS (SELECT student_id FROM been GROUP BY student_id HAVING count(*) > 1)
SELECT DISTINCT county_id FROM been SEMI JOIN moved USING (student_id)
"""

_NOBODY = "(SELECT NULL::VARCHAR AS student_id WHERE false)"

_PUPILS = f"""
CREATE OR REPLACE TEMP TABLE {PUPILS} AS
WITH placed AS (SELECT unnest($counties::VARCHAR[]) AS county_id, unnest($parts::INTEGER[]) AS part),
own AS (
    SELECT DISTINCT e.student_id, p.part FROM known.enrolments e LEFT JOIN known.schools s USING (school_id)
    JOIN placed p ON p.county_id = coalesce(s.county_id, $unknown)),
households AS (
    SELECT DISTINCT household_id, part FROM known.families JOIN own USING (student_id)
    WHERE household_id IS NOT NULL)
SELECT student_id, part FROM own
UNION SELECT student_id, part FROM known.families JOIN households USING (household_id)
"""
