"""What a rule of quality is: which schools it holds back, and what it says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from risk_model.settings import QualitySettings

if TYPE_CHECKING:
    import pandas as pd

LOOKBACK = 60
"""School days that tell what is usual at a school."""


@dataclass(frozen=True)
class Rule:
    """A rule over the frame of :func:`risk_model.quality.registers_kept`, a row per school."""

    breaks: Callable[[pd.DataFrame, QualitySettings], pd.Series[bool]]
    """Which schools break it; a value that is not known breaks no rule."""
    says: Callable[[Any, QualitySettings], str]
    """What is wrong with a school, as a row, and what to do next."""
