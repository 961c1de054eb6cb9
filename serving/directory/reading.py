"""What the registers tell tonight of units, pupils and staff: the lake, and names from the identity lake.

Placements and names are compared by digest first, of all pupils whose identifiers end alike: where a
million of them are as they were last night, none of them leaves the lake.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import duckdb

from risk_model.errors import MissingError
from risk_model.home import Home
from risk_model.lake.attaching import attach, has_table
from risk_model.lake.known import ALIASES
from risk_model.lake.reading import Lake
from risk_model.lake.storage import IDENTITY
from risk_model.settings import Settings
from risk_model.timeline.spells import AWAITED, FOREVER, UNKNOWN_COUNTY, spells_on
from serving.access.tree import SchoolPlace
from serving.directory.writing import ENDING, Employed, Held, Placed, Told

# A pupil who was promoted is his last school's until he has come somewhere, or must have.
_PLACEMENTS = f"""
with told as (
    select student_id, school_id, 'class:' || class_key as unit, started_on, ended_on,
        ended_on is not null and {AWAITED} as awaited,
        lead(started_on) over (partition by student_id order by started_on, recorded_on) as following
    from spells where started_on <= coalesce(ended_on, {FOREVER})),
kept as (
    select *, case when awaited and ended_on < coalesce(following, {FOREVER})
        then least(ended_on + $awaited::integer, coalesce(following, {FOREVER}) - 1)
        else ended_on end as to_day
    from told)
select student_id, school_id, unit, started_on, to_day from kept where coalesce(to_day >= $day, true)
"""
_SCHOOLS = f"""
select school_id, county_id, township_id, province_id, name from known.schools
union all
select distinct school_id, '{UNKNOWN_COUNTY}', null, null, null from spells
where school_id not in (select school_id from known.schools)
"""


# Of md5 the lower half, added up: the order of rows does not matter, and equal rows do not cancel out.
_DIGESTS = f"""
select ending, printf('%032x', sum(md5_number_lower(told)::hugeint)::uhugeint % (1::uhugeint << 126)) from (
    select right(student_id, {ENDING}) as ending, concat_ws(chr(31), 'placed', student_id, unit, started_on,
        coalesce(to_day::varchar, '')) as told from placed
    union all select right(student_id, {ENDING}), concat_ws(chr(31), 'named', student_id, name) from named)
group by ending
"""
_MOST = 500
"""Endings that differ up to which only theirs are read; beyond, everybody is."""


def read(
    lake: Lake, home: Home, settings: Settings, day: date, before: Mapping[str, str] | None = None
) -> Told:
    """What the directory takes from the registers, as known on ``day``.

    ``before``: the digests of last time; pupils with the same are left out.
    """
    con = lake.con
    lake.known_on(day)
    spells_on(con, day)
    con.execute(
        f"create or replace temp table placed as {_PLACEMENTS}",
        {"day": day, "awaited": settings.labels.between_spells_days},
    )
    schools = con.execute(_SCHOOLS).fetchall()
    registers = lake.registers()
    identity = _attached_identity(con, home)
    con.execute(f"create or replace temp table named as {_names(con) if identity else _NOBODY}")
    digests = dict(con.execute(_DIGESTS).fetchall())
    endings = _differing(before or {}, digests)
    return Told(
        schools=[SchoolPlace(*row[:4]) for row in schools],
        titles={f"school:{row[0]}": row[4] for row in schools if row[4]},
        classes=con.execute("select distinct school_id, unit from placed").fetchall(),
        placements=[Placed(*row) for row in _of(con, "placed", endings)],
        names=dict(_of(con, "named", endings)),
        endings=endings,
        digests=digests,
        staff=_staff(con, named=identity) if "staff" in registers else None,
        posts=_posts(con) if "assignments" in registers else None,
    )


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> frozenset[str] | None:
    """Endings whose digest is another; null for all."""
    differing = frozenset(one for one in {*before, *now} if before.get(one) != now.get(one))
    return None if len(differing) > _MOST or not before else differing


def _of(con: duckdb.DuckDBPyConnection, table: str, endings: Collection[str] | None) -> list[tuple[Any, ...]]:
    if endings is None:
        return con.execute(f"from {table}").fetchall()
    theirs = f"from {table} where list_contains(?::varchar[], right(student_id, {ENDING}))"
    return con.execute(theirs, [sorted(endings)]).fetchall()


def _attached_identity(con: duckdb.DuckDBPyConnection, home: Home) -> bool:
    try:
        attach(con, home.identity, IDENTITY)
    except MissingError:  # no register with names was ever delivered
        return False
    return has_table(con, IDENTITY, "students")


_NOBODY = "select null::varchar as student_id, null::varchar as name where false"


def _names(con: duckdb.DuckDBPyConnection) -> str:
    """Of those who are placed; a pupil whose identifier changed has the name told under the newest one."""
    own = f"select student_id, name, 0 as older from {IDENTITY}.students where name is not null"
    if _has_aliases(con):
        own += (
            f" union all select new_id, name, 1 from {IDENTITY}.students join {ALIASES}"
            " on old_id = student_id where name is not null"
        )
    newest = f"select student_id, arg_min(name, (older, name)) as name from ({own})"
    return f"{newest} semi join placed using (student_id) group by student_id"


def _has_aliases(con: duckdb.DuckDBPyConnection) -> bool:
    try:
        return con.execute(f"select 1 from {ALIASES} limit 1").fetchone() is not None
    except duckdb.CatalogException:
        return False


def _staff(con: duckdb.DuckDBPyConnection, *, named: bool) -> list[Employed]:
    if not named:
        return [
            Employed(row[0], row[0]) for row in con.execute("select staff_id from known.staff").fetchall()
        ]
    return [
        Employed(*row)
        for row in con.execute(
            f"select k.staff_id, coalesce(any_value(i.name), k.staff_id), any_value(i.email),"
            f" any_value(i.phone) from known.staff k left join {IDENTITY}.staff i using (staff_id)"
            " group by k.staff_id"
        ).fetchall()
    ]


def _posts(con: duckdb.DuckDBPyConnection) -> list[Held]:
    rows: list[Any] = con.execute(
        "select staff_id, unit, role, from_day, to_day from known.assignments order by all"
    ).fetchall()
    return [Held(*row) for row in rows]
