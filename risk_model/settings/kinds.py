"""What a section and its values are: shares, ranges, sizes."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]:g} lies above the upper one, {bounds[1]:g}")
    return bounds


Share = Annotated[float, Field(ge=0, le=1)]
Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
"""A lower and an upper bound."""
Component = Literal["dropped_out", "long_absence", "non_return", "transferred_nowhere"]


def _size(text: str) -> str:
    if re.fullmatch(r"[1-9]\d*(\.\d+)? ?[KMGT]i?B", text, re.IGNORECASE) is None:
        raise ValueError(f"{text!r} is no size; write it as 4GB or 512MiB")
    return text


def size_in_bytes(text: str) -> int:
    """How many bytes a size is.

    >>> size_in_bytes("4GB"), size_in_bytes("1.5 KiB")
    (4000000000, 1536)
    """
    size = re.fullmatch(r"([\d.]+) ?([KMGT])(i?)B", _size(text), re.IGNORECASE)
    assert size is not None
    number, unit, binary = size.groups()
    return int(float(number) * (1024 if binary else 1000) ** (1 + "KMGT".index(unit.upper())))


Memory = Annotated[str, AfterValidator(_size)]
"""A size as DuckDB understands it."""


class Section(BaseModel):
    """A section of the configuration file; an unknown key is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)
