"""Small cells: which counts may be published so that no suppressed one can be told.

Pages and the API ask here. Of counts that add up to a known total (:func:`suppressed`: bands of risk, the
schools of a county) small ones are hidden, and the smallest of the others until the hidden cover each other:
they are two at least, and together ``least`` or more.

Of a tree of units (:func:`published`) every unit is a row of counts, the counts of a unit are the sums of its
children's, and how many pupils a unit has is no secret. A row is published whole or not at all:

1. A row with a count from 1 to ``least - 1`` is suppressed, and so is one all of whose counts but one are 0
   (it would tell of everybody in it; a row of a single count, over which a mean is told, tells of nobody).
2. Under a suppressed unit everything is suppressed: its children would add up to it.
3. Under a published unit the suppressed children are none, or at least two whose counts together are
   ``least`` or more in every column. Else the smallest published children are suppressed, too, one by one,
   and at last the unit itself.

Why nothing can be told: what is known of the suppressed children of a published unit are their pupils and
the sums of their columns, all of them ``least`` or more. With two such rows, each of at least one pupil, and
two columns, every cell can be at least one higher or lower with all sums kept. Suppressed rows of different
parents share no sum. ``tests/test_cells.py`` asks a solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Cell = TypeVar("Cell", str, int)


@dataclass(frozen=True)
class Tree:
    """Units with their counts (k,) and their children; ``root`` holds all."""

    root: str
    counts: Mapping[str, Counts]
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def suppressed(counts: Sequence[int], least: int) -> list[int | None]:
    """Counts that add up to a known total, small ones hidden, zeros like any other.

    >>> suppressed([120, 40, 3], 10), suppressed([120, 4, 3], 10), suppressed([120, 40], 10)
    ([120, None, None], [None, None, None], [120, 40])
    """
    cells = {place: np.array([count]) for place, count in enumerate(counts)}
    gone = [place for place, count in enumerate(counts) if count < least]
    left = sorted((place for place in cells if place not in gone), key=counts.__getitem__)
    while gone and left and not _covers(cells, gone, least):
        gone.append(left.pop(0))
    return [None if place in gone else count for place, count in enumerate(counts)]


def published(tree: Tree, least: int) -> frozenset[str]:
    """The units whose row of counts may be published."""
    shown = {unit for unit, counts in tree.counts.items() if counts.sum() and not _tells(counts, least)}
    while True:
        hidden = _hide(tree, shown, least)
        if not hidden:
            return frozenset(shown)
        shown -= hidden


def _hide(tree: Tree, shown: set[str], least: int) -> set[str]:
    """Units that must go in this round; whatever is hidden may ask for more in the next."""
    hidden: set[str] = set()
    for parent, children in tree.children.items():
        peopled = [child for child in children if tree.counts[child].sum()]
        if parent not in shown:
            hidden |= shown.intersection(_below(tree, parent))
            continue
        gone = [child for child in peopled if child not in shown]
        left = sorted((child for child in peopled if child in shown), key=lambda c: (tree.counts[c].sum(), c))
        if gone and not _covers(tree.counts, gone, least):
            hidden.add(left[0] if left else parent)
    return hidden


def _covers(counts: Mapping[Cell, Counts], gone: Sequence[Cell], least: int) -> bool:
    """Whether of those that are hidden none can be told from what they add up to."""
    together = np.sum([counts[one] for one in gone], axis=0)
    return len(gone) >= 2 and bool((together >= least).all())


def _tells(counts: Counts, least: int) -> bool:
    """Whether the row itself tells of few, or the same of everybody."""
    alike = len(counts) > 1 and int((counts > 0).sum()) < 2
    return alike or bool(((counts > 0) & (counts < least)).any())


def _below(tree: Tree, unit: str) -> Iterable[str]:
    for child in tree.children.get(unit, ()):
        yield child
        yield from _below(tree, child)
