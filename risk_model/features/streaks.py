"""Streaks and patterns of absence over the last 90 school days, read from each pupil's diary of marks.

A day without a mark neither breaks a streak nor counts; neither does a summer between two classes.
"""

from __future__ import annotations

from risk_model.features.attendance import attendance_feature, count_where, no_mark
from risk_model.features.feature import Direction, Feature, Relation, Unit
from risk_model.features.groundwork import ABSENT, sql_list

FEWEST_ABSENCES = 3
"""Shares of absences by weekday are null below so many absences."""

# A day's letter: present, late, sick, leave, unexcused, other mark, "-" no mark; in the order of the days.
DIARY = Relation(
    "diary",
    """
    SELECT pupil, array_to_string(list_transform(codes, lambda c: substr('-OPLSVU', (c & 7) + 1, 1)), '')
               AS letters,
           replace(letters, '-', '') AS told
    FROM (SELECT pupil, list_sort(list((day - DATE '1970-01-01') * 8 + CASE mark
              WHEN 'unmarked' THEN 0 WHEN 'other' THEN 1 WHEN 'present' THEN 2 WHEN 'late' THEN 3
              WHEN 'absent_sick' THEN 4 WHEN 'absent_leave' THEN 5 ELSE 6 END)) AS codes
          FROM marked_days WHERE reach <= 90 GROUP BY pupil)""",
)

ABSENCES = Relation(
    "absences",
    f"""
    SELECT m.pupil, isodow(m.day) IN (1, 5) AS beside_weekend, d.gap > 3 AS after_holiday
    FROM marked_days m JOIN scored p USING (pupil)
    LEFT JOIN (SELECT school_id, day, day - lag(day) OVER (PARTITION BY school_id ORDER BY day) AS gap
               FROM school_days WHERE day <= getvariable('snapshot')) d
      ON d.school_id = p.school_id AND d.day = m.day
    WHERE m.reach <= 90 AND m.mark IN {sql_list(ABSENT)}""",
    many=True,
)

RELATIONS = (DIARY, ABSENCES)

AWAY, UNEXCUSED = "[SVU]", "U"
NO_MARK_90 = no_mark("the last 90 school days", "最近90个教学日")


def _runs(letter: str) -> str:
    return f"regexp_extract_all(told, '{letter}+')"


def _longest(letter: str) -> str:
    """SQL: days of the longest run; 0 where there is none, null where no day is told."""
    lengths = f"list_transform({_runs(letter)}, lambda run: length(run))"
    return f"CASE WHEN told <> '' THEN coalesce(list_max({lengths}), 0) END"


def _current(letter: str) -> str:
    return f"CASE WHEN told <> '' THEN length(regexp_extract(told, '{letter}*$')) END"


def _streak(
    name: str,
    sql: str,
    en: str,
    zh: str,
    group: str,
    direction: Direction = 1,
    *,
    unit: Unit = "days",
    none: tuple[str, str],
    one: str,
) -> Feature:
    return attendance_feature(
        name,
        sql,
        en,
        zh,
        direction=direction,
        unit=unit,
        relation="diary",
        null=NO_MARK_90,
        none=none,
        one=one,
        group=group,
    )


STREAKS = (
    _streak(
        "absence_longest",
        _longest(AWAY),
        "Was away {value} school days running at most in the last 90",
        "最近90个教学日中最长连续缺勤{value}天",
        "absence_streak",
        none=("Was not away in the last 90 school days", "最近90个教学日没有缺勤"),
        one="Was away {value} school day running at most in the last 90",
    ),
    _streak(
        "absence_current",
        _current(AWAY),
        "Has been away {value} school days running",
        "至今连续缺勤{value}天",
        "absence_streak",
        none=("Was not away on the last day with a mark", "最近一次有考勤记录时没有缺勤"),
        one="Has been away {value} school day running",
    ),
    _streak(
        "unexcused_longest",
        _longest(UNEXCUSED),
        "Was away without excuse {value} school days running at most in the last 90",
        "最近90个教学日中最长连续旷课{value}天",
        "absence_streak",
        none=("Was not away without excuse in the last 90 school days", "最近90个教学日没有旷课"),
        one="Was away without excuse {value} school day running at most in the last 90",
    ),
    _streak(
        "unexcused_current",
        _current(UNEXCUSED),
        "Has been away without excuse {value} school days running",
        "至今连续旷课{value}天",
        "absence_streak",
        none=("Was not away without excuse on the last day with a mark", "最近一次有考勤记录时没有旷课"),
        one="Has been away without excuse {value} school day running",
    ),
    _streak(
        "days_since_present",
        "length(regexp_extract(letters, '[^PL]*$'))",
        "Was last seen at school {value} school days ago (days with a register)",
        "最近一次到校是{value}个教学日之前（只计有考勤的日子）",
        "absence_streak",
        none=("Was at school on the last day with a register", "最近一个有考勤的教学日到校"),
        one="Was last seen at school {value} school day ago (days with a register)",
    ),
    _streak(
        "absence_episodes",
        f"CASE WHEN told <> '' THEN len({_runs(AWAY)}) END",
        "Stayed away and came back {value} times in the last 90 school days",
        "最近90个教学日中断断续续缺勤{value}次",
        "absence_episodes",
        0,
        unit="count",
        none=("Was not away in the last 90 school days", "最近90个教学日没有缺勤"),
        one="Stayed away and came back {value} time in the last 90 school days",
    ),
)

TOO_FEW = (
    f"Fewer than {FEWEST_ABSENCES} absences in the last 90 school days",
    f"最近90个教学日缺勤不足{FEWEST_ABSENCES}次",
)


def _of_absences(name: str, condition: str, en: str, zh: str) -> Feature:
    sql = f"CASE WHEN count(*) >= {FEWEST_ABSENCES} THEN {count_where(condition)} / count(*) END"
    return attendance_feature(name, sql, en, zh, direction=0, relation="absences", null=TOO_FEW)


PATTERNS = (
    _of_absences(
        "beside_weekend_share",
        "beside_weekend",
        "{value} of the absences of the last 90 school days fell on a Monday or Friday",
        "最近90个教学日的缺勤中，{value}在周一或周五",
    ),
    _of_absences(
        "after_holiday_share",
        "after_holiday",
        "{value} of the absences of the last 90 school days fell on the first day after a holiday",
        "最近90个教学日的缺勤中，{value}在假期后的第一天",
    ),
)

FEATURES = (*STREAKS, *PATTERNS)
