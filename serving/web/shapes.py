"""What parameters and bodies may be: bounded, printable, and nothing a database or JSON cannot hold."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from risk_model.errors import UsageError
from serving.units import Unit, parse_unit

MOST_OF_INTEGER = 2**63 - 1
"""What an integer of either database can hold."""
PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]*")
IDENTIFIER = re.compile(r"[^\x00-\x20\x7f-\x9f\ud800-\udfff\ufffd-\uffff]{1,128}")
UNIT_LENGTH = 320


def is_identifier(text: object) -> bool:
    """Whether ``text`` may be the identifier of a pupil; whatever is none belongs to nobody.

    >>> is_identifier("G5201"), is_identifier("a\\x00"), is_identifier("")
    (True, False, False)
    """
    return isinstance(text, str) and IDENTIFIER.fullmatch(text) is not None


def unit_of(text: object) -> Unit | None:
    """The unit, or None where the text cannot be one.

    >>> str(unit_of("class:A:7A:2025")), unit_of("class"), unit_of("all")
    ('class:A:7A:2025', None, None)
    """
    if not isinstance(text, str) or len(text) > UNIT_LENGTH or PRINTABLE.fullmatch(text) is None:
        return None
    try:
        return parse_unit(text)
    except UsageError:
        return None


def _printable(text: str) -> str:
    if PRINTABLE.fullmatch(text.replace("\n", "").replace("\r", "").replace("\t", "")) is None:
        raise ValueError("holds characters that cannot be printed")
    return text


Text = Annotated[str, Field(max_length=4000), AfterValidator(_printable)]
"""A note: printable, with lines."""
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Identifier = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
FeatureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", max_length=64)]
Value = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12)]
Number = Annotated[int, Field(ge=1, le=MOST_OF_INTEGER)]
