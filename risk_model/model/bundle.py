"""A verified risk model and how it answers: a risk, and the reasons that add up to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import BundleError
from risk_model.model.manifest import Manifest
from risk_model.model.platt import Platt

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-6
"""Contributions must add up to the shown risk this closely, in every row, on every call."""
CHUNK = 16_384
"""Rows explained at a time; bounds what is held besides the answer."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Explained:
    """Risks and what they are made of: ``risk = 1 / (1 + exp(-(base + contributions.sum(axis=1))))``."""

    base: float
    """Calibrated log-odds before anything is known of a pupil."""
    contributions: Matrix
    """(n, k) calibrated log-odds, columns in the order of the bundle's features."""
    risk: Matrix
    """(n,) calibrated risk, 0–1."""


class Scorer(Protocol):
    """A model in raw log-odds: its margin, and the parts of it."""

    def margin(self, matrix: Matrix, threads: int) -> Matrix: ...
    def contributions(self, matrix: Matrix, threads: int) -> tuple[float, Matrix]: ...
    def between(self, before: Matrix, now: Matrix) -> Matrix: ...
    def answer(self, matrix: Matrix, threads: int) -> tuple[float, Matrix, Matrix]:
        """Expected margin, contributions and margin together; the arrays are the caller's own."""
        ...


@dataclass(frozen=True)
class Bundle:
    """A verified model; get one with :func:`risk_model.model.loading.load`."""

    path: Path
    manifest: Manifest
    digest: str
    """SHA-256 of the manifest file, which holds the hash of every part."""
    calibrator: Platt
    scorer: Scorer = field(repr=False)

    @property
    def features(self) -> tuple[str, ...]:
        return self.manifest.features

    def predict(self, rows: pd.DataFrame | Matrix, *, threads: int = 0) -> Matrix:
        """Calibrated risk (n,), 0–1, of feature values (n, k); see :meth:`explain` for the arguments."""
        return _risk(self._calibrated(self._matrix(rows), threads))

    def explain(self, rows: pd.DataFrame | Matrix, *, threads: int = 0) -> Explained:
        """Risk and contributions of every row.

        Parameters
        ----------
        rows : DataFrame or array (n, k)
            Feature values, NaN = null. Columns of a frame are taken by name, in any order, others are
            ignored; an array must have the bundle's features in order.
        threads : int
            Threads to work with; 0 is one for each processor. The answer does not depend on it.

        Raises
        ------
        BundleError
            A feature is missing, or contributions do not add up to the risk within ``TOLERANCE``.
        """
        matrix = self._matrix(rows)
        contributions = np.empty(matrix.shape, dtype=np.float64)
        risk = np.empty(len(matrix), dtype=np.float64)
        base = self.base
        for part, explained in self.explain_chunks(matrix, threads=threads):
            contributions[part], risk[part], base = explained.contributions, explained.risk, explained.base
        return Explained(base, contributions, risk)

    def explain_chunks(
        self, rows: pd.DataFrame | Matrix, *, threads: int = 0, chunk: int = CHUNK
    ) -> Iterator[tuple[slice, Explained]]:
        """As :meth:`explain`, ``chunk`` rows at a time, for a province that does not fit in memory."""
        matrix = self._matrix(rows)
        for start in range(0, len(matrix), chunk):
            part = slice(start, min(start + chunk, len(matrix)))
            yield part, self._explain(matrix[part], threads)

    def between(self, before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
        """By which calibrated log-odds each feature moved a pupil's risk from ``before`` to ``now``.

        Shapley values with the values of ``before`` as the reference: they add up to the difference of the
        two log-odds, and a feature whose value did not move gets 0. Both hold every feature, NaN = null.

        Raises
        ------
        BundleError
            A feature is missing, or the parts do not add up within ``TOLERANCE``.
        """
        import pandas as pd  # not above: a rollback verifies a bundle and needs no frame

        rows = self._matrix(pd.DataFrame([dict(before), dict(now)]))
        parts = self.calibrator.slope * self.scorer.between(rows[0], rows[1])
        first, second = self._calibrated(rows, 1)
        gap = abs(float(parts.sum()) - (second - first))
        if not gap <= TOLERANCE:
            raise BundleError(
                f"The parts of a change do not add up to it (gap {gap:.3g}). "
                "Check the values for infinite ones."
            )
        return dict(zip(self.features, parts.tolist(), strict=True))

    @cached_property
    def base(self) -> float:
        """Calibrated log-odds before anything is known of a pupil; one number for all."""
        blank = np.full((1, len(self.features)), np.nan)
        return self._scaled_base(self.scorer.contributions(blank, 1)[0])

    def _explain(self, matrix: Matrix, threads: int) -> Explained:
        expected, raw, margin = self.scorer.answer(matrix, threads)
        base = self._scaled_base(expected)
        contributions = np.multiply(raw, self.calibrator.slope, out=raw)
        risk = _risk(self.calibrator.slope * margin + self.calibrator.intercept)
        _check_sum(base, contributions, risk)
        return Explained(base, contributions, risk)

    def _scaled_base(self, expected: float) -> float:
        return self.calibrator.slope * expected + self.calibrator.intercept

    def _calibrated(self, matrix: Matrix, threads: int) -> Matrix:
        if len(matrix) == 0:
            return np.empty(0, dtype=np.float64)
        return self.calibrator.slope * self.scorer.margin(matrix, threads) + self.calibrator.intercept

    def _matrix(self, rows: pd.DataFrame | Matrix) -> Matrix:
        if not isinstance(rows, np.ndarray):  # a frame
            missing = [name for name in self.features if name not in rows.columns]
            if missing:
                raise BundleError(
                    f"The model needs the feature {', '.join(missing)}, which the table does not have. "
                    "Score with the version of dropout-risk that trained it, or train again."
                )
            rows = rows.loc[:, list(self.features)].to_numpy(dtype=np.float64, na_value=np.nan)
        matrix = np.asarray(rows, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] != len(self.features):
            raise BundleError(
                f"The model takes {len(self.features)} features a row, the table is {matrix.shape}. "
                "Give a frame with named columns."
            )
        return matrix


def _risk(log_odds: Matrix) -> Matrix:
    from scipy.special import expit

    risk: Matrix = expit(log_odds)
    return risk


def _check_sum(base: float, contributions: Matrix, risk: Matrix) -> None:
    """The reasons are the risk, or there are no reasons: the promise every page makes."""
    with np.errstate(invalid="ignore"):  # infinities that cancel become NaN, and NaN is wrong too
        gap = np.abs(_risk(base + contributions.sum(axis=1)) - risk)
    wrong = ~(gap <= TOLERANCE)
    if wrong.any():
        raise BundleError(
            f"In {int(wrong.sum()):,} of {len(risk):,} rows the contributions do not add up to the risk "
            f"(largest gap {float(np.max(gap)):.3g}). Nothing was scored. "
            "Check the features for infinite values."
        )
