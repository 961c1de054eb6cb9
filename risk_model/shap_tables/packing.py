"""Which leaves share a table: few lookups a row, and no table of more than ``MOST_PATTERNS`` patterns.

A table costs a row one lookup for each feature it asks, and its entries have to come through the cache. So
leaves that ask the same features belong together, of whatever tree: the leaves below a node share the
path to it, which makes the pieces of a deep tree, and shallow trees on the same features are merged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from risk_model.shap_tables.cells import Split
from risk_model.shap_tables.paths import Leaf
from risk_model.shap_tables.reading import MISSING_NAN, DoesNotFitError

MOST_PATTERNS = 512
"""Nine splits that are independent of each other; more where they ask the same feature."""
ENTRIES_OF_A_LOOKUP = 300
"""So many entries of a table cost as much as one lookup for every row; found by measuring."""
NEVER = 2**62


@dataclass
class Group:
    """Leaves that are looked up together, and all splits on the way to any of them."""

    splits: set[Split] = field(default_factory=set)
    leaves: list[Leaf] = field(default_factory=list)


def packed(leaves: Sequence[Leaf], features: int) -> list[Group]:
    """Every leaf that asks a feature, in one group each; the same for the same leaves on any machine.

    Raises
    ------
    DoesNotFitError
        The way to a leaf alone has more than ``MOST_PATTERNS`` patterns: the tree is too deep.
    """
    alike: dict[frozenset[Split], list[Leaf]] = {}
    for leaf in leaves:
        alike.setdefault(leaf.splits, []).append(leaf)
    packing = _Packing(features)
    for splits in sorted(filter(None, alike), key=_asked):  # stable: ties keep the order of the trees
        packing.add(splits, alike[splits])
    return packing.groups


def _asked(splits: frozenset[Split]) -> list[int]:
    return sorted(split.feature for split in splits)


class _Packing:
    """Best fit: leaves join the group whose cost they raise least, or open a new one.

    Row ``g`` of each array is group ``g``, and the first row without a group is the empty one that may be
    opened. Everything is counted in whole numbers, so that no rounding decides.
    """

    def __init__(self, features: int) -> None:
        self.groups: list[Group] = []
        self._number: dict[Split, int] = {}
        self._has = np.zeros((64, 256), dtype=bool)
        """(groups, splits) whether the group holds the split."""
        self._kinds = np.zeros((64, features, 3), dtype=np.int64)
        """(groups, features, 3) how many of its splits on the feature are of each kind."""
        self._patterns = np.ones(64, dtype=np.int64)
        self._members = np.zeros(64, dtype=np.int64)

    def add(self, splits: frozenset[Split], leaves: Sequence[Leaf]) -> None:
        ordered = sorted(splits, key=_order)
        numbers = [self._number.setdefault(split, len(self._number)) for split in ordered]
        self._make_room()
        seen = slice(len(self.groups) + 1)
        features = sorted({split.feature for split in ordered})
        place = {feature: column for column, feature in enumerate(features)}
        kinds = self._kinds[seen][:, features]
        codes = _codes(kinds)
        _count(kinds, ordered, place, ~self._has[seen][:, numbers])
        patterns = self._patterns[seen] // codes.prod(axis=1) * _codes(kinds).prod(axis=1)
        members = self._members[seen] + (codes == 1).sum(axis=1)
        best = self._cheapest(patterns, members)
        self._has[best, numbers] = True
        self._kinds[best, features] = kinds[best]
        self._patterns[best], self._members[best] = patterns[best], members[best]
        self.groups[best].splits |= splits
        self.groups[best].leaves += leaves

    def _cheapest(self, patterns: NDArray[np.int64], members: NDArray[np.int64]) -> int:
        seen = slice(len(patterns))
        added = _cost(patterns, members) - _cost(self._patterns[seen], self._members[seen])
        added[patterns > MOST_PATTERNS] = NEVER
        best = int(np.argmin(added))
        if added[best] == NEVER:
            raise DoesNotFitError(f"The trees are too deep: a leaf has more than {MOST_PATTERNS} patterns.")
        if best == len(self.groups):
            self.groups.append(Group())
        return best

    def _make_room(self) -> None:
        if len(self.groups) + 1 >= len(self._has):
            self._has = np.concatenate([self._has, np.zeros_like(self._has)])
            self._kinds = np.concatenate([self._kinds, np.zeros_like(self._kinds)])
            self._patterns = np.concatenate([self._patterns, np.ones_like(self._patterns)])
            self._members = np.concatenate([self._members, np.zeros_like(self._members)])
        while len(self._number) >= self._has.shape[1]:
            self._has = np.concatenate([self._has, np.zeros_like(self._has)], axis=1)


def _count(
    kinds: NDArray[np.int64], splits: Sequence[Split], place: Mapping[int, int], new: NDArray[np.bool_]
) -> None:
    """Add to ``kinds`` (groups, features, 3) the ``splits`` that are ``new`` (groups, splits) to a group."""
    for column, split in enumerate(splits):
        kinds[:, place[split.feature], _kind(split)] += new[:, column]


def _cost(patterns: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.int64]:
    return members * (ENTRIES_OF_A_LOOKUP + patterns)


def _codes(kinds: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many answers the splits on a feature can give together, at most; 1 without a split.

    Thresholds order the numbers, and nulls stand at one end unless they go left here and right there.
    Of splits that are not ordered every combination may occur.
    """
    left, right, other = kinds[..., 0], kinds[..., 1], np.minimum(kinds[..., 2], 16)
    codes: NDArray[np.int64] = (1 + left + right + ((left > 0) & (right > 0))) << other
    return codes


def _kind(split: Split) -> int:
    """0 and 1: ordered, nulls left or right; 2: categories, or zeros that count as missing."""
    if split.categorical or split.missing != MISSING_NAN:
        return 2
    return 0 if split.default_left else 1


def _order(split: Split) -> tuple[int, float, int, list[int]]:
    return split.feature, split.threshold, split.decision, sorted(split.categories)
