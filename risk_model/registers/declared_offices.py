"""Staff and their posts, and the lists of other departments that registers are compared with."""

from __future__ import annotations

from risk_model.registers.declaration import Column, Register
from risk_model.registers.vocabulary import (
    COUNTY_HEADERS,
    INTERNAL,
    OFFICE,
    PERSONAL,
    RESTRICTED,
    SEXES,
    TERM_LIST,
    TOWNSHIP_HEADERS,
    day,
    name,
    national_id_hash,
    text,
)

STAFF_HEADERS = ("教职工编号", "教师编号", "工号")

STAFF = Register(
    "staff",
    "who works with the lists",
    (
        text(
            "staff_id",
            "identifies the person",
            INTERNAL,
            OFFICE,
            key=True,
            required=True,
            aliases=STAFF_HEADERS,
        ),
        name("who looked and who cared", required=True, aliases=("姓名", "教师姓名", "教职工姓名")),
        text(
            "email",
            "first sign-in and alerts",
            RESTRICTED,
            OFFICE,
            identity=True,
            aliases=("邮箱", "电子邮箱"),
        ),
        text(
            "phone",
            "first sign-in and alerts",
            RESTRICTED,
            OFFICE,
            identity=True,
            aliases=("电话", "手机号", "手机"),
        ),
    ),
    aliases=("教职工", "教师", "教师名册", "教职工名册"),
)

ASSIGNMENTS = Register(
    "assignments",
    "who may see which unit, and from when to when",
    (
        text("staff_id", "whose post", INTERNAL, OFFICE, key=True, required=True, aliases=STAFF_HEADERS),
        text(
            "unit",
            "province:P, county:C, township:T, school:A or class:A:7A:2025",
            INTERNAL,
            OFFICE,
            key=True,
            required=True,
            aliases=("单位", "任职单位"),
        ),
        text(
            "role",
            "what the post allows",
            INTERNAL,
            OFFICE,
            key=True,
            required=True,
            aliases=("角色", "职务"),
        ),
        day(
            "from_day",
            "first day; may lie ahead",
            INTERNAL,
            OFFICE,
            key=True,
            required=True,
            not_after_recorded=False,
            aliases=("开始日期", "任职日期"),
        ),
        day(
            "to_day",
            "last day; a plan, so it may lie ahead",
            INTERNAL,
            OFFICE,
            not_after_recorded=False,
            not_before="from_day",
            aliases=("结束日期", "离任日期"),
        ),
    ),
    aliases=("任职", "任职安排", "班主任安排"),
    event_column="from_day",
)


def _person_on_a_list() -> tuple[Column, ...]:
    return (
        national_id_hash(key=True, required=True),
        name("a person to look for when no pupil matches"),
    )


def _birth_date() -> Column:
    return day("birth_date", "who is of school age", PERSONAL, TERM_LIST, aliases=("出生日期",))


def _county() -> Column:
    return text("county_id", "whose list", INTERNAL, TERM_LIST, aliases=COUNTY_HEADERS)


def _department_list(name_: str, purpose: str, aliases: tuple[str, ...]) -> Register:
    return Register(
        name_,
        purpose,
        (
            *_person_on_a_list(),
            _birth_date(),
            text("category", "category on the list", RESTRICTED, TERM_LIST, aliases=("类别", "人员类别")),
            _county(),
            text("source", "which department sent it", INTERNAL, TERM_LIST, aliases=("来源", "来源部门")),
        ),
        aliases=aliases,
    )


POPULATION = Register(
    "population",
    "children of school age in the household register",
    (
        *_person_on_a_list(),
        text(
            "sex",
            "tells persons apart",
            PERSONAL,
            TERM_LIST,
            values=("F", "M"),
            value_aliases=SEXES,
            aliases=("性别",),
        ),
        _birth_date(),
        text("township_id", "whose list", INTERNAL, TERM_LIST, aliases=TOWNSHIP_HEADERS),
        _county(),
        text(
            "guardian_name",
            "whom to visit",
            RESTRICTED,
            TERM_LIST,
            identity=True,
            aliases=("监护人姓名", "户主姓名"),
        ),
    ),
    aliases=("户籍人口", "人口", "适龄儿童", "公安户籍"),
)
POVERTY_LIST = _department_list(
    "poverty_list", "households helped against poverty", ("脱贫名单", "困难名单", "低保名单")
)
DEPARTMENT_LIST = _department_list(
    "department_list", "children on another department's list", ("部门名单", "残联名单")
)
