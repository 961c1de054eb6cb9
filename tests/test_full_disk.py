"""A disk that is full or read-only: one readable line, exit code 1, yesterday's list live, the rerun heals.

The disk is a real one, a small tmpfs. Mounting needs root, as a container of tests has; elsewhere these tests
fail and say so.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection

from risk_model.home import Home
from serving import commands, nightly, publication
from serving.database import open_database
from serving.lists import Asked, published_page
from serving.units import parse_unit
from tests.nights import MONDAY, CountyOffice, county_office_with_archive  # noqa: F401
from tests.test_lists import TUESDAY, page, run


@dataclass(frozen=True)
class SmallDisk:
    folder: Path

    def fill(self) -> None:
        with open(self.folder / "ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(b"x" * 4096):
                    pass
            except OSError:
                return

    def free(self) -> None:
        (self.folder / "ballast").unlink()

    def mode(self, mode: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.folder)], check=True)


@pytest.fixture
def disk():
    folder = Path(tempfile.mkdtemp(prefix="disk-"))  # PostgreSQL's user may not enter a folder of pytest's
    size = ["mount", "-t", "tmpfs", "-o", "size=48m,mode=755", "tmpfs", str(folder)]
    done = subprocess.run(size, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"A full disk can only be tested where one may be mounted, as root: {done.stderr}")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture(name="office")
def office_on_the_disk(disk, filed_office: CountyOffice) -> CountyOffice:
    """Its home lies on the small disk; Monday's lists are published."""
    home = Home(disk.folder / "home")
    shutil.copytree(filed_office.home.folder, home.folder)
    filed_office.home = home
    filed_office.score()
    return filed_office


def score(office: CountyOffice):
    """Tuesday's run by the real command."""
    return run(office, commands.score, "--as-of", TUESDAY.isoformat())


def fails_readably(answer, *words: str) -> None:
    assert answer.exit_code == 1, answer.output
    [line] = answer.stderr.strip().splitlines()[-1:]
    assert line.startswith("dropout-risk: ")
    for word in words:
        assert word in line
    assert "Traceback" not in answer.output
    assert "should not happen" not in line
    assert "A7A" not in line, "a pupil is named"


def days_shown(office: CountyOffice) -> set[str]:
    return {row["as_of"] for row in page(office, everybody=True).rows}


def days_read(reader: Connection) -> set[str]:
    """The same, by a reader who is there already."""
    with reader.begin():
        return {row["as_of"] for row in published_page(reader, parse_unit(None), Asked(everybody=True)).rows}


STEPS = {
    "staging": (publication, "stage", "service database", "full"),
    "contributions": (nightly, "score_part", "contributions of runs", "data/runs"),
    "flip": (publication, "publish", "service database", "full"),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_is_full_leaves_yesterday_live_and_the_rerun_publishes(office, disk, monkeypatch, step):
    module, name, *words = STEPS[step]
    original = getattr(module, name)

    def on_a_full_disk(*arguments):
        disk.fill()
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(module, name, on_a_full_disk)
        fails_readably(score(office), *words, "Nothing new was published", "run again")
    assert days_shown(office) == {MONDAY.isoformat()}
    fails_readably(score(office))
    assert days_shown(office) == {MONDAY.isoformat()}
    disk.free()
    assert score(office).exit_code == 0
    assert days_shown(office) == {TUESDAY.isoformat()}


def test_a_postgresql_whose_disk_is_full_leaves_yesterday_live_too(disk, filed_office, cluster, monkeypatch):
    folder = disk.folder / "tables"
    folder.mkdir()
    with cluster.database_on(folder) as url:
        filed_office.settings = filed_office.settings.model_copy(update={"database_url": url})
        filed_office.score()
        original = publication.stage

        def of_many(engine, number, rows, schools, *figures):
            disk.fill()
            many = [
                (school, f"{pupil}-{copy}", *more) for school, pupil, *more in rows for copy in range(200)
            ]
            return original(engine, number, sorted(many, key=lambda row: row[:2]), schools, *figures)

        # The reader is there before: PostgreSQL itself may refuse a new one while it cannot write.
        with open_database(filed_office.home, filed_office.settings) as engine, engine.connect() as reader:
            assert days_read(reader) == {MONDAY.isoformat()}
            with monkeypatch.context() as patched:
                patched.setattr(publication, "stage", of_many)
                fails_readably(score(filed_office), "No space left on device", "free space on its disk")
            assert days_read(reader) == {MONDAY.isoformat()}
        disk.free()
        assert days_shown(filed_office) == {MONDAY.isoformat()}
        assert score(filed_office).exit_code == 0
        assert days_shown(filed_office) == {TUESDAY.isoformat()}


def test_a_home_that_is_read_only_is_read_and_not_written(office, disk):
    disk.mode("ro")
    fails_readably(score(office), "is read-only", "make it writable")
    assert days_shown(office) == {MONDAY.isoformat()}
    disk.mode("rw")
    assert score(office).exit_code == 0


def test_a_database_in_a_read_only_folder_is_said_to_be_so(office, disk, tmp_path):
    """The home may be written, the database lies elsewhere."""
    url = f"sqlite:///{disk.folder}/home/data/service.db"
    shutil.copytree(office.home.folder, tmp_path / "elsewhere")
    office.home = Home(tmp_path / "elsewhere")
    office.settings = office.settings.model_copy(update={"database_url": url})
    disk.mode("ro")
    fails_readably(score(office), "readonly database", "make its folder writable")
    assert days_shown(office) == {MONDAY.isoformat()}
    disk.mode("rw")
    assert score(office).exit_code == 0
