"""Registers that are there and cannot be true: everybody absent, nobody ever, all scores the same.

A wave of sickness, a day nobody could come to school or a class that fails together happens, and is what the
lists are for. The bounds lie beyond what was seen in simulated counties (docs/measurements.md).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from risk_model.features.exam_columns import CORE, SAT
from risk_model.quality.rule import LOOKBACK, Rule
from risk_model.settings import QualitySettings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_ABSENT = "absent_sick + absent_leave + absent_unexcused"
_TOLD = f"present + late + home_taught + {_ABSENT}"

# ``back`` 1 is the school's latest day with a register. What is usual is told by the days before both
# windows, so that a fault does not become its own measure.
MARKED = f"""
with ranked as (
    select school_id, {_TOLD} as told, {_ABSENT} as absent, absent_unexcused as unexcused, late, home_taught,
           row_number() over (partition by school_id order by day desc) as back
    from school_marks where day <= $day
)
select school_id,
       count(*) filter (back <= $recent) as days_recently,
       count(*) filter (back <= $flawless) as days_flawless,
       count(*) filter (back > $flawless and back <= {LOOKBACK}) as days_usually,
       {
    ", ".join(
        f"coalesce(sum({what}) filter (back <= $recent), 0)::double as {what}_recently, "
        f"coalesce(sum({what}) filter (back > $flawless and back <= {LOOKBACK}), 0)::double as {what}_usually"
        for what in ("told", "absent", "unexcused", "late", "home_taught")
    )
},
       sum(told) filter (back <= $flawless)::double as told_flawless,
       sum(absent) filter (back <= $flawless)::double as absent_flawless
from ranked group by school_id
"""

# A sheet is what a grade of a school got in one subject on one day; those of a school's latest fortnight of
# exams are looked at.
SCORED = f"""
with people as (
    select n.student_no as pupil, c.school_id, c.grade from cohort c join timeline_pupils n using (student_id)
),
scores as (
    select school_id, grade, subject, day, hundredths, what & {CORE} > 0 as core,
           max(day) over (partition by school_id) as last_day
    from exams join people using (pupil)
    where what & {SAT} > 0 and day > $day::date - date '1970-01-01' - 60
      and day <= $day::date - date '1970-01-01'
),
sheets as (
    select school_id, grade, subject, day, any_value(core) as core, count(*) as n,
           min(hundredths) as score, min(hundredths) = max(hundredths) as same
    from scores where day > last_day - 14 group by all having count(*) >= $fewest
),
names as (select no as subject, min(subject) as name from subjects group by no)
select school_id, sum(n)::double as scores_told, coalesce(sum(n) filter (same), 0)::double as scores_same,
       coalesce(bool_or(same and core), false) as core_same,
       arg_max(name, n) filter (same) as same_subject, arg_max(grade, n) filter (same) as same_grade,
       arg_max(n, n) filter (same) as same_pupils, arg_max(score, n) filter (same) / 10000 as same_score,
       arg_max(date '1970-01-01' + day::integer, n) filter (same) as same_on
from sheets join names using (subject) group by school_id
"""


def marks_and_scores(con: duckdb.DuckDBPyConnection, day: date, rules: QualitySettings) -> pd.DataFrame:
    """Per school: what its registers say of everybody together, lately and before; exams all the same.

    Reads ``school_marks``, ``exams``, ``subjects`` and ``cohort`` of ``day``.
    """
    windows = {"day": day, "recent": rules.implausible_days, "flawless": rules.flawless_days}
    scored = con.execute(SCORED, {"day": day, "fewest": rules.fewest_equal_scores}).df()
    return con.execute(MARKED, windows).df().merge(scored, "outer")


def _share(kept: pd.DataFrame, what: str, when: str) -> pd.Series[float]:
    return kept[f"{what}_{when}"] / kept[f"told_{when}"]


def _all_absent(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    whole = kept["days_recently"] >= rules.implausible_days
    return whole & (_share(kept, "absent", "recently") >= rules.nearly_all_share)


def _one_mark(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    """``late`` or ``home_taught`` for nearly all, at a school where that is not the custom."""
    held = kept["days_recently"] >= rules.implausible_days
    sudden = kept["told_recently"] < 0
    for mark in ("late", "home_taught"):
        usual = _share(kept, mark, "usually").fillna(0)
        sudden |= (_share(kept, mark, "recently") >= rules.nearly_all_share) & (
            usual < rules.nearly_all_share / 2
        )
    return held & sudden


def _nobody_absent(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    expected = _share(kept, "absent", "usually") * kept["told_flawless"]
    long = (kept["days_flawless"] >= rules.flawless_days) & (kept["days_usually"] >= rules.flawless_days)
    return long & (kept["absent_flawless"] == 0) & (expected >= rules.flawless_expected)


def _unexcused_jump(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    usual = _share(kept, "unexcused", "usually")
    now = _share(kept, "unexcused", "recently")
    more = (now - usual) * kept["told_recently"]
    known = (kept["days_recently"] >= rules.implausible_days) & (kept["days_usually"] >= rules.flawless_days)
    far = (now >= rules.unexcused_share) & (now >= rules.unexcused_times * usual)
    return known & far & (more >= rules.unexcused_pupils * rules.implausible_days)


def _equal_scores(kept: pd.DataFrame, rules: QualitySettings) -> pd.Series[bool]:
    most = kept["scores_same"] >= rules.equal_scores_share * kept["scores_told"]
    return (kept["scores_told"] > 0) & (most | (kept["core_same"] == True))  # noqa: E712 – unknown is no


def _says_absent(school: Any, rules: QualitySettings) -> str:
    return (
        f"{school.absent_recently / school.told_recently:.0%} of the marks of the last "
        f"{rules.implausible_days} days with a register say absent. If the school was closed, a calendar "
        "should say so; else ask it for corrected registers. Import either and score again."
    )


def _says_one_mark(school: Any, rules: QualitySettings) -> str:
    mark = "late" if school.late_recently > school.home_taught_recently else "home_taught"
    return (
        f"Nearly all marks of the last {rules.implausible_days} days with a register are {mark!r}, which is "
        "not usual there. Ask the school for corrected registers, import them and score again."
    )


def _says_nobody_absent(school: Any, rules: QualitySettings) -> str:
    expected = school.absent_usually / school.told_usually * school.told_flawless
    return (
        f"Not one absence on the last {rules.flawless_days} days with a register, where about "
        f"{expected:,.0f} are usual: everybody was marked present. Ask the school for its true registers, "
        "import them and score again."
    )


def _says_unexcused(school: Any, rules: QualitySettings) -> str:
    return (
        f"{school.unexcused_recently / school.told_recently:.0%} of the pupils are said to be absent without "
        f"excuse on the last {rules.implausible_days} days with a register, where "
        f"{school.unexcused_usually / school.told_usually:.1%} are usual. Ask the school whether that is so; "
        "import corrected registers and score again."
    )


def _says_equal(school: Any, _rules: QualitySettings) -> str:
    return (
        f"All {school.same_pupils:,.0f} scores of grade {school.same_grade:.0f} in {school.same_subject} of "
        f"{school.same_on:%Y-%m-%d} are the same ({school.same_score:.0%} of the points). Ask the school for "
        "the true results, import them and score again."
    )


ALL_ABSENT = Rule(_all_absent, _says_absent)
ONE_MARK = Rule(_one_mark, _says_one_mark)
NOBODY_ABSENT = Rule(_nobody_absent, _says_nobody_absent)
UNEXCUSED_JUMP = Rule(_unexcused_jump, _says_unexcused)
EQUAL_SCORES = Rule(_equal_scores, _says_equal)
