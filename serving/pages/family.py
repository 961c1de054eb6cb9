"""Facts of the family as sentences of the reader's language; an unknown fact is said to be unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.pages.desk import Desk
from serving.pages.rendering import day_text
from serving.pages.translations import later

NAMES = {
    "guardian": later("looked after by"),
    "parents_away": later("parents away for work"),
    "poverty": later("household"),
    "orphan": later("orphan"),
    "parent_illness": later("a parent is seriously ill"),
    "relocated": later("relocated"),
    "migrant": later("moved here for work"),
    "siblings": later("brothers and sisters"),
    "mother_schooling_years": later("mother's years of schooling"),
    "father_schooling_years": later("father's years of schooling"),
    "observed_on": later("asked on"),
}
VALUES = {
    "both_parents": later("both parents"),
    "one_parent": later("one parent"),
    "grandparents": later("grandparents"),
    "relatives": later("relatives"),
    "nobody": later("no adult"),
    "none": later("no poverty status"),
    "lifted": later("lifted out of poverty"),
    "monitored": later("monitored for a return to poverty"),
    "minimum_living": later("minimum living allowance"),
}
PROGRAMMES = {
    "boarding_allowance": later("boarding allowance"),
    "living_allowance": later("living allowance"),
    "meals": later("school meals"),
    "transport": later("transport allowance"),
}


def family_facts(desk: Desk, row: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Name and value of each fact; none without a row."""
    if row is None:
        return []
    return [(desk.say(name), _told(desk, column, row.get(column))) for column, name in NAMES.items()]


def programme_name(desk: Desk, programme: str) -> str:
    """The programme as it is called, or as the register has it."""
    return desk.say(PROGRAMMES[programme]) if programme in PROGRAMMES else programme


def _told(desk: Desk, column: str, value: Any) -> str:
    if value is None:
        return desk.say("not known")
    if column == "observed_on":
        return day_text(value, desk.language)
    if isinstance(value, bool):
        return desk.say("yes") if value else desk.say("no")
    if isinstance(value, float):
        return f"{value:g}"
    return desk.say(VALUES[value]) if value in VALUES else str(value)
