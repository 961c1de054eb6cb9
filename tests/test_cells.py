"""Small cells: a solver over all published counts finds no suppressed one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import lil_matrix

from serving.cells import Tree, published, suppressed

LEAST = 10


def grown(seed: int, counties: int, most_pupils: int, columns: int) -> Tree:
    """A random tree of three levels with counts that add up; some schools are tiny, some columns rare."""
    dice = np.random.default_rng(seed)
    rare = dice.dirichlet(np.geomspace(8, 0.2, columns))
    counts: dict[str, np.ndarray] = {"root": np.zeros(columns, dtype=np.int64)}
    children: dict[str, tuple[str, ...]] = {"root": tuple(f"c{n}" for n in range(counties))}
    for county in children["root"]:
        counts[county] = np.zeros(columns, dtype=np.int64)
        children[county] = tuple(f"{county}s{n}" for n in range(dice.integers(1, 6)))
        for school in children[county]:
            counts[school] = dice.multinomial(int(dice.integers(0, most_pupils)), rare)
            counts[county] += counts[school]
        counts["root"] += counts[county]
    return Tree("root", counts, children)


def recovered(tree: Tree, shown: frozenset[str]) -> list[tuple[str, int]]:
    """Suppressed cells with one possible value, given all published rows and the pupils of each unit."""
    units = list(tree.counts)
    width = len(tree.counts[tree.root])
    place = {
        (unit, column): n for n, (unit, column) in enumerate((u, c) for u in units for c in range(width))
    }
    rows: list[tuple[dict[int, int], int]] = []
    for unit in units:
        rows.append(({place[unit, c]: 1 for c in range(width)}, int(tree.counts[unit].sum())))
        if unit in shown:
            rows += [({place[unit, c]: 1}, int(tree.counts[unit][c])) for c in range(width)]
    for parent, children in tree.children.items():
        for c in range(width):
            rows.append(({place[parent, c]: 1, **{place[child, c]: -1 for child in children}}, 0))
    matrix = lil_matrix((len(rows), len(place)))
    for number, (row, _) in enumerate(rows):
        for column, value in row.items():
            matrix[number, column] = value
    sides = [side for _, side in rows]
    found = []
    for unit in units:
        if unit in shown or tree.counts[unit].sum() == 0:
            continue
        for c in range(width):
            aim = np.zeros(len(place))
            aim[place[unit, c]] = 1
            least, most = (
                linprog(sign * aim, A_eq=matrix.tocsr(), b_eq=sides, bounds=(0, None)).fun * sign
                for sign in (1, -1)
            )
            if most - least < 1 - 1e-6:
                found.append((unit, c))
    return found


@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([40, 200, 900]), st.sampled_from([2, 3, 4]))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_no_suppressed_cell_can_be_told_from_all_that_is_published(
    seed: int, counties: int, most_pupils: int, columns: int
) -> None:
    """Every suppressed cell of a unit with pupils could be another number, whatever one subtracts."""
    tree = grown(seed, counties, most_pupils, columns)
    assert recovered(tree, published(tree, LEAST)) == []


def test_without_complementary_suppression_the_solver_finds_the_hidden_school() -> None:
    """The solver above is no fool: hide one school alone, and it tells its cells."""
    counts = {name: np.array(row) for name, row in {"a": (50, 3), "b": (50, 20), "c": (60, 30)}.items()}
    tree = Tree("root", {"root": sum(counts.values()), **counts}, {"root": ("a", "b", "c")})
    assert recovered(tree, frozenset({"root", "b", "c"})) == [("a", 0), ("a", 1)]
    assert published(tree, LEAST) == {"root", "c"}


@pytest.mark.parametrize("row", [(100, 9), (100, 1), (100, 0), (0, 0)])
def test_a_row_that_tells_of_few_or_the_same_of_all_is_not_published(row: tuple[int, int]) -> None:
    """A count from 1 to 9 tells of few, a row with one count of everybody, and of nobody there is nothing."""
    assert published(Tree("root", {"root": np.array(row)}), LEAST) == frozenset()


def test_large_cells_are_published() -> None:
    """Suppression takes no more than it must: schools with large cells are all shown."""
    counts = {name: np.array((50, 20)) for name in "ab"}
    tree = Tree("root", {"root": np.array((100, 40)), **counts}, {"root": ("a", "b")})
    assert published(tree, LEAST) == {"root", "a", "b"}


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8))
def test_hidden_cells_cannot_be_worked_out_from_the_total(counts):
    shown = suppressed(counts, LEAST)
    assert all(count is None or count >= LEAST for count in shown)
    hidden = [count for count, told in zip(counts, shown, strict=True) if told is None]
    if hidden and len(hidden) < len(counts):
        assert len(hidden) > 1
        assert sum(hidden) >= LEAST
