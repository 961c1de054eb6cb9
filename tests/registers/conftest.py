"""An office whose lakes exist and are empty, copied for each test: making them takes most of an import."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from office import TestOffice


@pytest.fixture(scope="session")
def empty_office(tmp_path_factory: pytest.TempPathFactory) -> TestOffice:
    office = TestOffice(tmp_path_factory.mktemp("template"))
    office.deliver("nothing", attendance="student_id,day,mark\n")
    return office


@pytest.fixture
def office(empty_office: TestOffice, tmp_path: Path) -> TestOffice:
    shutil.copytree(empty_office.home.folder, tmp_path / "home")
    return TestOffice(tmp_path)
