"""What one score is made of, as it is told: facts with their weight, what moved it, the way to school."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

from risk_model.explanation.telling import RESTRICTED, UNDECLARED
from risk_model.explanation.words import with_unit
from risk_model.features.declared import BY_NAME
from serving.pages.charts.contributions import Contributions, draw_contributions
from serving.pages.charts.distance import Way
from serving.pages.desk import Desk
from serving.pages.pupil_registers import PupilRegisters
from serving.pages.rendering import DASH
from serving.pages.shown import points

CHANGES = 6


@dataclass(frozen=True)
class Fact:
    """A feature of the pupil with its value and the class's, as they are told."""

    name: str
    text: str
    value: str
    class_value: str
    times: float


@dataclass(frozen=True)
class Moved:
    """Something that changed the risk, in points."""

    points: str
    text: str


def sum_of(desk: Desk, told: Mapping[str, Any]) -> Contributions | None:
    """The bars; none without a score."""
    if told["base"] is None:
        return None
    return draw_contributions(told["base"], told["families"], desk.say("the rest"))


def facts_of(desk: Desk, told: Mapping[str, Any]) -> list[tuple[Fact, float]]:
    """Facts with the weight of each."""
    return [
        (
            Fact(
                entry["feature"],
                entry["text"],
                _value(desk, entry, "value"),
                _value(desk, entry, "class_value"),
                exp(entry["contribution"]),
            ),
            abs(entry["contribution"]),
        )
        for entry in told["contributions"]
    ]


def _value(desk: Desk, entry: Mapping[str, Any], key: str) -> str:
    if entry["feature"] == RESTRICTED:
        return desk.say("restricted")
    feature = BY_NAME.get(entry["feature"])
    if entry[key] is None:
        return desk.say("not known") if key == "value" else DASH
    if feature is not None and feature.unit == "flag":
        return desk.say("yes") if entry[key] else desk.say("no")
    return with_unit(entry[key], feature.unit if feature else "", desk.language)


def moved_of(desk: Desk, changes: Sequence[Mapping[str, Any]]) -> list[Moved]:
    """What moved the risk most, in points."""
    return [
        Moved(
            points(desk, entry["risk_difference"]),
            desk.say("the model changed (%(versions)s)", versions=entry["text"])
            if entry["family"] == UNDECLARED
            else entry["text"],
        )
        for entry in changes[:CHANGES]
    ]


def way_of(told: Mapping[str, Any], registers: PupilRegisters | None) -> Way:
    """By the score's own values where the model uses them, else by the registers."""
    found = {entry["feature"]: entry for entry in told["contributions"]}

    def value(name: str, key: str = "value") -> float | None:
        entry = found.get(name)
        return None if entry is None else entry[key]

    known = registers or PupilRegisters()
    km, over = value("travel_km") or known.km, value("travel_km_over_school")
    return Way(
        km=km,
        minutes=value("travel_minutes") or known.minutes,
        mode=known.mode,
        boarding=known.boarding,
        nearest_km=value("nearest_school_km"),
        of_school_km=None if km is None or over is None else max(km - over, 0.0),
    )
