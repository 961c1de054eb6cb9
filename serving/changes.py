"""What changed since a pupil's last score, as ``explain --json`` tells it: by feature and by model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import fsum, nan
from typing import Any

from risk_model.errors import BundleError
from risk_model.explanation.change import MODEL, WHOLE, Change, Scored, split_change
from risk_model.explanation.telling import UNDECLARED, said, summed
from risk_model.explanation.words import Language
from risk_model.features.declared import BY_NAME
from risk_model.home import Home
from risk_model.model.bundle import Bundle
from risk_model.model.loading import load
from risk_model.shelf import Shelf

NOT_SPLIT: dict[Language, str] = {
    "en": "Neither of the two models can be read and asked any more, so the difference stays whole. "
    "Restore mlruns/bundles from a backup to split it.",
    "zh": "两个模型都已无法读取和计算，差异无法拆分。请从备份恢复 mlruns/bundles。",
}
UNDER_TODAYS: dict[Language, str] = {
    "en": "The model of {since} cannot be asked about today's values, so the pupil's change was weighed by "
    "today's model.",
    "zh": "{since}的模型无法用于今天的数据，因此学生的变化按今天的模型计算。",
}


@dataclass(frozen=True)
class Part:
    """One feature of one pupil in one run; values NaN = null, contribution in log-odds."""

    value: float
    of_class: float
    contribution: float


NOTHING = Part(nan, nan, 0.0)


def changes_between(
    home: Home, now: Any, before: Any, parts: Mapping[str, Mapping[str, Part]], language: Language
) -> dict[str, Any]:
    """The keys of the document that tell what changed from one score to another; ``parts`` are by run."""
    here, there = parts[now.key], parts[before.key]
    change = split_change(_scored(before, there), _scored(now, here), bundle_of(home))
    entries = [_entry(name, change, now, before, here, there, language) for name in change.log_odds]
    told = summed(entries, ("difference", "risk_difference"))
    return {
        "changes": sorted(
            (entry for entry in told if entry["difference"] != 0), key=lambda entry: -abs(entry["difference"])
        ),
        "changes_note": _note(change, before, language),
    }


def bundle_of(home: Home) -> Callable[[str], Bundle | None]:
    """How a model is found by its digest, damaged or lost ones as None."""
    shelf = Shelf(home)

    def found(digest: str) -> Bundle | None:
        try:
            return load(shelf.folder(digest), digest)
        except BundleError:
            return None

    return found


def log_odds_of(score: Any, parts: Mapping[str, Part]) -> float:
    """Calibrated log-odds of a score, from the contributions kept with it."""
    return fsum([score.base, *(part.contribution for part in parts.values())])


def _scored(score: Any, parts: Mapping[str, Part]) -> Scored:
    values = {name: part.value for name, part in parts.items()}
    return Scored(values, log_odds_of(score, parts), score.model_digest)


def _entry(
    name: str,
    change: Change,
    now: Any,
    before: Any,
    here: Mapping[str, Part],
    there: Mapping[str, Part],
    language: Language,
) -> dict[str, Any]:
    numbers = {"difference": change.log_odds[name], "risk_difference": change.risk[name]}
    if name in (MODEL, WHOLE):
        text = NOT_SPLIT[language] if name == WHOLE else f"{before.model_version} → {now.model_version}"
        return {
            "feature": name,
            "family": UNDECLARED,
            "value_before": None,
            "value": None,
            **numbers,
            "text": text,
        }
    today, then = here.get(name, NOTHING), there.get(name, NOTHING)
    told = said(name, today.value, today.of_class, language, BY_NAME)
    return {
        "feature": told.feature,
        "family": told.family,
        "value_before": said(name, then.value, then.of_class, language, BY_NAME).value,
        "value": told.value,
        **numbers,
        "text": told.text,
    }


def _note(change: Change, before: Any, language: Language) -> str | None:
    if change.under is None:
        return NOT_SPLIT[language]
    if change.under == "now":
        return UNDER_TODAYS[language].format(since=before.as_of.isoformat())
    return None
