"""May tonight's list be trusted? Pure rules; serving holds schools back by them, monitoring reports them.

The rules cut by ``recorded_on`` like everything else: they read the timeline as known on the
snapshot date. A school that never sends attendance is not held back for it.

Silence is counted in school days where they are known up to the snapshot date: a calendar names them, or
other schools of the county still send their marks. Where nothing is known since the last register, it may
be a holiday or a delivery that never came; after ``stale_register_days`` it is taken for the latter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from risk_model.settings import QualitySettings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

LOOKBACK = 60
"""School days that tell how many marks of a school are usual."""

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

# The last sign of each school at any time, for registers that ended before the timeline begins.
LONG_AGO = """
with told as (
    select e.school_id, a.day from known.attendance a join known.enrolments e
        on e.student_id = a.student_id and a.day between e.started_on and coalesce(e.ended_on, a.day)
    union all
    select school_id, day from known.headcounts
)
select school_id, 0::bigint as kept_recently, 0::bigint as kept_before, 0::double as marks_recently,
       null::double as marks_usually, max(day) as last_kept, $day::date - max(day) as days_silent,
       false as days_known
from told where day <= $day group by school_id order by school_id
"""


@dataclass(frozen=True)
class HeldBack:
    """A unit whose list of tonight is not published, and the date of the list that stays live."""

    unit: str
    reason: str
    as_of: date | None = None

    def as_document(self) -> dict[str, Any]:
        """The entry as ``score --json`` prints it."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """Something the registers say of a pupil that cannot be; it stops nothing, somebody must look."""

    finding: str
    student_id: str
    schools: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        """The entry as ``score --json`` prints it."""
        return {**asdict(self), "schools": list(self.schools)}


TWO_OPEN_SPELLS = """
select student_id, list(distinct school_id order by school_id) from spells
where started_on <= $day and (ended_on is null or ended_on > $day)
group by student_id having count(*) > 1 order by student_id
"""


def two_open_spells(con: duckdb.DuckDBPyConnection, day: date) -> list[Finding]:
    """Pupils whom the registers hold at two places at once on ``day``; needs the timeline."""
    found = con.execute(TWO_OPEN_SPELLS, {"day": day}).fetchall()
    return [Finding("two_open_spells", pupil, tuple(schools)) for pupil, schools in found]


def registers_kept(con: duckdb.DuckDBPyConnection, day: date, rules: QualitySettings) -> pd.DataFrame:
    """Per school: registers kept and marks per school day, lately and before; needs the timeline.

    ``last_kept`` is the day of the last register, ``days_silent`` its distance in calendar days and
    ``days_known`` whether the school days up to ``day`` are known. If no school kept a register within the
    timeline, ``known.*`` is asked for the last one at any time.
    """
    kept = con.execute(REGISTERS_KEPT, {"day": day, "recent": rules.silent_school_days}).df()
    if kept["last_kept"].notna().any():
        return kept
    return con.execute(LONG_AGO, {"day": day}).df()


def judge_registers(kept: pd.DataFrame, rules: QualitySettings) -> dict[str, str]:
    """The reason to hold back, by ``school_id``, for schools whose registers cannot be trusted."""
    sent = kept[kept["last_kept"].notna()]
    stale = ~sent["days_known"].astype(bool) & (sent["days_silent"] > rules.stale_register_days)
    silent = ~stale & (sent["kept_recently"] == 0)
    few = ~stale & ~silent & (sent["kept_before"] > 0)
    few &= sent["marks_recently"] < rules.minimum_rows_share * sent["marks_usually"]
    told = ((stale, _says_stale), (silent, _says_silent), (few, _says_few))
    return {
        str(school.school_id): says(school, rules)
        for which, says in told
        for school in sent[which].itertuples(index=False)
    }


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


def judge_size(
    pupils: Mapping[str, int], before: Mapping[str, int], rules: QualitySettings
) -> tuple[str, ...]:
    """Why a whole run is not published; empty if nothing speaks against it.

    ``pupils`` and ``before`` count the rows per county, tonight and in the last published run.
    """
    now, then = sum(pupils.values()), sum(before.values())
    if now == 0:
        return ("The cohort is empty: no pupil is enrolled as known on that day.",)
    if now < rules.minimum_pupils_share * then:
        return (
            f"Only {now:,} pupils, fewer than {rules.minimum_pupils_share:.0%} of the {then:,} of the "
            "last run. Look for missing enrolments; --force publishes all the same.",
        )
    return ()
