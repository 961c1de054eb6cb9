"""A disk that is full or read-only while registers come in: one line, yesterday stays, a rerun works."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from risk_model.command.main import main
from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.registers import importing
from risk_model.registers.declared import REGISTERS
from risk_model.settings import Settings
from tests.county import part_of, simulate
from tests.test_full_disk import SmallDisk, disk  # noqa: F401 – a fixture

UNTIL = date(2026, 5, 20)


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("deliveries")
    registers = simulate(folder / "registers", students=200, years=1)
    past = part_of(registers, folder / "past", until=UNTIL)
    return past, part_of(registers, folder / "news", after=UNTIL, until=date(2026, 6, 20))


@pytest.fixture
def home(disk: SmallDisk, deliveries: tuple[Path, Path]) -> Path:  # noqa: F811
    """On the small disk, with the registers up to May."""
    assert run(disk.folder / "home", deliveries[0]).exit_code == 0
    return disk.folder / "home"


def run(home: Path, delivery: Path) -> Any:
    return CliRunner().invoke(main, ["--home", str(home), "import", str(delivery)])


def registers_of(home: Path) -> dict[str, Any]:
    """Rows and a hash of every register, read by whoever opens the lake."""
    with open_lake(Home(home), Settings()) as lake:
        lake.known_on(date(2027, 1, 1))
        query = "select count(*), sum(hash(columns(* exclude (imported_on)))::hugeint) from known.{}"
        return {name: lake.con.execute(query.format(name)).fetchall() for name in REGISTERS}


def fails_readably(answer: Any, *words: str) -> None:
    assert answer.exit_code == 1, answer.output
    told = [line for line in answer.stderr.splitlines() if not line.startswith("{")]
    assert len(told) == 1, answer.stderr
    assert told[0].startswith("dropout-risk: the disk of ")
    assert "Registers and lists are as they were" in told[0]
    for word in words:
        assert word in told[0]


STEPS = {"reading": "_read", "comparing": "_compared", "writing": "_commit"}


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_fills_leaves_yesterdays_registers_and_the_rerun_takes_the_delivery(
    home, deliveries, disk, monkeypatch, step  # noqa: F811
):  # fmt: skip
    before = registers_of(home)
    original = getattr(importing._Import, STEPS[step])

    def on_a_full_disk(self, *arguments):
        disk.fill()
        return original(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(importing._Import, STEPS[step], on_a_full_disk)
        fails_readably(run(home, deliveries[1]), "is full", "free space there and run again")
    disk.free()
    assert registers_of(home) == before
    assert run(home, deliveries[1]).exit_code == 0
    assert registers_of(home) != before


def test_a_disk_that_is_full_before_anything_begins(home, deliveries, disk):  # noqa: F811
    before = registers_of(home)
    disk.fill()
    fails_readably(run(home, deliveries[1]), "is full")
    disk.free()
    assert registers_of(home) == before
    assert run(home, deliveries[1]).exit_code == 0


def test_a_home_on_a_read_only_disk_takes_nothing(home, deliveries, disk):  # noqa: F811
    before = registers_of(home)
    disk.mode("ro")
    fails_readably(run(home, deliveries[1]), "is read-only", "make it writable and run again")
    assert registers_of(home) == before
    disk.mode("rw")
    assert run(home, deliveries[1]).exit_code == 0
