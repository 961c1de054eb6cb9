"""The hot loop, compiled by numba: cells, patterns, lookups and sums, a block of rows at a time.

Everything goes column by column, so that a block's cells, its patterns and the table at hand stay in the
processor's nearest memory, and every loop over rows is a plain one the compiler can widen. No ``fastmath``:
it would drop the test for "not a number", and additions keep their order, so a row's answer depends neither
on its neighbours nor on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from risk_model.compiling import compiled

PAD = 8
"""Numbers between two columns of a block: columns a power of two apart would share a few cache lines."""
TILE = 8
"""Rows turned at once between rows and columns: one cache line of a column."""


def _fill_cells(values: NDArray[Any], edges: NDArray[Any], cells: NDArray[Any], rows: int) -> None:
    """Binary search of all rows in step; no value is above "not a number", which has the last cell."""
    left = len(edges)
    for row in range(rows):
        cells[row] = 0
    while left > 1:
        half = left >> 1
        for row in range(rows):
            at = np.int64(cells[row]) + half
            cells[row] = at if edges[at - 1] < values[row] else at - half
        left -= half
    if left == 1:
        for row in range(rows):
            at = np.int64(cells[row])
            cells[row] = at + (edges[at] < values[row])
    null = len(edges) + 1
    for row in range(rows):
        cells[row] = cells[row] if values[row] == values[row] else null


def _fill_patterns(
    step_feature: NDArray[Any],
    step_cell: NDArray[Any],
    step_delta: NDArray[Any],
    cells: NDArray[Any],
    patterns: NDArray[Any],
    rows: int,
) -> None:
    """The pattern of every row in one group, from the group's steps."""
    patterns[:rows] = 0
    for step in range(len(step_feature)):
        cell = cells[step_feature[step]]
        at, delta = step_cell[step], step_delta[step]
        for row in range(rows):
            patterns[row] = patterns[row] + (delta if cell[row] >= at else np.uint16(0))


def _add_tables(
    member: NDArray[Any], tables: NDArray[Any], patterns: NDArray[Any], sums: NDArray[Any], rows: int
) -> None:
    """Look the patterns up for every feature of one group."""
    size = len(tables) // len(member)
    for one in range(len(member)):
        table = tables[one * size : (one + 1) * size]
        total = sums[member[one]]
        for row in range(rows):
            total[row] += table[patterns[row]]


def _turn_in(matrix: NDArray[Any], columns: NDArray[Any], sums: NDArray[Any]) -> None:
    rows = len(matrix)
    for first in range(0, rows, TILE):
        last = min(first + TILE, rows)
        for one in range(len(columns)):
            column = columns[one]
            for row in range(first, last):
                sums[one, row] = matrix[row, column]


def _turn_out(sums: NDArray[Any], columns: NDArray[Any], out: NDArray[Any]) -> None:
    rows = len(out)
    for first in range(0, rows, TILE):
        last = min(first + TILE, rows)
        out[first:last] = 0.0
        for one in range(len(columns)):
            column = columns[one]
            for row in range(first, last):
                out[row, column] = sums[one, row]


def _explain_rows(
    matrix: NDArray[Any],
    columns: NDArray[Any],
    edge_at: NDArray[Any],
    edges: NDArray[Any],
    step_at: NDArray[Any],
    step_feature: NDArray[Any],
    step_cell: NDArray[Any],
    step_delta: NDArray[Any],
    member_at: NDArray[Any],
    member: NDArray[Any],
    table_at: NDArray[Any],
    table: NDArray[Any],
    base: float,
    block: int,
    out: NDArray[Any],
    margin: NDArray[Any],
) -> None:
    """Fill ``margin`` (n,), and ``out`` (n, k) unless it has no rows, for ``matrix`` (n, k)."""
    used = len(columns)
    cells = np.empty((used, block + PAD), np.uint16)
    patterns = np.empty(block, np.uint16)
    sums = np.empty((used, block + PAD), np.float64)
    for start in range(0, len(matrix), block):
        rows = min(block, len(matrix) - start)
        turn_in(matrix[start : start + rows], columns, sums)
        for one in range(used):
            fill_cells(sums[one], edges[edge_at[one] : edge_at[one + 1]], cells[one], rows)
            sums[one, :rows] = 0.0
        for group in range(len(table_at) - 1):
            steps = slice(step_at[group], step_at[group + 1])
            fill_patterns(step_feature[steps], step_cell[steps], step_delta[steps], cells, patterns, rows)
            members = member[member_at[group] : member_at[group + 1]]
            add_tables(members, table[table_at[group] : table_at[group + 1]], patterns, sums, rows)
        whole = margin[start : start + rows]
        whole[:] = base
        for one in range(used):
            for row in range(rows):
                whole[row] += sums[one, row]
        if len(out):
            turn_out(sums, columns, out[start : start + rows])


def _read(kind: Any, dimensions: int = 1, layout: str = "C") -> Any:
    return types.Array(kind, dimensions, layout, readonly=True)


_WHOLE, _SHORT, _REAL = _read(types.int64), _read(types.uint16), _read(types.float64)
_SIGNATURE = types.void(
    _read(types.float64, 2, "A"),  # rows or columns first, a slice or not: any matrix without a copy
    *(_WHOLE, _WHOLE, _REAL),
    *(_WHOLE, _WHOLE, _SHORT, _SHORT),
    *(_WHOLE, _WHOLE, _WHOLE, _REAL),
    *(types.float64, types.int64),
    *(types.float64[:, ::1], types.float64[::1]),
)
turn_in, turn_out = compiled(_turn_in), compiled(_turn_out)
fill_cells, fill_patterns = compiled(_fill_cells), compiled(_fill_patterns)
add_tables = compiled(_add_tables)
explain_rows = compiled(_explain_rows, _SIGNATURE)
