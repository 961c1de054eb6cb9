"""A model as pattern tables, and what they answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from risk_model.shap_tables.assembling import Layout, assembled
from risk_model.shap_tables.reading import read_forest

Matrix = NDArray[np.float64]
NEAR_BYTES = 640 * 1024
"""The sums of a block of rows should stay in a core's second cache."""
FEWEST_ROWS, MOST_ROWS = 256, 2048
"""Rows of a block: fewer pay for every table again, more leave the cache."""
TASKS = 4
"""Pieces of work per thread, so that one slow thread is not waited for."""


class Booster(Protocol):
    """What we use of ``lightgbm.Booster``."""

    def model_to_string(self) -> str: ...


class Answer(NamedTuple):
    """``margin = base + contributions.sum(axis=1)``, to rounding; raw log-odds."""

    base: float
    contributions: Matrix
    """(n, k)"""
    margin: Matrix
    """(n,)"""


@dataclass(frozen=True)
class PatternTables:
    """Exact SHAP values of one LightGBM model, looked up.

    Immutable and free of locks: threads may share one. Get it by :meth:`of`, :meth:`of_text` or
    :func:`risk_model.shap_tables.storing.from_bytes`.
    """

    features: tuple[str, ...]
    """Columns of the matrix, in order."""
    base: float
    """Expected margin over the training rows, in raw log-odds."""
    layout: Layout = field(repr=False)

    @classmethod
    def of(cls, booster: Booster) -> PatternTables:
        """Tables of a trained ``lightgbm.Booster`` with one margin (binary, regression, …).

        Raises
        ------
        DoesNotFitError
            Linear leaves, several margins, averaged trees, trees too deep; explain with ``pred_contrib``.
        """
        return cls.of_text(booster.model_to_string())

    @classmethod
    def of_text(cls, text: str) -> PatternTables:
        """The same from LightGBM's text format, without importing LightGBM."""
        forest = read_forest(text)
        base, layout = assembled(forest)
        return cls(forest.features, base, layout)

    def explain(self, matrix: NDArray[np.floating[Any]], threads: int = 0) -> tuple[float, Matrix]:
        """Expected margin, and what every value adds to it.

        Parameters
        ----------
        matrix : array (n, k)
            Feature values in the order of ``features``, NaN = null, categories as their codes; float32
            and float64, rows or columns first.
        threads : int
            Threads to work with; 0 is one for each processor this process may use. The answer does not
            depend on it, to the last bit.

        Returns
        -------
        base : float
        contributions : array (n, k)
            ``base + contributions.sum(axis=1)`` is the margin in raw log-odds.
        """
        return self.answer(matrix, threads)[:2]

    def margin(self, matrix: NDArray[np.floating[Any]], threads: int = 0) -> Matrix:
        """Raw log-odds (n,), the same bits as :meth:`answer` gives; arguments as :meth:`explain`."""
        margin = np.empty(len(matrix))
        self._run(matrix, np.empty((0, len(self.features))), margin, threads)
        return margin

    def answer(self, matrix: NDArray[np.floating[Any]], threads: int = 0) -> Answer:
        """Contributions and margin from one walk; arguments as :meth:`explain`."""
        contributions, margin = np.empty((len(matrix), len(self.features))), np.empty(len(matrix))
        self._run(matrix, contributions, margin, threads)
        return Answer(self.base, contributions, margin)

    def _run(
        self, matrix: NDArray[np.floating[Any]], contributions: Matrix, margin: Matrix, threads: int
    ) -> None:
        if matrix.ndim != 2 or matrix.shape[1] != len(self.features):
            raise ValueError(f"The model takes {len(self.features)} features, the matrix is {matrix.shape}.")
        threads = threads if threads > 0 else _processors()
        parts = list(self._parts(len(matrix), threads))
        if threads == 1 or len(parts) == 1:
            for part in parts:
                self._run_part(matrix[part], contributions[part], margin[part])
            return
        with ThreadPoolExecutor(threads) as pool:  # the kernel lets go of the interpreter's lock
            work = [pool.submit(self._run_part, matrix[p], contributions[p], margin[p]) for p in parts]
            for done in work:
                done.result()

    def _parts(self, rows: int, threads: int) -> Iterator[slice]:
        each = max(1, -(-rows // (threads * TASKS)))
        size = -(-each // self._block) * self._block
        return (slice(start, min(start + size, rows)) for start in range(0, rows, size))

    @property
    def _block(self) -> int:
        columns = max(1, len(self.layout.columns))
        return min(MOST_ROWS, max(FEWEST_ROWS, NEAR_BYTES // (8 * columns) // 256 * 256))

    def _run_part(self, matrix: NDArray[np.floating[Any]], contributions: Matrix, margin: Matrix) -> None:
        from risk_model.shap_tables.kernel import explain_rows

        values = np.asarray(matrix, dtype=np.float64)
        lay = self.layout
        explain_rows(
            *(values, lay.columns, lay.edge_at, lay.edges),
            *(lay.step_at, lay.step_feature, lay.step_cell, lay.step_delta),
            *(lay.member_at, lay.member, lay.table_at, lay.table),
            *(self.base, min(self._block, max(1, len(values))), contributions, margin),
        )


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
