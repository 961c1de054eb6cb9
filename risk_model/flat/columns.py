"""A table as numbers: which columns are categories, their levels, and what null becomes.

The same numbers serve both parts of the model. The trees take one column per column of the table: values
with NaN for null, and codes of categories. The linear part takes the *design*: numbers as they are, one
column per level of a category seen often enough, and one that says "null" where nulls occurred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.errors import RiskModelError

Matrix = NDArray[np.float64]
RARE = 10
"""A level with fewer rows has no coefficient of its own: it would be learnt by heart."""


class TableError(RiskModelError, ValueError):
    """A column of the table cannot be used as it is; the message names it."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table as they were at fitting."""

    names: tuple[str, ...]
    levels: tuple[tuple[Any, ...] | None, ...]
    """The levels of each category in order of their codes; None for a number."""

    @classmethod
    def of(cls, table: pd.DataFrame | Matrix, names: Sequence[str]) -> Columns:
        """Learn names and levels; text, ``object`` and ``category`` columns of a frame are categories."""
        if not isinstance(table, pd.DataFrame):
            return cls(tuple(names), (None,) * len(names))
        return cls(tuple(names), tuple(_levels(table.iloc[:, i]) for i in range(table.shape[1])))

    @property
    def categorical(self) -> list[int]:
        """Positions of the categories."""
        return [i for i, levels in enumerate(self.levels) if levels is not None]

    def codes(self, table: pd.DataFrame | Matrix) -> Matrix:
        """The table as (n, k) numbers: categories by code, null and levels not seen at fitting as NaN.

        Raises
        ------
        TableError
            A column holds infinity, or is a number at fitting and holds text now.
        """
        if not isinstance(table, pd.DataFrame):
            return np.asarray(table, dtype=np.float64)
        columns = [
            _numbers(table.iloc[:, i], name) if levels is None else _coded(table.iloc[:, i], levels)
            for i, (name, levels) in enumerate(zip(self.names, self.levels, strict=True))
        ]
        return np.column_stack(columns) if columns else np.empty((len(table), 0))


@dataclass(frozen=True)
class Design:
    """Which columns the linear part has: numbers, levels, nulls."""

    source: NDArray[np.intp]
    """(d,) the column of the table each comes from."""
    level: Matrix
    """(d,) the code it stands for; NaN: the number itself; −1: null."""

    @classmethod
    def of(cls, codes: Matrix, categorical: Sequence[int]) -> Design:
        """The design of a table's ``codes`` (n, k): levels and nulls with at least :data:`RARE` rows."""
        found: list[tuple[int, float]] = []
        for column in range(codes.shape[1]):
            values = codes[:, column]
            if column in categorical:
                seen, rows = np.unique(values[~np.isnan(values)], return_counts=True)
                found += [(column, float(code)) for code in seen[rows >= RARE]]
            else:
                found.append((column, np.nan))
            if np.isnan(values).sum() >= RARE:
                found.append((column, -1.0))
        return cls(np.array([c for c, _ in found], dtype=np.intp), np.array([v for _, v in found]))

    def matrix(self, codes: Matrix) -> Matrix:
        """(n, d); a null number stays NaN and is for the caller to put at its mean."""
        out = np.empty((len(codes), len(self.source)))
        for place, (column, level) in enumerate(zip(self.source, self.level, strict=True)):
            values = codes[:, column]
            if np.isnan(level):
                out[:, place] = values
            else:
                out[:, place] = np.isnan(values) if level < 0 else values == level
        return out


def directions(monotone: Mapping[str, int] | Sequence[int] | None, columns: Columns) -> tuple[int, ...]:
    """One of −1, 0, 1 per column: the risk may only fall, do as it likes, or only rise with the value.

    Raises
    ------
    TableError
        A name is no column, the sequence has another length, a direction is none, or a category has one.

    >>> directions({"absences": 1}, Columns(("grade", "absences"), (None, None)))
    (0, 1)
    """
    names = columns.names
    if isinstance(monotone, Mapping):
        unknown = sorted(str(name) for name in set(monotone) - set(names))
        if unknown:
            raise TableError(f"monotone names {', '.join(unknown)}, which is no column. Correct the name.")
        given = tuple(monotone.get(name, 0) for name in names)
    else:
        given = (0,) * len(names) if monotone is None else tuple(monotone)
    if len(given) != len(names):
        raise TableError(f"monotone has {len(given)} directions for {len(names)} columns. Give one for each.")
    for name, levels, one in zip(names, columns.levels, given, strict=True):
        if one not in (-1, 0, 1) or (one and levels is not None):
            raise TableError(f"monotone of {name} is {one}; it may be -1, 0 or 1, for a category only 0.")
    return tuple(int(one) for one in given)


def _levels(column: pd.Series) -> tuple[Any, ...] | None:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return tuple(column.cat.categories[np.unique(column.cat.codes[column.cat.codes >= 0])])
    if pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype):
        return tuple(sorted(column.dropna().unique(), key=lambda level: (type(level).__name__, str(level))))
    return None


def _coded(column: pd.Series, levels: Sequence[Any]) -> Matrix:
    place = {level: float(code) for code, level in enumerate(levels)}
    return column.astype(object).map(place).to_numpy(dtype=np.float64, na_value=np.nan)


def _numbers(column: pd.Series, name: str) -> Matrix:
    if not (pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)):
        raise TableError(
            f"{name} holds {column.dtype}, which is neither number nor category. "
            "Turn it into a number (a date into days since another) or into text."
        )
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise TableError(f"{name} contains infinity. Replace it by a number or by null.")
    return values
