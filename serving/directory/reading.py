"""What the registers tell tonight of units, pupils and staff: the lake, and names from the identity lake."""

from __future__ import annotations

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
from risk_model.timeline.spells import AWAITED, FOREVER, UNKNOWN_COUNTY, build_spells
from serving.access.tree import SchoolPlace
from serving.directory.writing import Employed, Held, Placed, Told

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


def read(lake: Lake, home: Home, settings: Settings, day: date) -> Told:
    """All the directory takes from the registers, as known on ``day``."""
    con = lake.con
    lake.known_on(day)
    build_spells(con, day)
    con.execute(
        f"create or replace temp table placed as {_PLACEMENTS}",
        {"day": day, "awaited": settings.labels.between_spells_days},
    )
    schools = con.execute(_SCHOOLS).fetchall()
    registers = lake.registers()
    named = _attached_identity(con, home)
    return Told(
        schools=[SchoolPlace(*row[:4]) for row in schools],
        titles={f"school:{row[0]}": row[4] for row in schools if row[4]},
        placements=[Placed(*row) for row in con.execute("from placed").fetchall()],
        names=_pupil_names(con) if named else {},
        staff=_staff(con, named=named) if "staff" in registers else None,
        posts=_posts(con) if "assignments" in registers else None,
    )


def _attached_identity(con: duckdb.DuckDBPyConnection, home: Home) -> bool:
    try:
        attach(con, home.identity, IDENTITY)
    except MissingError:  # no register with names was ever delivered
        return False
    return has_table(con, IDENTITY, "students")


def _pupil_names(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Of those who are placed; a pupil whose identifier changed has the name told under the newest one."""
    own = f"select student_id, name, 0 as older from {IDENTITY}.students where name is not null"
    if _has_aliases(con):
        own += (
            f" union all select new_id, name, 1 from {IDENTITY}.students join {ALIASES}"
            " on old_id = student_id where name is not null"
        )
    sql = f"select student_id, arg_min(name, (older, name)) from ({own}) semi join placed using (student_id)"
    return dict(con.execute(f"{sql} group by student_id").fetchall())


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
