"""What may be said of a feature: its name, family and sentence, or of a restricted one its family alone.

Numbers of the restricted features of one family are told as one sum: one by one they would give away what
each of them says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isnan
from typing import Any

from risk_model.explanation.sentences import Told, is_restricted, restricted_sentence, sentence
from risk_model.explanation.words import Language

RESTRICTED = "restricted"
"""Stands for the name of every restricted feature."""
UNDECLARED = "model"
"""Family of a feature that an earlier version had and this one does not declare."""


@dataclass(frozen=True)
class Said:
    """What is told of one feature of one pupil."""

    feature: str
    family: str
    group: str
    text: str
    value: float | None
    """None: null, or not to be told."""
    class_value: float | None


def said(
    name: str,
    value: float,
    of_class: float,
    language: Language,
    declared: Mapping[str, Told],
    *,
    protective: bool = False,
) -> Said:
    """What may be told of the feature ``name``; of one no longer declared, its name."""
    feature = declared.get(name)
    if feature is None:
        return Said(name, UNDECLARED, name, name, _plain(value), _plain(of_class))
    if is_restricted(feature):
        text = restricted_sentence(feature.family, language)
        return Said(RESTRICTED, feature.family, RESTRICTED, text, None, None)
    text = sentence(feature, value, of_class, language, protective=protective)
    return Said(name, feature.family, feature.group or name, text, _plain(value), _plain(of_class))


def summed(entries: Iterable[Mapping[str, Any]], numbers: Sequence[str]) -> list[dict[str, Any]]:
    """``entries``, those of restricted features one for each family with their ``numbers`` added up.

    >>> hidden = {"feature": "restricted", "family": "family"}
    >>> summed([{**hidden, "part": 0.25}, {**hidden, "part": 0.5}], ["part"])
    [{'feature': 'restricted', 'family': 'family', 'part': 0.75}]
    """
    open_ones: list[dict[str, Any]] = []
    hidden: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        if entry["feature"] == RESTRICTED:
            hidden.setdefault(entry["family"], []).append(entry)
        else:
            open_ones.append(dict(entry))
    for alike in hidden.values():
        totals = {number: fsum(entry[number] for entry in alike) for number in numbers}
        open_ones.append({**alike[0], **totals})
    return open_ones


def _plain(value: float) -> float | None:
    return None if isnan(value) else value
