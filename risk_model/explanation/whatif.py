"""What if: the risk the model would give were some changeable features otherwise, and which reasons moved.

It is the model's view of a pupil with other values and no promise: whoever boards differs from who does not
in more than the bed. Only what care can change is asked, within what has been seen, and what follows from it
moves along (:mod:`risk_model.explanation.derived`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import Protocol

from risk_model.errors import UsageError
from risk_model.explanation.change import in_risk, risk_of
from risk_model.explanation.derived import FOLLOWS, together
from risk_model.explanation.sentences import Told, is_restricted, restricted_sentence
from risk_model.explanation.words import Language, amount
from risk_model.model.bundle import Bundle
from risk_model.model.manifest import Reference

NO_PROMISE: dict[Language, str] = {
    "en": "This is what the model would say of a pupil with these values. It is no promise that changing "
    "them changes what happens.",
    "zh": "这是模型对具有这些数值的学生的判断，并不保证改变这些数值就会改变结果。",
}
BOUNDS: Mapping[str, tuple[float, float]] = {"percent": (0.0, 1.0), "flag": (0.0, 1.0), "score": (-4.0, 4.0)}
"""By unit; other units begin at 0."""
WHOLE = ("flag", "count", "days")
"""Units whose values are whole numbers."""


class Askable(Told, Protocol):
    """What a question needs of a feature's declaration."""

    @property
    def changeable(self) -> bool: ...


@dataclass(frozen=True)
class Answer:
    """The model's answer; parts in calibrated log-odds and in risk add up to the whole difference."""

    risk: float
    risk_then: float
    values_then: Mapping[str, float]
    followed: tuple[str, ...]
    """Features that moved along with those asked about."""
    held: tuple[str, ...]
    """Features that say something alike and were left as they are, since what follows cannot be computed."""
    log_odds: Mapping[str, float]
    in_risk: Mapping[str, float]


def what_if(
    bundle: Bundle, values: Mapping[str, float], asked: Mapping[str, float], declared: Mapping[str, Askable]
) -> Answer:
    """Ask the model about a pupil with the values ``asked`` in place of some of ``values`` (NaN = null).

    Raises
    ------
    UsageError
        Nothing is asked, or of a feature the model does not use, that care cannot change, that is restricted,
        or that follows from others; a value lies outside the plausible range, or two hang together.
    """
    if not asked:
        raise UsageError(f"Nothing is asked. Name a feature and a value; {_possible(bundle, declared)}.")
    for name, value in asked.items():
        _demand_askable(name, bundle, declared)
        _demand_plausible(declared[name], value, values[name], bundle.manifest.reference.get(name))
    followed = together(values, asked)
    then = {**values, **asked, **followed}
    parts = {name: part for name, part in bundle.between(values, then).items() if part != 0}
    before, after = _log_odds(bundle, values, then)
    moved = tuple(name for name in followed if not _equal(then[name], values[name]))
    held = _held(asked, followed, values, declared)
    return Answer(risk_of(before), risk_of(after), then, moved, held, parts, in_risk(parts, before, after))


def plausible(unit: str, now: float, reference: Reference | None) -> tuple[float, float]:
    """Lowest and highest value that may be asked: what was seen in 98 of 100 pupils, and the pupil's own.

    A yes or no may be asked either way, however rare. Without a reference only the unit bounds it.

    >>> plausible("km", 3.0, Reference(0.0, (0.5, 2.0, 12.0)))
    (0.5, 12.0)
    """
    low, high = BOUNDS.get(unit, (0.0, inf))
    if unit == "flag":
        return low, high
    if reference is not None and reference.quantiles:
        low, high = max(low, reference.quantiles[0]), min(high, reference.quantiles[-1])
    return (low, high) if isnan(now) else (min(low, now), max(high, now))


def _demand_askable(name: str, bundle: Bundle, declared: Mapping[str, Askable]) -> None:
    feature = declared.get(name)
    if feature is not None and is_restricted(feature):
        hidden = restricted_sentence(feature.family, "en")
        raise UsageError(f"{hidden}: nothing can be asked about it. {_possible(bundle, declared)}.")
    if feature is None or name not in bundle.features:
        raise UsageError(f"The model does not use {name!r}. {_possible(bundle, declared)}.")
    if not feature.changeable:
        raise UsageError(f"{name} cannot be changed by care. {_possible(bundle, declared)}.")
    if name in FOLLOWS:
        raise UsageError(f"{name} follows from {' and '.join(FOLLOWS[name])}. Ask about that instead.")


def _demand_plausible(feature: Askable, value: float, now: float, reference: Reference | None) -> None:
    low, high = plausible(feature.unit, now, reference)
    if not (isfinite(value) and low <= value <= high):
        hint = "; a share of 5 % is 0.05" if feature.unit == "percent" and value > 1 else ""
        raise UsageError(
            f"{feature.name} = {value:g} is not plausible: it may be {low:g} to {high:g}{hint}. "
            "Ask within that."
        )
    if feature.unit in WHOLE and value != int(value):
        raise UsageError(
            f"{feature.name} = {value:g} must be a whole number, {amount(low, feature.unit)} or more."
        )


def _possible(bundle: Bundle, declared: Mapping[str, Askable]) -> str:
    names = [
        name
        for name in bundle.features
        if name in declared and declared[name].changeable and name not in FOLLOWS
        if not is_restricted(declared[name])
    ]
    return f"Possible are {', '.join(names)}" if names else "This model uses nothing that care can change"


def _held(
    asked: Mapping[str, float],
    followed: Mapping[str, float],
    values: Mapping[str, float],
    declared: Mapping[str, Askable],
) -> tuple[str, ...]:
    groups = {declared[name].group for name in asked} - {""}
    return tuple(
        name
        for name, value in values.items()
        if name in declared and declared[name].group in groups and declared[name].changeable
        if name not in asked and name not in followed and not isnan(value)
    )


def _log_odds(bundle: Bundle, *rows: Mapping[str, float]) -> list[float]:
    """Calibrated log-odds of each row, as its explanation adds up to it."""
    import pandas as pd

    explained = bundle.explain(pd.DataFrame([dict(row) for row in rows]), threads=1)
    found: list[float] = (explained.base + explained.contributions.sum(axis=1)).tolist()
    return found


def _equal(one: float, other: float) -> bool:
    return one == other or (isnan(one) and isnan(other))


def read_changes(texts: Sequence[str]) -> dict[str, float]:
    """Questions as they are typed: ``boarding=true``, ``absence_30=0.05``.

    Raises
    ------
    UsageError
        One is no such text, or a feature is named twice.

    >>> read_changes(["boarding=true", "absence_30=0.05"])
    {'boarding': 1.0, 'absence_30': 0.05}
    """
    words = {"true": 1.0, "yes": 1.0, "是": 1.0, "false": 0.0, "no": 0.0, "否": 0.0}
    asked: dict[str, float] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        try:
            number = words[value.lower()] if value.lower() in words else float(value)
        except ValueError:
            number = float("nan")
        if not name or name in asked or isnan(number):
            raise UsageError(
                f"{text!r} is no question. Write each feature once, as boarding=true or absence_30=0.05."
            )
        asked[name] = number
    return asked
