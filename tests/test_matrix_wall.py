"""The matrix once more with our own filter taken out: PostgreSQL alone, and it tells of no foreign pupil."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from serving.access import deciding
from serving.access.reasons import AccessReason
from serving.access.tables import Placement
from serving.web import guard
from tests.service_rig import Rig, rig_on_sqlite, running  # noqa: F401
from tests.test_matrix import Cell, allowed, asked, cells, has_object, told

ANYBODY = AccessReason("county", "county:K")


@pytest.fixture(scope="module", name="wall")
def rig_on_postgresql(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The service on PostgreSQL alone."""
    with running(tmp_path_factory.mktemp("service"), cluster.new_database()) as rig:
        yield rig


def take_the_filter_out(patched: pytest.MonkeyPatch) -> None:
    """Whoever asks may see every pupil and every unit, as far as Python is asked."""
    for module in (guard, deciding):
        patched.setattr(module, "why", lambda *_: ANYBODY)
        patched.setattr(module, "why_unit", lambda *_: ANYBODY)
    patched.setattr(deciding, "visible", lambda *_: select(Placement.student_id))
    patched.setattr(deciding, "visible_of", lambda _connection, _viewer, pupils, _at: set(pupils))


def read_cells(rig: Rig) -> Iterator[Cell]:
    """Everything that is read of a pupil, a case or a unit, by everybody who is signed in."""
    for cell in cells(rig, ("GET",), 1):
        if has_object(cell.path) and cell.who != "anonymous" and "GET" in allowed(rig, cell.path):
            yield cell


@pytest.mark.slow
def test_with_our_filter_taken_out_postgresql_tells_of_no_foreign_pupil(
    wall: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every route that reads × who asks × whose object: no answer names a pupil who is not the caller's."""
    take_the_filter_out(monkeypatch)
    answers = [(cell, asked(wall, cell)) for cell in read_cells(wall)]
    assert [f"{cell}: {pupil}" for cell, answer in answers for pupil in told(answer, cell)] == []
    let_in = [cell for cell, answer in answers if answer.status_code == 200]
    assert any(cell.what == "own" for cell in let_in)


@pytest.mark.slow
def test_without_the_wall_either_the_same_cells_leak(
    sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite, which has no wall, the filter taken out is seen: the test above would notice a hole."""
    take_the_filter_out(monkeypatch)
    some = (cell for cell in read_cells(sqlite_rig) if cell.who == "T-CHEN" and cell.what == "sibling class")
    assert [pupil for cell in some for pupil in told(asked(sqlite_rig, cell), cell)] != []
