"""What is printed: a pack for a day without network, by class, with room to write."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from serving.lists import Page
from serving.pages.care_shown import follow_up
from serving.pages.desk import Desk
from serving.pages.shown import About, Row, about, rows_shown, unit_name
from serving.units import Unit

AT_A_TIME = 60
"""Pupils of a pack: more would not fit into a page of 60 KB."""


@dataclass(frozen=True)
class Group:
    """A class of the pack."""

    name: str
    rows: list[Row]


@dataclass(frozen=True)
class Pack:
    """The page."""

    unit: str
    name: str
    about: About
    classes: list[Group]
    next: str | None


def pack_page(desk: Desk, unit: Unit, page: Page, start: int) -> Pack:
    """Listed pupils by class, within it in the order of the list."""
    rows = sorted(page.rows, key=lambda row: (row["school_id"], row["class_id"] or ""))
    part = rows[start : start + AT_A_TIME]
    follow = follow_up(desk, [row["student_id"] for row in part])
    groups: dict[str, list[Row]] = {}
    for row in rows_shown(desk, unit, part, follow):
        groups.setdefault(row.place or desk.say("without a class"), []).append(row)
    following = start + AT_A_TIME
    link = f"/units/{quote(str(unit), safe='')}/pack?start={following}" if following < len(rows) else None
    return Pack(
        str(unit),
        unit_name(desk, unit),
        about(page, desk.settings.labels.horizon_days),
        [Group(name, held) for name, held in groups.items()],
        link,
    )
