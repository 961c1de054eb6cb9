"""Limits on calls: all workers together never beyond one, though each counts a part of it at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from risk_model.home import Home
from risk_model.settings import Settings
from serving.database import open_database
from serving.web.limits import demand_within
from serving.web.problems import ProblemError
from tests.cast import NOW
from tests.databases import each_database  # noqa: F401


@pytest.fixture
def workers(tmp_path, database) -> Iterator[list[Engine]]:
    """The engines of two workers on one database."""
    settings = Settings(database_url=database)
    home = Home(tmp_path / "home")
    with ExitStack() as opened:
        yield [opened.enter_context(open_database(home, settings)) for _ in range(2)]


def let_through(engine: Engine, most: int, at=NOW, key: str = "score 1") -> bool:
    try:
        demand_within(engine, {key: most}, at)
    except ProblemError:
        return False
    return True


@pytest.mark.parametrize("most", [1, 10, 99, 250])
def test_workers_together_let_no_more_through_than_the_limit(workers, most):
    through = sum(let_through(workers[call % 2], most) for call in range(most + 20))
    assert most - most // 100 <= through <= most
    assert not let_through(workers[0], most)


def test_the_next_minute_begins_anew_and_another_caller_is_not_in_the_way(workers):
    for _ in range(300):
        let_through(workers[0], 200)
    assert not let_through(workers[0], 200)
    assert let_through(workers[0], 200, key="score 2")
    assert let_through(workers[0], 200, NOW + timedelta(minutes=1))


def test_of_a_large_limit_a_call_in_many_asks_the_database(workers):
    begun: list[int] = []
    event.listen(workers[0], "begin", lambda _connection: begun.append(1))
    assert all(let_through(workers[0], 3000) for _ in range(90))
    assert len(begun) == 3
