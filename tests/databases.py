"""Import ``each_database`` into a module of tests, and its offices are played on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest


@pytest.fixture(name="database", params=["sqlite", "postgresql"])
def each_database(request: pytest.FixtureRequest) -> str | None:
    """``database_url`` of an empty service database of either kind."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("cluster").new_database()
    return url
