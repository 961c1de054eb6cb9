"""What the registers say of themselves as of a day: counts by school and day, kinds of marks, exits.

All of it is cut by ``recorded_on``, by the views ``known.*`` that the caller has made for the day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from risk_model.registers.declared import REGISTERS

if TYPE_CHECKING:
    import duckdb

    from risk_model.lake.reading import Lake

WEEKS = 8
"""How far back a weekday's usual number of marks is looked for."""
SEASON = 150
"""Days in which exits are looked for."""
OPEN_VALUES = (
    ("students", "ethnicity"),
    ("results", "subject"),
    ("aid", "programme"),
    ("schools", "county_id"),
)
"""Columns whose values no declaration lists."""


@dataclass(frozen=True)
class RegisterFacts:
    """Frames the rules of :mod:`monitoring.quality.rules` look at."""

    as_of: date
    marks: pd.DataFrame
    """``school_id, day`` and rows by kind of mark, over the last weeks; headcounts count as present."""
    school_days_since: int | None
    """School days after the last mark by the calendar, up to the day; None without a calendar."""
    categories: pd.DataFrame = field(default_factory=pd.DataFrame)
    """``register, column, value, recent, before``: rows recorded in the last fortnight, and before."""
    scales: pd.DataFrame = field(default_factory=pd.DataFrame)
    """``points, recent, before``: exam results out of so many points, lately and before."""
    exits: pd.DataFrame = field(default_factory=pd.DataFrame)
    """``ended_on, recorded_on`` of spells that ended in dropping out, of the last season."""
    assumed: bool = False
    """When history became known is assumed (``--recorded-on event+N``)."""
    filled: frozenset[str] = frozenset()
    """Registers with a row."""
    pupils: pd.DataFrame = field(default_factory=pd.DataFrame)
    """``school_id, county_id, pupils``: who is enrolled on the day."""


def register_facts(lake: Lake, day: date) -> RegisterFacts:
    """Ask the lake, which is cut by ``day`` here."""
    lake.known_on(day)
    con, filled = lake.con, lake.registers()
    return RegisterFacts(
        day,
        _marks(con, day),
        _school_days_since(con, day, filled),
        _categories(con, day, filled),
        con.execute(_SCALES, {"day": day}).df(),
        con.execute(_EXITS, {"day": day, "since": day - timedelta(days=SEASON)}).df(),
        lake.assumed(),
        frozenset(name for name in REGISTERS if name in filled),
        con.execute(_PUPILS, {"day": day}).df(),
    )


# The school of a mark is the one that sent it or, where it does not say or nobody knows it, where the pupil
# is enrolled: marks are tens of millions, and those alone look for their pupil.
_WHEREABOUTS = """
create or replace temp table whereabouts as
select student_id, school_id from known.enrolments
where started_on <= $day and (ended_on is null or ended_on > $day::date - 60)
qualify row_number() over (
    partition by student_id order by started_on desc, recorded_on desc, school_id) = 1
"""
_SENT = """
create or replace temp table sent as
select school_id, day, mark, count(*) as n from known.attendance
where day between $since and $day group by all
"""
_HOMELESS = "from sent where school_id is null or school_id not in (select school_id from whereabouts)"
_SENT_OF_PUPILS = f"""
select p.school_id, m.day, m.mark, count(*) from known.attendance m join whereabouts p using (student_id)
where m.day between $since and $day
    and (m.school_id is null or m.school_id in (select school_id {_HOMELESS})) group by all
"""
# A complete headcount tells of all its pupils.
_MARKS = """
with told as (
    from sent semi join whereabouts using (school_id)
    union all
    select school_id, day, 'present', sum(present) from known.headcounts
    where day between $since and $day and complete group by all
)
select school_id, day, sum(n)::bigint as rows,
    coalesce(sum(n) filter (mark = 'absent_sick'), 0)::bigint as absent_sick,
    coalesce(sum(n) filter (mark = 'absent_leave'), 0)::bigint as absent_leave,
    coalesce(sum(n) filter (mark = 'absent_unexcused'), 0)::bigint as absent_unexcused,
    coalesce(sum(n) filter (mark = 'late'), 0)::bigint as late
from told group by school_id, day
"""
_PUPILS = """
select e.school_id, any_value(s.county_id) as county_id, count(distinct e.student_id) as pupils
from known.enrolments e left join known.schools s using (school_id)
where e.started_on <= $day and (e.ended_on is null or e.ended_on > $day) group by e.school_id
"""
_SINCE = """
select count(distinct day) from known.calendar
where school_day and day <= $day and day > (select max(day) from known.attendance where day <= $day)
"""
_SCALES = """
select max_score as points, count(*) filter (assessed_on > $day::date - 45) as recent,
    count(*) filter (assessed_on <= $day::date - 45) as before
from known.results where assessed_on between $day::date - 500 and $day group by max_score order by 1
"""
_EXITS = """
select ended_on, recorded_on from known.enrolments
where end_reason = 'dropped_out' and ended_on between $since and $day
"""


def _marks(con: duckdb.DuckDBPyConnection, day: date) -> pd.DataFrame:
    window = {"day": day, "since": day - timedelta(weeks=WEEKS + 1)}
    con.execute(_WHEREABOUTS, {"day": day})
    con.execute(_SENT, window)
    if con.execute(f"{_HOMELESS} limit 1").fetchall():
        con.execute(f"insert into sent {_SENT_OF_PUPILS}", window)
    return con.execute(_MARKS, window).df()


def _school_days_since(con: duckdb.DuckDBPyConnection, day: date, filled: frozenset[str]) -> int | None:
    if not {"calendar", "attendance"} <= filled:
        return None
    found: int = con.execute(_SINCE, {"day": day}).fetchall()[0][0]
    return found


def _categories(con: duckdb.DuckDBPyConnection, day: date, filled: frozenset[str]) -> pd.DataFrame:
    parts = [
        f"select '{register}' as register, '{column}' as \"column\", {column}::varchar as value, "
        "count(*) filter (recorded_on > $day::date - 14) as recent, "
        f"count(*) filter (recorded_on <= $day::date - 14) as before from known.{register} "
        f"where {column} is not null group by {column}"
        for register, column in OPEN_VALUES
        if register in filled
    ]
    names = ["register", "column", "value", "recent", "before"]
    return con.execute(" union all ".join(parts), {"day": day}).df() if parts else pd.DataFrame(columns=names)


def left_since(lake: Lake, since: date) -> frozenset[str]:
    """Pupils of whom a spell is known to have ended after ``since`` (less the days it may take), or who go by
    another identifier; the lake is cut by the day already.
    """
    found = lake.con.execute(
        "select student_id from known.enrolments where ended_on > $since::date - 120 "
        "union select old_student_id from known.student_aliases",
        {"since": since},
    ).fetchall()
    return frozenset(pupil for (pupil,) in found)
