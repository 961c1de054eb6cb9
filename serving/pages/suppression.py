"""Small cells: what is not told of few, and what is not told so that they cannot be worked out."""

from __future__ import annotations

from collections.abc import Sequence

FEWEST = 10


def suppressed(counts: Sequence[int], fewest: int = FEWEST) -> list[int | None]:
    """Counts that add up to a known total, small ones hidden.

    Were exactly one hidden, or the hidden ones together fewer than ``fewest``, the total would give
    them away, so the smallest of the others is hidden, too. Zeros hide like any small number.

    >>> suppressed([120, 40, 3]), suppressed([120, 4, 3]), suppressed([120, 40])
    ([120, None, None], [None, None, None], [120, 40])
    """
    hidden = {place for place, count in enumerate(counts) if count < fewest}
    others = sorted((place for place in range(len(counts)) if place not in hidden), key=counts.__getitem__)
    while hidden and others and (len(hidden) == 1 or sum(counts[place] for place in hidden) < fewest):
        hidden.add(others.pop(0))
    return [None if place in hidden else count for place, count in enumerate(counts)]
