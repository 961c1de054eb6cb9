"""The list of a unit: filtered, in pages, and with whole classes named before their pupils."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from risk_model.explanation.families import FAMILIES
from serving.care.overview import FollowUp
from serving.directory.naming import names_of
from serving.lists import OlderSchool, Page
from serving.pages.care_shown import Worry, follow_up, worries
from serving.pages.desk import Desk
from serving.pages.published import class_sizes, inside, published_scores
from serving.pages.shown import About, Row, about, class_name, rows_shown, unit_name
from serving.seats import of_pupils
from serving.tables import Score
from serving.units import Unit

AT_A_TIME = 25
WHOLE = 0.5
"""From more than this share of a class on, the class is the matter."""


@dataclass(frozen=True)
class Asked:
    """The filter; empty: all."""

    family: str = ""
    grade: str = ""
    care: str = ""
    start: int = 0

    @property
    def any(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.family or self.grade or self.care)


@dataclass(frozen=True)
class WholeClass:
    """A class of which more than half is listed."""

    unit: str
    name: str
    listed: int
    pupils: int


@dataclass(frozen=True)
class ListShown:
    """The page."""

    unit: str
    name: str
    about: About
    listed: int
    capacity: int
    minimum_risk: float | None
    older: list[OlderSchool]
    whole_classes: list[WholeClass]
    families: list[tuple[str, str]]
    grades: list[int]
    asked: Asked
    filtered: bool
    rows: list[Row]
    first: int
    total: int
    previous: str | None
    next: str | None
    worried: list[tuple[str, Worry]]


def list_page(desk: Desk, unit: Unit, page: Page, asked: Asked) -> ListShown:
    """The part of the list that is asked for."""
    follow = follow_up(desk, [row["student_id"] for row in page.rows])
    fitting = [row for row in page.rows if _fits(row, follow, asked)]
    part = fitting[asked.start : asked.start + AT_A_TIME]
    name = unit_name(desk, unit)
    return ListShown(
        unit=str(unit),
        name=name,
        about=about(page, desk.settings.labels.horizon_days),
        listed=page.listed,
        capacity=page.capacity,
        minimum_risk=page.minimum_risk,
        older=page.older if unit.above_school else [],
        whole_classes=whole_classes(desk, page),
        families=list(FAMILIES[desk.language].items())[:-1],
        grades=sorted({row["grade"] for row in page.rows if row["grade"] is not None}),
        asked=asked,
        filtered=asked.any,
        rows=rows_shown(
            desk, unit, part, follow, history=True, worries=worries(desk, [row["student_id"] for row in part])
        ),
        first=asked.start + 1,
        total=len(fitting),
        previous=_link(unit, asked, max(asked.start - AT_A_TIME, 0)) if asked.start else None,
        next=_link(unit, asked, asked.start + AT_A_TIME) if asked.start + AT_A_TIME < len(fitting) else None,
        worried=_worried(desk, unit, page),
    )


def whole_classes(desk: Desk, page: Page) -> list[WholeClass]:
    """Classes of the list of which more than half is listed, with more than one pupil."""
    listed = Counter(_key(row) for row in page.rows if row["listed"] and row["class_id"])
    keys = class_keys(desk, page)
    sizes = class_sizes(desk.connection, list(keys.values()))
    return [
        WholeClass(f"class:{keys[key]}", class_name(keys[key]), count, sizes[keys[key]])
        for key, count in sorted(listed.items())
        if key in keys and count > 1 and count > WHOLE * sizes.get(keys[key], count * 2)
    ]


def class_keys(desk: Desk, page: Page) -> dict[tuple[str, str], str]:
    """The key of each class on the page, by school and class."""
    ids = [row["student_id"] for row in page.rows]
    query = of_pupils(published_scores(Score.school_id, Score.class_id, Score.class_key), ids)
    query = query.where(Score.class_id.is_not(None))
    return {(school, name): key for school, name, key in desk.connection.execute(query.distinct())}


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["school_id"], row["class_id"]


def _fits(row: Mapping[str, Any], follow: Mapping[str, FollowUp], asked: Asked) -> bool:
    up = follow[row["student_id"]]
    return (
        (not asked.family or any(reason["family"] == asked.family for reason in row["reasons"]))
        and (not asked.grade or str(row["grade"]) == asked.grade)
        and (not asked.care or _care_fits(up, asked.care))
    )


def _care_fits(up: FollowUp, care: str) -> bool:
    return up.overdue if care == "overdue" else up.state == care


def _link(unit: Unit, asked: Asked, start: int) -> str:
    told = {"family": asked.family, "grade": asked.grade, "care": asked.care, "start": start}
    return f"/units/{quote(str(unit), safe='')}/list?{urlencode({k: v for k, v in told.items() if v})}"


def _worried(desk: Desk, unit: Unit, page: Page) -> list[tuple[str, Worry]]:
    """Name and last worry of nominated pupils of a class or school who are not on its list."""
    if unit.above_school:
        return []
    query = published_scores(Score.student_id).where(inside(unit), Score.listed.is_(False))
    told = worries(desk, list(desk.connection.execute(query).scalars()))
    names = names_of(desk.connection, list(told))
    return [(names.get(student_id, student_id), found[-1]) for student_id, found in told.items()]
