"""Registers that are not there: a school that is silent, whose last sign is old, or that sends few marks.

Silence is counted in school days where they are known up to the snapshot date: a calendar names them, or
other schools of the county still send their marks. Where nothing is known since the last register, it may
be a holiday or a delivery that never came; after ``stale_register_days`` it is taken for the latter.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from risk_model.quality.rule import LOOKBACK, Rule
from risk_model.settings import QualitySettings
from risk_model.timeline.spells import UNKNOWN_COUNTY

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# A class that sent a complete headcount told of all its pupils: schools that send only absences are
# complete, too. ``back`` 1 is the school's latest school day. School days after the snapshot date come
# only from a calendar, so that one on it or after it says that the days up to it are known.
REGISTERS_KEPT = f"""
with days as (
    select school_id, day, row_number() over (partition by school_id order by day desc) as back
    from (select distinct school_id, day from school_days where day <= $day)
),
told as (
    select school_id, day, count(*) filter (kept) as registers,
           sum(case when complete then expected else marked end) as marks
    from class_days where day <= $day group by all
),
known as (select school_id, max(day) >= $day as days_known from school_days group by all)
select school_id,
       coalesce(sum(registers) filter (back <= $recent), 0)::bigint as kept_recently,
       coalesce(sum(registers) filter (back > $recent and back <= {LOOKBACK}), 0)::bigint as kept_before,
       coalesce(sum(marks) filter (back <= $recent), 0)::double / $recent as marks_recently,
       median(marks) filter (back > $recent and back <= {LOOKBACK} and marks > 0) as marks_usually,
       max(day) filter (registers > 0) as last_kept,
       $day::date - max(day) filter (registers > 0) as days_silent,
       any_value(days_known) as days_known
from days join known using (school_id) left join told using (school_id, day)
group by school_id
order by school_id
"""

# Counties of tonight's pupils that kept no register within the timeline.
QUIET = """
create or replace temp table quiet_counties as
select distinct county_id from cohort
where county_id not in (select county_id from class_days where kept and day <= $day)
"""

# The last sign at any time of each of their schools, for registers that ended before the timeline begins.
LONG_AGO = f"""
with told as (
    select e.school_id, a.day from known.attendance a join known.enrolments e
        on e.student_id = a.student_id and a.day between e.started_on and coalesce(e.ended_on, a.day)
    union all
    select school_id, day from known.headcounts
)
select school_id, 0::bigint as kept_recently, 0::bigint as kept_before, 0::double as marks_recently,
       null::double as marks_usually, max(day) as last_kept, $day::date - max(day) as days_silent,
       false as days_known
from told left join known.schools s using (school_id)
where day <= $day and coalesce(s.county_id, '{UNKNOWN_COUNTY}') in (from quiet_counties)
group by school_id order by school_id
"""


def silence(con: duckdb.DuckDBPyConnection, day: date, rules: QualitySettings) -> pd.DataFrame:
    """Per school: registers kept and marks per school day, lately and before.

    ``last_kept`` is the day of the last register, ``days_silent`` its distance in calendar days and
    ``days_known`` whether the school days up to ``day`` are known. Of a county in which no school kept a
    register within the timeline, ``known.*`` is asked for the last one at any time.
    """
    import pandas as pd

    kept = con.execute(REGISTERS_KEPT, {"day": day, "recent": rules.silent_school_days}).df()
    con.execute(QUIET, {"day": day})
    if not con.execute("from quiet_counties limit 1").fetchall():
        return kept
    long_ago = con.execute(LONG_AGO, {"day": day}).df()
    others = kept[~kept["school_id"].isin(long_ago["school_id"])]
    return pd.concat([others, long_ago], ignore_index=True) if len(others) else long_ago


def _is_stale(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    return ~kept["days_known"].astype(bool) & (kept["days_silent"] > rules.stale_register_days)


def _is_silent(kept: pd.DataFrame, _rules: QualitySettings) -> pd.Series[bool]:
    return kept["last_kept"].notna() & (kept["kept_recently"] == 0)


def _sends_few(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    few = kept["marks_recently"] < rules.minimum_rows_share * kept["marks_usually"]
    return few & (kept["kept_before"] > 0)


def _says_stale(school: Any, _rules: QualitySettings) -> str:
    return (
        f"The school's last register is of {school.last_kept:%Y-%m-%d}, {school.days_silent:.0f} days "
        "before. Import what came since (or a calendar, if there was no school) and score again."
    )


def _says_silent(school: Any, rules: QualitySettings) -> str:
    return (
        f"The school kept no register on the last {rules.silent_school_days} school days "
        f"(last on {school.last_kept:%Y-%m-%d}). Ask it for its registers, import them and score again."
    )


def _says_few(school: Any, rules: QualitySettings) -> str:
    return (
        f"The last {rules.silent_school_days} school days hold {school.marks_recently:,.0f} marks a day "
        f"where {school.marks_usually:,.0f} are usual. Ask the school for the missing registers, "
        "import them and score again."
    )


STALE, SILENT, FEW = Rule(_is_stale, _says_stale), Rule(_is_silent, _says_silent), Rule(_sends_few, _says_few)
