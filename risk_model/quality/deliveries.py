"""Registers of which a part is missing: pupils without marks, whole classes, results of some grades.

What is missing is told by those beside it: a class by the other classes of its school, results by the other
schools of the county. So a day on which nobody kept a register, or an exam only one grade sat, is no fault.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from risk_model.quality.rule import LOOKBACK, Rule
from risk_model.settings import QualitySettings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

CLASSES_NAMED = 4

# covered: the share of a school's pupils with a mark on a day. A class that is missing kept registers before
# and none of late, while others of its school did; ``back`` 1 is the school's latest school day.
DELIVERED = f"""
with days as (
    select school_id, day, row_number() over (partition by school_id order by day desc) as back
    from (select distinct school_id, day from school_days where day <= $day)
),
told as (
    select c.*, d.back, case when complete then expected else least(marked, expected) end as pupils
    from class_days c join days d using (school_id, day) where d.back <= {LOOKBACK}
),
covered as (
    select school_id, back, sum(pupils)::double / sum(expected) as share from told group by all
),
coverage as (
    select school_id, avg(share) filter (back <= $recent) as covered_recently,
           median(share) filter (back > $recent and share > 0) as covered_usually
    from covered group by school_id
),
classes as (
    select school_id, class_key, arg_min(expected, back) filter (back <= $half) as pupils,
           count(*) filter (kept and back <= $half) as kept_recently,
           avg(kept::int) filter (back > $half) as kept_usually
    from told group by all
),
missing as (
    select *, coalesce(kept_recently = 0 and kept_usually >= 0.5, false) as missing,
           regexp_replace(substr(class_key, length(school_id) + 2), ':[0-9]+$', '') as name
    from classes where pupils > 0
)
select school_id, covered_recently, covered_usually,
       list(name order by name) filter (missing) as classes_missing,
       coalesce(sum(pupils) filter (missing), 0)::double / sum(pupils) as missing_share,
       sum(kept_recently) > 0 as others_came
from missing join coverage using (school_id) group by all
"""

# A round of exams ends on the latest day on which a tenth of the county's pupils sat one, and took a
# fortnight. due: so many pupils of the school would have a result had it sent them as the county did, grade
# by grade.
EXAMS_DELIVERED = """
with people as (
    select n.student_no as pupil, c.school_id, c.county_id, c.grade
    from cohort c join timeline_pupils n using (student_id)
),
sat as (
    select pupil, county_id, day from exams join people using (pupil)
    where day between $day::date - date '1970-01-01' - $oldest and $day::date - date '1970-01-01' - $grace
),
sizes as (select county_id, count(*) as size from people group by county_id),
busy as (
    select county_id, day from sat join sizes using (county_id)
    group by all having count(distinct pupil) * 10 >= any_value(size)
),
rounds as (select county_id, max(day) as last_day from busy group by county_id),
told as (
    select distinct s.pupil from sat s join rounds r using (county_id)
    where s.day between r.last_day - 13 and r.last_day
),
grades as (
    select school_id, county_id, grade, count(*) as pupils, count(t.pupil) as told
    from people p left join told t using (pupil) group by all
),
usual as (select county_id, grade, sum(told) / sum(pupils) as share from grades group by all)
select school_id, sum(told)::bigint as results_told, sum(pupils * share) as results_due,
       date '1970-01-01' + any_value(last_day)::integer as exams_on
from grades join usual using (county_id, grade) join rounds using (county_id) group by school_id
"""


def deliveries(con: duckdb.DuckDBPyConnection, day: date, rules: QualitySettings) -> pd.DataFrame:
    """Per school: pupils with marks and classes with registers, lately and before, and results of exams.

    Reads ``class_days``, ``school_days``, ``exams`` and ``cohort`` of ``day``.
    """
    half = {"day": day, "recent": rules.silent_school_days, "half": rules.missing_class_days}
    exams = {"day": day, "grace": rules.results_grace_days, "oldest": rules.results_grace_days + 60}
    return con.execute(DELIVERED, half).df().merge(con.execute(EXAMS_DELIVERED, exams).df(), "outer")


def _lacks_pupils(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    return kept["covered_recently"] < rules.half_delivered_share * kept["covered_usually"]


def _lacks_classes(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    several = kept["classes_missing"].str.len() > 1
    least = several.map({True: rules.missing_classes_share, False: rules.missing_class_share})
    return (kept["others_came"] == True) & (kept["missing_share"] >= least)  # noqa: E712 – unknown is no


def _lacks_results(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    some = (kept["results_told"] > 0) & (kept["results_due"] >= rules.fewest_results_due)
    return some & (kept["results_told"] < rules.half_results_share * kept["results_due"])


def _says_pupils(school: Any, rules: QualitySettings) -> str:
    return (
        f"Only {school.covered_recently:.0%} of the school's pupils have a mark on its last "
        f"{rules.silent_school_days} school days, where {school.covered_usually:.0%} are usual. Ask the "
        "school for the rest of its registers, import it and score again."
    )


def _says_classes(school: Any, rules: QualitySettings) -> str:
    names = school.classes_missing
    more = f" and {len(names) - CLASSES_NAMED} more" if len(names) > CLASSES_NAMED else ""
    return (
        f"No register of {', '.join(names[:CLASSES_NAMED])}{more} ({school.missing_share:.0%} of the pupils) "
        f"came for the last {rules.missing_class_days} school days, while other classes of the school sent "
        "theirs. Ask the school for them, import them and score again."
    )


def _says_results(school: Any, _rules: QualitySettings) -> str:
    return (
        f"Results of the exams of {school.exams_on:%Y-%m-%d} came for {school.results_told:,.0f} pupils, "
        f"where {school.results_due:,.0f} would be due as at the county's other schools. Ask the school for "
        "the other grades, import them and score again."
    )


LACKS_PUPILS = Rule(_lacks_pupils, _says_pupils)
LACKS_CLASSES = Rule(_lacks_classes, _says_classes)
LACKS_RESULTS = Rule(_lacks_results, _says_results)
