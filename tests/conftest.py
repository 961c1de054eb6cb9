"""Fixtures of all tests: the service database of an office, and the PostgreSQL server some lie on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from risk_model.home import Home
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


@pytest.fixture(scope="session")
def pages_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The county of the pages' tests, made once; each module plays its own cast on it."""
    from tests.pages_rig import made_county

    return made_county(tmp_path_factory.mktemp("pages"))
