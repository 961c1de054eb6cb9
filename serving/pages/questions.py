"""What if, as a form: what may be asked of a pupil's model, within which range, and what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan

from risk_model.errors import MissingError, UsageError
from risk_model.explanation.derived import FOLLOWS
from risk_model.explanation.sentences import is_restricted
from risk_model.explanation.whatif import plausible
from risk_model.explanation.words import amount, with_unit
from risk_model.features.declared import BY_NAME
from risk_model.model.bundle import Bundle
from serving.explaining import explain
from serving.pages.desk import Desk
from serving.pages.shown import points
from serving.pages.translations import later

YES, NO = ("yes", "y", "true", "是", "有"), ("no", "n", "false", "否", "无")
MOVED = 6
NO_QUESTION = later("This is no question. Choose a fact and write a number, or yes or no.")
OUT_OF_RANGE = later("The model cannot be asked this. Choose a value within the range told beside the fact.")


@dataclass(frozen=True)
class Question:
    """A feature one may ask about."""

    name: str
    text: str


@dataclass(frozen=True)
class Asked:
    """A question with its answer, or why there is none."""

    feature: str
    value: str
    refused: str | None = None
    risk: float | None = None
    risk_then: float | None = None
    moved: list[dict[str, str]] = field(default_factory=list)
    says: str = ""


def questions(desk: Desk, bundle: Bundle | None, values: Mapping[str, float | None]) -> list[Question]:
    """Everything one may ask, with the range of plausible values."""
    if bundle is None or not values:
        return []
    names = [name for name in bundle.features if name in values and _askable(name)]
    return [Question(name, _text(desk, name, _range(bundle, name, values[name]))) for name in names]


def _askable(name: str) -> bool:
    feature = BY_NAME.get(name)
    return feature is not None and feature.changeable and not is_restricted(feature) and name not in FOLLOWS


def _range(bundle: Bundle, name: str, now: float | None) -> tuple[float, float]:
    reference = bundle.manifest.reference.get(name)
    return plausible(BY_NAME[name].unit, nan if now is None else now, reference)


def _text(desk: Desk, name: str, bounds: tuple[float, float]) -> str:
    feature = BY_NAME[name]
    told = (feature.text_zh if desk.language == "zh" else feature.text_en).replace("{value}", "…")
    if feature.unit == "flag":
        return desk.say("%(fact)s (yes or no)", fact=told)
    low = amount(bounds[0], feature.unit)
    if not isfinite(bounds[1]):
        return desk.say("%(fact)s (%(low)s or more)", fact=told, low=low)
    high = with_unit(bounds[1], feature.unit, desk.language)
    return desk.say("%(fact)s (%(low)s to %(high)s)", fact=told, low=low, high=high)


def answer(desk: Desk, student_id: str, feature: str, value: str) -> Asked:
    """The model's answer to what was typed."""
    number = typed(value, BY_NAME[feature].unit) if feature in BY_NAME else None
    if number is None or not _askable(feature):
        return Asked(feature, value, desk.say(NO_QUESTION))
    try:
        document = explain(desk.connection, desk.home, desk.own_settings, student_id, asked={feature: number})
    except (UsageError, MissingError):
        return Asked(
            feature,
            value,
            desk.say(OUT_OF_RANGE),
        )
    told = document["what_if"]
    moved = [
        {"points": points(desk, entry["risk_difference"]), "text": entry["text"]}
        for entry in told["reasons_moved"][:MOVED]
    ]
    return Asked(feature, value, None, told["risk"], told["risk_then"], moved, told["says"])


def typed(text: str, unit: str) -> float | None:
    """A value as people type it; none if it is no number.

    >>> typed("5 %", "percent"), typed("5", "percent"), typed("0.05", "percent")
    (0.05, 0.05, 0.05)
    >>> typed("yes", "flag"), typed("是", "flag"), typed("3,5", "km"), typed("far", "km")
    (1.0, 1.0, 3.5, None)
    """
    told = text.strip().lower()
    if unit == "flag" and told in (*YES, *NO):
        return float(told in YES)
    share = told.endswith(("%", "％"))
    try:
        number = float(told.rstrip("%％ ").replace(",", "."))
    except ValueError:
        return None
    if not isfinite(number):
        return None
    return number / 100 if unit == "percent" and (share or number > 1) else number
