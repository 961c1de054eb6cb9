"""What is told of a night: one finding, with its cause, its owner, its window and how many it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from monitoring.words import Language, sentence

Level = Literal["tell", "investigate", "retrain"]
LEVELS: tuple[Level, ...] = ("tell", "investigate", "retrain")
Owner = Literal["data_office", "data_scientist", "responsible"]
OWNERS: tuple[Owner, ...] = ("data_office", "data_scientist", "responsible")
EVERYBODY = "all"


@dataclass(frozen=True)
class Finding:
    """Something to know about a night; ``tell`` is for the report alone, the others are alerts."""

    code: str
    """Which rule, and which sentence of :mod:`monitoring.words`."""
    cause: str
    """Where to look: ``registers``, ``nulls``, ``scale``, ``recoded``, ``cohort``, ``inputs``, ``model``,
    ``labels``, ``concept``, ``calibration``, ``list``, ``fairness``, ``schedule``, ``tool``."""
    level: Level
    owner: Owner
    unit: str = EVERYBODY
    """``all``, ``county:C``, ``school:A`` or ``column:absence_30``."""
    window: str = ""
    n: int = 0
    """Pupils, rows or leavers the figures stand on, as the sentence says."""
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same trouble on another night has the same key."""
        return f"{self.code}:{self.unit}"

    @property
    def is_alert(self) -> bool:
        return self.level != "tell"

    def said(self, language: Language) -> str:
        """What is wrong and what to do next."""
        return sentence(self.code, language, {"unit": self.unit, "n": self.n, **self.figures})

    def as_document(self) -> dict[str, Any]:
        """The entry of ``monitor --json``; the sentence in both languages."""
        return {
            "key": self.key,
            "code": self.code,
            "cause": self.cause,
            "level": self.level,
            "owner": self.owner,
            "unit": self.unit,
            "window": self.window,
            "n": self.n,
            "figures": dict(self.figures),
            "text": self.said("en"),
            "text_zh": self.said("zh"),
        }
