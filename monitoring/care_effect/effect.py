"""An effect on how many leave: a step of the logarithm, its interval, and what such data could tell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

POWER = 2.8
"""1.96 + 0.84: so many standard errors are told from nothing four times in five."""
FEWEST = 10
"""Leavers on either side below which nothing is computed."""


@dataclass(frozen=True)
class Effect:
    """A relative change of those who left: −0.5 is half as many. Null where nothing was computed."""

    effect: float | None
    low: float | None
    high: float | None
    left: int
    """Leavers looked at, on both sides."""
    pupils: int
    detectable: float | None
    """The smallest fall that data like these would tell from nothing in four cases of five."""

    @property
    def told(self) -> bool:
        """Whether the data can tell an effect from none."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def said(self, language: str) -> str:
        """The honest sentence."""
        raise NotImplementedError

    def as_document(self) -> dict[str, Any]:
        return {**asdict(self), "told": self.told, "text": self.said("en"), "text_zh": self.said("zh")}


def measured(step: float, error: float) -> dict[str, float]:
    """``effect``, ``low``, ``high`` and ``detectable`` of a step of the logarithm and its standard error.

    >>> measured(0.0, 0.5)["effect"]
    0.0
    """
    return {
        "effect": float(np.expm1(step)),
        "low": float(np.expm1(step - 1.96 * error)),
        "high": float(np.expm1(step + 1.96 * error)),
        "detectable": float(1 - np.exp(-POWER * error)),
    }


NOT_MEASURED: dict[str, None] = dict.fromkeys(("effect", "low", "high", "detectable"))
"""What stands where too few left."""
