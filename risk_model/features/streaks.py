"""Streaks and patterns of absence over the last 90 school days, read from each pupil's diary.

A day without a mark neither breaks a streak nor counts; neither does a summer between two classes.
"""

from __future__ import annotations

from risk_model.features.attendance import attendance_feature, no_mark
from risk_model.features.feature import Direction, Feature, Unit

FEWEST_ABSENCES = 3
"""Shares of absences by weekday are null below so many absences."""

NO_MARK_90 = no_mark("the last 90 school days", "最近90个教学日")


def _streak(
    name: str,
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
        name,
        en,
        zh,
        direction=direction,
        unit=unit,
        null=NO_MARK_90,
        none=none,
        one=one,
        group=group,
    )


STREAKS = (
    _streak(
        "absence_longest",
        "Was away {value} school days running at most in the last 90",
        "最近90个教学日中最长连续缺勤{value}天",
        "absence_streak",
        none=("Was not away in the last 90 school days", "最近90个教学日没有缺勤"),
        one="Was away {value} school day running at most in the last 90",
    ),
    _streak(
        "absence_current",
        "Has been away {value} school days running",
        "至今连续缺勤{value}天",
        "absence_streak",
        none=("Was not away on the last day with a mark", "最近一次有考勤记录时没有缺勤"),
        one="Has been away {value} school day running",
    ),
    _streak(
        "unexcused_longest",
        "Was away without excuse {value} school days running at most in the last 90",
        "最近90个教学日中最长连续旷课{value}天",
        "absence_streak",
        none=("Was not away without excuse in the last 90 school days", "最近90个教学日没有旷课"),
        one="Was away without excuse {value} school day running at most in the last 90",
    ),
    _streak(
        "unexcused_current",
        "Has been away without excuse {value} school days running",
        "至今连续旷课{value}天",
        "absence_streak",
        none=("Was not away without excuse on the last day with a mark", "最近一次有考勤记录时没有旷课"),
        one="Has been away without excuse {value} school day running",
    ),
    _streak(
        "days_since_present",
        "Was last seen at school {value} school days ago (days with a register)",
        "最近一次到校是{value}个教学日之前（只计有考勤的日子）",
        "absence_streak",
        none=("Was at school on the last day with a register", "最近一个有考勤的教学日到校"),
        one="Was last seen at school {value} school day ago (days with a register)",
    ),
    _streak(
        "absence_episodes",
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


def _of_absences(name: str, part: str, en: str, zh: str) -> Feature:
    sql = f"CASE WHEN absences >= {FEWEST_ABSENCES} THEN {part} / absences END"
    return attendance_feature(name, sql, en, zh, direction=0, null=TOO_FEW)


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
