from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import pytest

from tests.made_once import made_once


@dataclass(frozen=True)
class Worker:
    """Stands for pytest's factory of folders in one of several workers."""

    base: Path

    def getbasetemp(self) -> Path:
        return self.base


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    return [Worker(tmp_path / f"popen-gw{number}") for number in range(4)]


def test_four_workers_that_ask_at_once_get_the_one_that_was_made(workers):
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "first").touch()
        sleep(0.1)
        (folder / "last").touch()

    with ThreadPoolExecutor(4) as asking:
        folders = list(asking.map(lambda worker: made_once(worker, "county", make), workers))
    assert len(made) == len(set(folders)) == 1
    assert {file.name for file in folders[0].iterdir()} == {"first", "last"}


def test_what_could_not_be_made_is_made_anew_by_the_next(workers):
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        made_once(workers[0], "county", fail)
    folder = made_once(workers[1], "county", lambda folder: (folder / "whole").touch())
    assert [file.name for file in folder.iterdir()] == ["whole"]
