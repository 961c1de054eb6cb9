"""How much of a list's figures is luck: the best and the worst way ties at its end can be broken."""

from __future__ import annotations

from typing import Any

import numpy as np

from risk_model.evaluation.judged import Judged
from risk_model.evaluation.lists import CAPACITY, NAMES, PERCENTS


def tie_ranges(judged: Judged) -> dict[str, Any]:
    """``precision_range_at`` and ``recall_range_at``: by list, ``best`` and ``worst``; None if nobody left.

    At the capacity, where it is known, every school keeps its number of places for each risk. A coarse rule
    ties thousands: its expected value then says little of what one evening's list finds.

    >>> tie_ranges(Judged([1, 0], [0.5, 0.5]))["precision_range_at"]["10%"]
    {'best': 1.0, 'worst': 0.0}
    """
    hits = {"best": _hits(judged, -judged.labels), "worst": _hits(judged, judged.labels)}
    left = float(judged.labels.sum())
    lengths = _lengths(judged)
    names = NAMES
    listed = judged.listed
    if listed is not None:
        names = (*NAMES, CAPACITY)
        hits = {
            way: [*found, luck]
            for (way, found), luck in zip(hits.items(), _at_capacity(judged, listed), strict=True)
        }
        lengths = np.append(lengths, listed.sum())
    return {
        "precision_range_at": _ranges(names, hits, lengths),
        "recall_range_at": _ranges(names, hits, np.full(len(names), left)),
    }


def _at_capacity(judged: Judged, listed: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Leavers on the schools' lists if the places of each risk go to leavers first, or last."""
    ties = judged.ties
    pupils, left, places = (np.bincount(ties, column) for column in (None, judged.labels, listed))
    best = np.minimum(places, left).sum()
    worst = np.maximum(0, places - (pupils - left)).sum()
    return float(best), float(worst)


def _lengths(judged: Judged) -> np.ndarray[Any, Any]:
    sizes = np.bincount(judged.snapshots)
    return np.array([np.ceil(sizes * percent / 100).sum() for percent in PERCENTS])


def _hits(judged: Judged, last: np.ndarray[Any, Any]) -> list[float]:
    """Leavers on the lists of each length if ties are ordered by ``last``, ascending."""
    snapshots = judged.snapshots
    order = np.lexsort((last, -judged.risks, snapshots))
    day, left = snapshots[order], judged.labels[order]
    sizes = np.bincount(snapshots)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.intp)
    place = np.arange(len(day)) - starts[day]
    return [float(left[place < np.ceil(sizes * percent / 100)[day]].sum()) for percent in PERCENTS]


def _ranges(
    names: tuple[str, ...], hits: dict[str, list[float]], bottom: np.ndarray[Any, Any]
) -> dict[str, dict[str, float | None]]:
    return {
        name: {way: found[i] / float(bottom[i]) if bottom[i] else None for way, found in hits.items()}
        for i, name in enumerate(names)
    }
