"""The way to school, aid, and one-to-one care."""

from __future__ import annotations

from risk_model.registers.declaration import Register
from risk_model.registers.vocabulary import (
    CASE,
    INTERNAL,
    PERSONAL,
    RESTRICTED,
    SCHOOLING,
    day,
    number,
    spelled,
    student_id,
    text,
)

TRAVEL = Register(
    "travel",
    "the way to school as seen on a day",
    (
        student_id(),
        day(
            "observed_on",
            "day it was asked",
            PERSONAL,
            SCHOOLING,
            key=True,
            required=True,
            predictor=True,
            aliases=("调查日期", "观察日期"),
        ),
        number(
            "distance_km",
            "the real way; overrides the straight line",
            PERSONAL,
            SCHOOLING,
            predictor=True,
            unit="km",
            minimum=0,
            maximum=1000,
            aliases=("距离", "上学距离", "距离公里"),
        ),
        number(
            "minutes",
            "time it takes",
            PERSONAL,
            SCHOOLING,
            predictor=True,
            unit="minutes",
            minimum=0,
            maximum=1440,
            aliases=("用时", "上学用时", "分钟"),
        ),
        text(
            "mode",
            "how",
            PERSONAL,
            SCHOOLING,
            predictor=True,
            aliases=("交通方式", "上学方式"),
            values=("walk", "bicycle", "motorcycle", "bus", "car"),
            value_aliases=spelled(
                walk="步行",
                bicycle="自行车",
                motorcycle="摩托车 电动车",
                bus="校车 公交 公交车",
                car="汽车 私家车 小汽车",
            ),
        ),
    ),
    aliases=("上学路程", "交通", "通学"),
    event_column="observed_on",
)

AID = Register(
    "aid",
    "aid granted; who is entitled is a rule in the configuration",
    (
        student_id(),
        text(
            "programme",
            "which aid",
            RESTRICTED,
            SCHOOLING,
            key=True,
            required=True,
            predictor=True,
            aliases=("资助项目", "项目"),
        ),
        day(
            "granted_on",
            "when",
            RESTRICTED,
            SCHOOLING,
            key=True,
            required=True,
            predictor=True,
            aliases=("资助日期", "发放日期"),
        ),
        number(
            "amount",
            "how much",
            RESTRICTED,
            SCHOOLING,
            predictor=True,
            unit="yuan",
            minimum=0,
            maximum=10_000_000,
            aliases=("金额", "资助金额"),
        ),
    ),
    aliases=("资助", "资助记录", "学生资助"),
    event_column="granted_on",
)

CARE = Register(
    "care",
    "one-to-one care, one row per step of a case",
    (
        student_id(),
        text(
            "care_id", "which step", PERSONAL, CASE, key=True, required=True, aliases=("帮扶编号", "个案编号")
        ),
        day("day", "when", PERSONAL, CASE, key=True, required=True, aliases=("日期", "帮扶日期")),
        text(
            "kind",
            "what happened",
            PERSONAL,
            CASE,
            aliases=("类型", "帮扶类型"),
            values=("opened", "contact", "plan", "review", "closed"),
            value_aliases=spelled(
                opened="立案 开案",
                contact="联系 家访 劝返",
                plan="计划 方案",
                review="评估 复核",
                closed="销号 结案",
            ),
        ),
        text("staff_id", "by whom", INTERNAL, CASE, aliases=("教职工编号", "教师编号")),
        text("outcome", "what came of it", RESTRICTED, CASE, aliases=("结果", "成效")),
    ),
    aliases=("帮扶", "帮扶记录", "关爱记录", "一人一案"),
    event_column="day",
)
