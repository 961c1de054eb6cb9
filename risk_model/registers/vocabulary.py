"""Short constructors and shared Chinese spellings for the declarations of registers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from risk_model.registers.declaration import EARLIEST, Column, Kind, Sensitivity

PUBLIC, INTERNAL, PERSONAL, RESTRICTED = Sensitivity

SCHOOLING = "until 5 years after the pupil left the county's schools"
CASE = "until 2 years after the case was closed"
TERM_LIST = "until the next list replaces it, at most 1 year"
OFFICE = "while the school or the person serves, and 5 years"


def text(name: str, purpose: str, sensitivity: Sensitivity, retention: str, **more: Any) -> Column:
    """A text column, no predictor unless said so."""
    return _column(name, Kind.TEXT, purpose, sensitivity, retention, more)


def integer(name: str, purpose: str, sensitivity: Sensitivity, retention: str, **more: Any) -> Column:
    """A whole number."""
    return _column(name, Kind.INTEGER, purpose, sensitivity, retention, more)


def number(name: str, purpose: str, sensitivity: Sensitivity, retention: str, **more: Any) -> Column:
    """A finite decimal number."""
    return _column(name, Kind.NUMBER, purpose, sensitivity, retention, more)


def boolean(name: str, purpose: str, sensitivity: Sensitivity, retention: str, **more: Any) -> Column:
    """True or false; null is neither."""
    return _column(name, Kind.BOOLEAN, purpose, sensitivity, retention, more)


def day(
    name: str,
    purpose: str,
    sensitivity: Sensitivity,
    retention: str,
    *,
    earliest: date | None = EARLIEST,
    not_after_recorded: bool = True,
    **more: Any,
) -> Column:
    """A day that has happened when it is recorded; a plan sets ``not_after_recorded=False``."""
    more |= {"earliest": earliest, "not_after_recorded": not_after_recorded}
    return _column(name, Kind.DATE, purpose, sensitivity, retention, more)


def _column(
    name: str, kind: Kind, purpose: str, sensitivity: Sensitivity, retention: str, more: dict[str, Any]
) -> Column:
    predictor = bool(more.pop("predictor", False))
    return Column(name, kind, purpose, sensitivity, predictor, retention, **more)


def student_id(**more: Any) -> Column:
    """The pupil's identifier (学籍号) as the column of another register."""
    given = {"key": True, "required": True, "refers_to": "students", "aliases": STUDENT_HEADERS} | more
    return text("student_id", "whose row it is", PERSONAL, SCHOOLING, **given)


def school_id(**more: Any) -> Column:
    """A school's identifier (学校标识码) as the column of another register."""
    given = {"refers_to": "schools", "aliases": SCHOOL_HEADERS} | more
    return text("school_id", "which school", INTERNAL, SCHOOLING, **given)


def national_id_hash(**more: Any) -> Column:
    """HMAC-SHA-256 of the national number under the province key."""
    given = {"aliases": ("身份证哈希", "证件号哈希", "身份证件号摘要"), "secret_number": True} | more
    return text(
        "national_id_hash",
        "joins departments' lists without the number itself",
        RESTRICTED,
        SCHOOLING,
        **given,
    )


def name(purpose: str, **more: Any) -> Column:
    """A person's name: identity lake only."""
    given = {"identity": True, "aliases": ("姓名", "学生姓名")} | more
    return text("name", purpose, RESTRICTED, SCHOOLING, **given)


def spelled(**aliases: str) -> Mapping[str, str]:
    """Value aliases: ``spelled(M="男 男性")`` maps 男 and 男性 to M."""
    return MappingProxyType({other: value for value, others in aliases.items() for other in others.split()})


STUDENT_HEADERS = ("学籍号", "全国学籍号", "学生标识码", "学籍辅号")
SCHOOL_HEADERS = ("学校标识码", "学校代码", "学校编号")
CLASS_HEADERS = ("班级", "班号", "班级编号", "班级代码")
COUNTY_HEADERS = ("县区代码", "区县代码", "县代码", "所属县区")
TOWNSHIP_HEADERS = ("乡镇代码", "乡镇", "所属乡镇")
SEXES = spelled(F="女 女性 female", M="男 男性 male")
GRADES = MappingProxyType(
    {f"{digit}年级": str(grade) for grade, digit in enumerate("一二三四五六七八九", 1)}
    | {"初一": "7", "初二": "8", "初三": "9", "高一": "10", "高二": "11", "高三": "12"}
)
