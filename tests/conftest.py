"""Fixtures of all tests: the service database of an office, and the PostgreSQL server some lie on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server for the whole session, started when the first test asks for it."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def database() -> str | None:
    """``database_url`` of the office; none = SQLite. ``tests.databases`` has it on both."""
    return None
