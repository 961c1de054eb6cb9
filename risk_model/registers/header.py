"""From the names over a file's columns to the declared columns of its register."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from risk_model.errors import InputRefusedError
from risk_model.registers.declaration import Register


class UnreadableFileError(InputRefusedError):
    """A file of a register that cannot be read at all; the message is the reason."""


@dataclass(frozen=True)
class Header:
    """Which field of a row is which declared column; ``unknown`` names are reported and ignored."""

    positions: dict[str, int]
    width: int
    unknown: tuple[str, ...]


def spelled(name: str) -> str:
    """A header name as it is compared: full-width letters narrowed, lower case, no blanks around.

    >>> spelled(" Student_ID ")
    'student_id'
    """
    return unicodedata.normalize("NFKC", name).replace("\ufeff", "").strip().lower()


def match(register: Register, names: Sequence[str]) -> Header:
    """Match header ``names`` with the columns of ``register``.

    Raises
    ------
    UnreadableFileError
        A column is named twice, or one is missing without which no row is valid.
    """
    known = {spelled(header): column.name for column in register.delivered for header in column.headers}
    positions: dict[str, int] = {}
    unknown = []
    for position, name in enumerate(names):
        column = known.get(spelled(name))
        if column is None:
            unknown.append(name.strip())
        elif column in positions:
            raise UnreadableFileError(
                f"its header names {column} twice ({names[positions[column]]!r}, {name!r})"
            )
        else:
            positions[column] = position
    _demand_required(register, positions, names)
    return Header(positions, len(names), tuple(name for name in unknown if name))


def likeness(register: Register, names: Sequence[str]) -> int:
    """How many of ``names`` are headers of ``register``; tells the delimiter."""
    known = {spelled(header) for column in register.delivered for header in column.headers}
    return sum(spelled(name) in known for name in names)


def _demand_required(register: Register, positions: dict[str, int], names: Sequence[str]) -> None:
    missing = [column.name for column in register.columns if column.required and column.name not in positions]
    if missing:
        found = ", ".join(repr(name[:30]) for name in names[:8])
        raise UnreadableFileError(f"its header lacks {', '.join(missing)} (it names {found})")
    if register.one_of and not set(register.one_of) & set(positions):
        raise UnreadableFileError(f"its header lacks {' or '.join(register.one_of)}")
