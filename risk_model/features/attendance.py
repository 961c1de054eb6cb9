"""Attendance: how often and how long away, for what reason, and whether the register knows the pupil.

Shares are shares of the days on which the class kept its register and the pupil has a mark that tells
presence or absence, 0–1. A missing register is not an absence: those days count nowhere, and a share
over no day is null.
"""

from __future__ import annotations

from typing import Literal

from risk_model.features.feature import COMPARED, Direction, Feature, Relation, Unit, Wording, over_median
from risk_model.features.mark_columns import ABSENT, COUNTED, MARKS, days

NEEDS = ("enrolments", "attendance")
FEWEST_KEPT_DAYS = 5
"""A pupil is "never seen" only after the class kept its register on so many days."""

DIARY = Relation("marks", "SELECT * FROM mark_counts")

RELATIONS = (DIARY,)


def _share(what: tuple[str, ...], window: str) -> str:
    return f"{days(window, *what)} / nullif({days(window, *COUNTED)}, 0)"


def no_mark(window_en: str, window_zh: str) -> tuple[str, str]:
    """What is told where the pupil has no mark on the days of the window."""
    return f"There is no mark of this pupil on {window_en}", f"{window_zh}没有该生的考勤记录"


def attendance_feature(
    name: str,
    sql: str,
    en: str,
    zh: str,
    *,
    direction: Direction = 1,
    unit: Unit = "percent",
    relation: str = "marks",
    null: tuple[str, str],
    low: tuple[str, str] = ("", ""),
    none: tuple[str, str] = ("", ""),
    one: str = "",
    group: str = "",
) -> Feature:
    """A feature of attendance with what they have in common."""
    return Feature(
        name,
        "attendance",
        relation,
        sql,
        unit,
        direction,
        True,
        "personal",
        NEEDS,
        Wording(en, null[0], low[0], none[0], one),
        Wording(zh, null[1], low[1], none[1]),
        group,
    )


KINDS: tuple[tuple[str, tuple[str, ...], Direction, str, str], ...] = (
    ("absence", ABSENT, 1, "Missed {value} of {window}", "{window}缺勤{value}"),
    (
        "unexcused",
        ("absent_unexcused",),
        1,
        "Missed {value} of {window} without excuse",
        "{window}旷课{value}",
    ),
    ("sick", ("absent_sick",), 0, "Missed {value} of {window} sick", "{window}病假{value}"),
    ("leave", ("absent_leave",), 0, "Missed {value} of {window} on leave", "{window}事假{value}"),
    ("late", ("late",), 0, "Came late on {value} of {window}", "{window}迟到{value}"),
)
SPANS = (
    *((str(span), f"the last {span} school days", f"最近{span}个教学日") for span in (7, 14, 30, 90)),
    ("term", "the school days of this term", "本学期"),
)


def _group(kind: str) -> str:
    """Absence without excuse is absence: told as one reason, by whichever weighs more."""
    return "absence" if kind == "unexcused" else kind


RATES = tuple(
    attendance_feature(
        f"{kind}_{span}",
        _share(what, span),
        en.replace("{window}", window_en),
        zh.replace("{window}", window_zh),
        direction=direction,
        null=no_mark(window_en, window_zh),
        group=_group(kind),
    )
    for kind, what, direction, en, zh in KINDS
    for span, window_en, window_zh in SPANS
    if kind != "late" or span in ("30", "90")
)

CHANGES = tuple(
    attendance_feature(
        f"{kind}_change_30",
        f"{_share(what, '30')} - {_share(what, 'before_30')}",
        f"The share of school days missed{en} rose by {{value}} against the 30 school days before",
        f"最近30个教学日的{zh}率比此前30个教学日上升{{value}}",
        low=(
            f"The share of school days missed{en} fell by {{value}} against the 30 school days before",
            f"最近30个教学日的{zh}率比此前30个教学日下降{{value}}",
        ),
        none=(
            f"The share of school days missed{en} is the same as in the 30 school days before",
            f"最近30个教学日的{zh}率与此前30个教学日相同",
        ),
        null=(
            "There is no mark of this pupil in one of the two periods of 30 school days",
            "两个30个教学日中有一个没有该生的考勤记录",
        ),
        group=_group(kind),
    )
    for kind, what, en, zh in (
        ("absence", ABSENT, "", "缺勤"),
        ("unexcused", ("absent_unexcused",), " without excuse", "旷课"),
    )
)

MARKED_30, KEPT_30, KEPT = days("30", *MARKS[1:]), days("30", *MARKS), days("all", *MARKS)
SEEN_AT_SCHOOL = days("all", "present", "late")

SEEN = (
    attendance_feature(
        "register_coverage_30",
        f"{MARKED_30} / nullif({KEPT_30}, 0)",
        "Has a mark on {value} of the last 30 school days on which the class kept its register",
        "最近30个教学日中，班级有考勤的日子里该生有记录的占{value}",
        direction=-1,
        null=no_mark("the last 30 school days", "最近30个教学日"),
        group="coverage",
    ),
    attendance_feature(
        "never_seen",
        f"CASE WHEN {KEPT} >= {FEWEST_KEPT_DAYS} THEN {SEEN_AT_SCHOOL} = 0 END",
        "Is enrolled and was never seen on a day on which the class kept its register",
        "已注册，但在班级有考勤的日子里从未到校",
        unit="flag",
        low=("Was seen at school", "到过学校"),
        null=(
            f"The class has kept its register on fewer than {FEWEST_KEPT_DAYS} days so far",
            f"班级有考勤的日子不足{FEWEST_KEPT_DAYS}天",
        ),
        group="coverage",
    ),
)

TOO_SMALL = (
    "Fewer than 10 others have a value to compare with, or the pupil has none",
    "可比较的其他学生不足10人，或该生没有数据",
)


def _against(
    column: str, unit: Literal["class", "school"], en: str, zh: str, group: str, direction: Direction = 1
) -> Feature:
    where_en, where_zh = {"class": ("class", "班级"), "school": ("school", "学校")}[unit]
    return attendance_feature(
        f"{column}_over_{unit}",
        over_median(column, unit),
        f"{en}, {{value}} above the middle of the {where_en}",
        f"{zh}，比{where_zh}中位数高{{value}}",
        direction=direction,
        relation=COMPARED,
        low=(
            f"{en}, {{value}} below the middle of the {where_en}",
            f"{zh}，比{where_zh}中位数低{{value}}",
        ),
        none=(f"{en}, the same as the middle of the {where_en}", f"{zh}，与{where_zh}中位数相同"),
        null=TOO_SMALL,
        group=group,
    )


ABSENCE_EN, ABSENCE_ZH = "Absence over the last 30 school days", "最近30个教学日缺勤率"
COMPARISONS = (
    _against("absence_30", "class", ABSENCE_EN, ABSENCE_ZH, "absence"),
    _against("absence_30", "school", ABSENCE_EN, ABSENCE_ZH, "absence"),
    _against(
        "unexcused_30",
        "class",
        "Absence without excuse over the last 30 school days",
        "最近30个教学日旷课率",
        "absence",
    ),
    _against(
        "register_coverage_30",
        "class",
        "Days with a mark over the last 30 school days",
        "最近30个教学日有考勤记录的比例",
        "coverage",
        -1,
    ),
)

FEATURES = (*RATES, *CHANGES, *SEEN, *COMPARISONS)
