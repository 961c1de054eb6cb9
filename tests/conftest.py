"""Fixtures of all tests: the service database of an office, and the PostgreSQL server some lie on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from risk_model.home import Home
from tests.made_once import made_once
from tests.postgres import Cluster, running_cluster

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.pages_rig import Played

THREADS = "SLURM_CPUS_ON_NODE"
collect_ignore = ["preloaded.py"]
"""Imports everything; not for the processes of the tests."""


def pytest_configure() -> None:
    """Of several workers each gives DuckDB its share of the processors, here and in the commands it starts.

    Two threads on a processor that is not there wait for each other awake: a quarter of a training's
    processor time. The variable is the only one DuckDB reads the number from.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        os.environ.setdefault(THREADS, str(max(1, (os.cpu_count() or 1) // workers)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests come first in each half of the tests: halves are what two workers begin with.

    What is left for whoever is done first is then quick. A long test begun last keeps one worker waiting.
    """
    modules: dict[Path, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    slow = [module for module in modules.values() if any(map(_slow, module))]
    quick = [item for module in modules.values() if not any(map(_slow, module)) for item in module]
    halves = [[item for module in slow[begin::2] for item in module] for begin in (0, 1)]
    room = max(0, min(len(quick), len(items) // 2 - len(halves[0])))
    items[:] = [*halves[0], *quick[:room], *halves[1], *quick[room:]]


def _slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


@pytest.fixture
def all_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what must come out the same however many threads share it: as many as there are processors."""
    monkeypatch.delenv(THREADS, raising=False)


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

    made = made_once(tmp_path_factory, "pages", made_county)
    return Home(shutil.copytree(made / "home", tmp_path_factory.mktemp("pages") / "home"))


@pytest.fixture(scope="module")
def service(pages_home: Home) -> Iterator[Played]:
    """The pages' county with its cast, played anew for each module."""
    from tests.pages_rig import played

    with played(pages_home) as service:
        yield service


@pytest.fixture(scope="module")
def address(service: Played) -> Iterator[str]:
    """Where a browser finds the service."""
    from tests.pages_browser import served

    with served(service.app) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from tests.pages_browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open a window on the service; whatever it asks of anybody else fails the test."""
    from tests.pages_browser import DESK, sign_in

    contexts, foreign = [], []

    def window(viewport: Any = DESK, login: str | None = None, **more: Any) -> Page:
        context = browser.new_context(viewport=viewport, base_url=address, locale="en-GB", **more)
        context.route(
            lambda url: not url.startswith(address), lambda route: (foreign.append(1), route.abort())
        )
        contexts.append(context)
        page = context.new_page()
        if login:
            sign_in(page, login)
        return page

    yield window
    for context in contexts:
        context.close()
    assert foreign == []
