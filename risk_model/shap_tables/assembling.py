"""Groups of leaves as the flat arrays the kernel walks.

Within a group every feature has a *code*: which of the group's splits on it a cell passes. The pattern of
a row is the mixed-radix number of its codes, and since a code changes only between cells, it is a sum of
steps: ``pattern = Σ delta · [cell ≥ at]``, in 16 bits that may wrap on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from risk_model.shap_tables.cells import Cells, Split, cells_of
from risk_model.shap_tables.packing import Group, packed
from risk_model.shap_tables.paths import Leaf, leaf_contributions, leaves_of
from risk_model.shap_tables.reading import Forest

Whole = NDArray[np.int64]
Short = NDArray[np.uint16]
Real = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """What the kernel reads: ``u`` features that are split on, ``g`` groups."""

    columns: Whole
    """(u,) their columns in the matrix, ascending."""
    edge_at: Whole
    """(u + 1,) where the edges of each begin."""
    edges: Real
    """Ascending within a feature; see :mod:`~risk_model.shap_tables.cells`."""
    step_at: Whole
    """(g + 1,) where the steps of each group begin."""
    step_feature: Whole
    """Number among the ``u`` whose cell is asked."""
    step_cell: Short
    """From this cell on …"""
    step_delta: Short
    """… the pattern is so much more, modulo 2**16."""
    member_at: Whole
    """(g + 1,) where the features of each group begin."""
    member: Whole
    """Number among the ``u`` that gets a contribution."""
    table_at: Whole
    """(g + 1,) where the tables of each group begin; one after the other, in the order of its members."""
    size: Whole
    """(g,) patterns of each group."""
    table: Real
    """Contributions in raw log-odds."""

    def __post_init__(self) -> None:
        for one in fields(self):
            getattr(self, one.name).setflags(write=False)


def assembled(forest: Forest) -> tuple[float, Layout]:
    """Expected margin and layout of a model.

    Raises
    ------
    DoesNotFitError
        The trees are too deep, or a feature has too many thresholds.
    """
    leaves = [leaf for tree in forest.trees for leaf in leaves_of(tree)]
    base = 0.0
    for leaf in leaves:  # one after the other: the same bits on every machine
        base += leaf.expected
    groups = packed(leaves, len(forest.features))
    cells = cells_of({split for group in groups for split in group.splits})
    number = {one.feature: place for place, one in enumerate(cells)}
    given = _contributions([leaf for group in groups for leaf in group.leaves])
    tables = [_table(group, cells, number, given) for group in groups]
    return base, _layout(cells, tables)


@dataclass(frozen=True)
class _Table:
    members: list[int]
    steps: list[tuple[int, int, int]]
    """Feature, cell, delta."""
    entries: Real
    """(members, patterns)"""


@dataclass(frozen=True)
class _Codes:
    """The codes of one feature in one group."""

    of_cell: Whole
    """(cells,) numbered as they first occur, so cell 0 has code 0."""
    lefts: Mapping[Split, NDArray[np.bool_]]
    """(codes,) whether each goes left."""

    @property
    def count(self) -> int:
        return int(self.of_cell.max()) + 1

    @classmethod
    def of(cls, splits: Sequence[Split], cells: Cells) -> _Codes:
        answers = np.stack([cells.lefts(split) for split in splits], axis=1)
        seen: dict[bytes, int] = {}
        of_cell = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in answers])
        first = np.array([int(np.argmax(of_cell == code)) for code in range(len(seen))])
        return cls(of_cell, {split: answers[first, place] for place, split in enumerate(splits)})

    def steps(self, stride: int) -> Iterable[tuple[int, int]]:
        change = np.diff(self.of_cell)
        return ((int(at) + 1, int(change[at]) * stride) for at in np.flatnonzero(change))


def _table(
    group: Group, cells: Sequence[Cells], number: Mapping[int, int], given: Mapping[int, Real]
) -> _Table:
    members = sorted({number[split.feature] for split in group.splits})
    steps: list[tuple[int, int, int]] = []
    codes, strides, stride = {}, {}, 1
    for member in members:
        asked = [split for split in group.splits if number[split.feature] == member]
        codes[member], strides[member] = _Codes.of(asked, cells[member]), stride
        steps += ((member, at, delta) for at, delta in codes[member].steps(stride))
        stride *= codes[member].count
    pattern = np.arange(stride)
    left = {
        split: answer[pattern // strides[member] % codes[member].count]
        for member in members
        for split, answer in codes[member].lefts.items()
    }
    entries = np.zeros((len(members), stride))
    for leaf in group.leaves:
        passed = _passed(leaf, left, stride)
        for place, feature in enumerate(leaf.conditions):
            entries[members.index(number[feature])] += given[id(leaf)][place][passed]
    return _Table(members, steps, entries)


def _passed(leaf: Leaf, left: Mapping[Split, NDArray[np.bool_]], patterns: int) -> Whole:
    """For every pattern the bits of the leaf's features whose condition it passes."""
    found = np.zeros(patterns, dtype=np.int64)
    for place, condition in enumerate(leaf.conditions.values()):
        met = np.ones(patterns, dtype=bool)
        for split, goes_left in condition.splits:
            met &= left[split] == goes_left
        found |= met.astype(np.int64) << place
    return found


def _contributions(leaves: Sequence[Leaf]) -> dict[int, Real]:
    """What each leaf, by ``id``, gives its features: (d, 2**d)."""
    by_degree: dict[int, list[Leaf]] = {}
    for leaf in leaves:
        by_degree.setdefault(len(leaf.conditions), []).append(leaf)
    found: dict[int, Real] = {}
    for alike in by_degree.values():
        values = np.array([leaf.value for leaf in alike])
        shares = np.array([[one.share for one in leaf.conditions.values()] for leaf in alike])
        found |= zip(map(id, alike), leaf_contributions(values, shares), strict=True)
    return found


def _layout(cells: Sequence[Cells], tables: Sequence[_Table]) -> Layout:
    steps = [step for table in tables for step in table.steps]
    return Layout(
        columns=_whole(one.feature for one in cells),
        edge_at=_starts(len(one.edges) for one in cells),
        edges=_joined([one.edges for one in cells]),
        step_at=_starts(len(table.steps) for table in tables),
        step_feature=_whole(feature for feature, _, _ in steps),
        step_cell=_whole(at for _, at, _ in steps).astype(np.uint16),
        step_delta=_whole(delta % 2**16 for _, _, delta in steps).astype(np.uint16),
        member_at=_starts(len(table.members) for table in tables),
        member=_whole(member for table in tables for member in table.members),
        table_at=_starts(table.entries.size for table in tables),
        size=_whole(table.entries.shape[1] for table in tables),
        table=_joined([table.entries.ravel() for table in tables]),
    )


def _whole(numbers: Iterable[int]) -> Whole:
    return np.array(list(numbers), dtype=np.int64)


def _starts(lengths: Iterable[int]) -> Whole:
    return np.concatenate([[0], np.cumsum(_whole(lengths))]).astype(np.int64)


def _joined(parts: Sequence[Real]) -> Real:
    return np.concatenate([np.empty(0), *parts])
