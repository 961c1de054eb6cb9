"""Lists of the pupils most at risk: how many of them left, when ties at the cut are broken by chance.

A list of ``k %`` holds the ``ceil(k · n / 100)`` pupils of the highest risk of a snapshot. Where equal
risks straddle its end, every one of them has the same chance of a place, so the list's hits are an
expected value: tied leavers times the share of tied pupils that still fit (McSherry & Najork, Computing
information retrieval performance measures efficiently in the presence of tied scores, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk_model.evaluation.judged import Judged

PERCENTS = (1, 2, 5, 10)
NAMES = tuple(f"{percent}%" for percent in PERCENTS)
CAPACITY = "capacity"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ListCounts:
    """Of the lists of each length, summed over snapshots; every array is (lists,)."""

    length: Floats
    hits: Floats
    """Pupils listed who left (expected value under ties)."""
    expected: Floats
    """Sum of the risks of the listed."""
    positives: float
    """Pupils who left, listed or not."""

    @property
    def precision(self) -> Floats:
        """Share of the listed who left; NaN for an empty list."""
        return _ratio(self.hits, self.length)

    @property
    def recall(self) -> Floats:
        """Share of the leavers who were listed; NaN if nobody left."""
        return _ratio(self.hits, np.full(len(self.hits), self.positives))

    @property
    def expected_over_observed(self) -> Floats:
        """Sum of the listed risks over the listed leavers; NaN if there are none."""
        return _ratio(self.expected, self.hits)


class Lists:
    """The lists of ``judged``, prepared so that a resample of schools costs one pass.

    The lists of a capacity are cut within a school, so resampling whole schools keeps them as they are;
    those of a percentage are cut anew among the resampled pupils of each snapshot. Ties at the end of a
    capacity are broken by chance, too: a listed pupil counts as the mean of the pupils of the school with
    the same risk.
    """

    def __init__(self, judged: Judged) -> None:
        snapshot, risk = judged.snapshots, judged.risks
        order = np.lexsort((-risk, snapshot))
        self._order = order
        self._y = judged.labels[order]
        self._risk = risk[order]
        listed = judged.listed
        self._listed = None if listed is None else listed[order]
        self._chance = None if listed is None else _chances(judged)[order]
        self._group_ends = _ends(np.column_stack((snapshot[order], self._risk)))
        self._snapshot_ends = _ends(snapshot[order][:, None])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the lists in the order of the counts."""
        return NAMES if self._listed is None else (*NAMES, CAPACITY)

    def count(self, times: NDArray[np.intp] | Floats) -> ListCounts:
        """Counts when row i of ``judged`` occurs ``times[i]`` times, or stands for so many."""
        weight = times[self._order].astype(np.float64)
        left, risk = weight * self._y, weight * self._risk
        lists = self._percents(weight, left, risk)
        if self._listed is not None and self._chance is not None:
            columns = (weight, weight * self._chance, risk)
            capacity = [[column[self._listed].sum()] for column in columns]
            lists = np.hstack((lists, capacity))
        length, hits, expected = lists
        return ListCounts(length, hits, expected, float(left.sum()))

    def _percents(self, weight: Floats, *columns: Floats) -> Floats:
        """(1 + columns, percents): length of the lists, and the sum of each column over them.

        Sums run over all rows in order and are read off between tied groups by straight lines, which is
        the expected value when ties are broken by chance.
        """
        running = np.cumsum(weight)
        end = running[self._snapshot_ends]
        start = _padded(end)[:-1]
        length = np.ceil((end - start) * np.array(PERCENTS)[:, None] / 100)
        counted = _padded(running[self._group_ends])
        sums = [_padded(np.cumsum(column)[self._group_ends]) for column in columns]
        gained = [np.interp(start + length, counted, s) - np.interp(start, counted, s) for s in sums]
        return np.array([length.sum(axis=1), *(part.sum(axis=1) for part in gained)])


def _chances(judged: Judged) -> Floats:
    """(n,) share of leavers among the pupils of equal risk in the school: what a place there is worth.

    Schools are resampled whole, so the share is the same in every resample.
    """
    ties = judged.ties
    share: Floats = np.bincount(ties, judged.labels) / np.maximum(np.bincount(ties), 1)
    return share[ties]


def _ends(sorted_rows: NDArray[np.generic]) -> NDArray[np.intp]:
    """Index of the last row of each run of equal rows."""
    if len(sorted_rows) == 0:
        return np.empty(0, dtype=np.intp)
    changes = (sorted_rows[1:] != sorted_rows[:-1]).any(axis=1)
    return np.append(np.flatnonzero(changes), len(sorted_rows) - 1)


def _padded(sums: Floats) -> Floats:
    return np.concatenate(([0.0], sums))


def _ratio(top: Floats, bottom: Floats) -> Floats:
    ratio: Floats = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return ratio
