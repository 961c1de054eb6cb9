"""Contributions of features added up to what people recognise: the family, and within it the reason.

Ten windows of absence are one reason to a teacher. Sums are exact: the groups of a family add up to it, and
the families to the log-odds above the base.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum
from typing import Any

from risk_model.explanation.sentences import Told
from risk_model.explanation.telling import RESTRICTED
from risk_model.explanation.words import Language

FAMILIES: dict[Language, dict[str, str]] = {
    "en": {
        "attendance": "Attendance",
        "learning": "Learning",
        "family": "Family",
        "distance": "The way to school",
        "time": "Time of the year and grade",
        "model": "Other",
    },
    "zh": {
        "attendance": "出勤",
        "learning": "学习",
        "family": "家庭",
        "distance": "上学路途",
        "time": "时间与年级",
        "model": "其他",
    },
}
GROUPS: dict[Language, dict[str, str]] = {
    "en": {
        "absence": "Absence",
        "sick": "Sick leave",
        "leave": "Leave",
        "late": "Coming late",
        "coverage": "Gaps in the register",
        "absence_streak": "Days away running",
        "absence_episodes": "Staying away and coming back",
        "results": "Exam results",
        "course": "Course of the results",
        "failed": "Failed exams",
        "missed": "Missed exams",
        "distance": "Distance",
        "season": "Time of the year and grade",
        RESTRICTED: "Details are restricted",
    },
    "zh": {
        "absence": "缺勤",
        "sick": "病假",
        "leave": "事假",
        "late": "迟到",
        "coverage": "考勤记录缺失",
        "absence_streak": "连续缺勤天数",
        "absence_episodes": "断续缺勤",
        "results": "考试成绩",
        "course": "成绩变化",
        "failed": "不及格考试",
        "missed": "缺考",
        "distance": "距离",
        "season": "时间与年级",
        RESTRICTED: "详情受限",
    },
}
"""A feature that stands in no group is named by its own sentence."""


def families(
    entries: Iterable[Mapping[str, Any]], declared: Mapping[str, Told], language: Language
) -> list[dict[str, Any]]:
    """Families with their groups, each by falling weight.

    ``entries`` have ``feature``, ``family``, ``text`` and ``contribution`` (calibrated log-odds); those of
    restricted features are already one for each family (:func:`risk_model.explanation.telling.summed`).
    """
    by_family: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for entry in entries:
        groups = by_family.setdefault(entry["family"], {})
        groups.setdefault(group_of(entry["feature"], declared), []).append(entry)
    return _heaviest_first(_family(family, groups, language) for family, groups in by_family.items())


def group_of(feature: str, declared: Mapping[str, Told]) -> str:
    """The group of a feature as it is shown: its own name where it has none."""
    found = declared.get(feature)
    return feature if found is None else found.group or feature


def _family(family: str, groups: Mapping[str, list[Mapping[str, Any]]], language: Language) -> dict[str, Any]:
    return {
        "family": family,
        "name": FAMILIES[language].get(family, family),
        "contribution": fsum(entry["contribution"] for entries in groups.values() for entry in entries),
        "groups": _heaviest_first(_group(group, entries, language) for group, entries in groups.items()),
    }


def _group(group: str, entries: list[Mapping[str, Any]], language: Language) -> dict[str, Any]:
    total = fsum(entry["contribution"] for entry in entries)
    tells = max(entries, key=lambda entry: entry["contribution"] * (1 if total >= 0 else -1))
    return {
        "group": group,
        "name": GROUPS[language].get(group, tells["text"]),
        "contribution": total,
        "features": [entry["feature"] for entry in entries],
        "text": tells["text"],
    }


def _heaviest_first(parts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(parts, key=lambda part: -abs(part["contribution"]))
