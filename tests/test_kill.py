"""``kill -9`` at random points of import, train, score: the old state is readable, the rerun the same.

Each round copies a home, starts the real command, kills its whole process group after a random part of
the time an undisturbed run takes, looks at what a reader finds, and runs the command again.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.registers.declared import REGISTERS
from risk_model.settings import Settings
from tests.county import COMMAND, dropout_risk, environment, part_of, simulate

pytestmark = pytest.mark.slow

FIRST_DAY_OF_NEWS = date(2026, 5, 20)
LAST_DAY = date(2026, 5, 27)
TRAINED_ON = date(2026, 4, 20)
"""The champion of the home; the killed training is of a later day and makes another bundle."""


@dataclass(frozen=True)
class County:
    home: Path
    news: Path


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> County:
    """A home with registers, a champion and a published list, and tonight's delivery waiting."""
    folder = tmp_path_factory.mktemp("county")
    registers = simulate(folder / "registers", students=400, years=2)
    past = part_of(registers, folder / "past", until=FIRST_DAY_OF_NEWS)
    news = part_of(registers, folder / "news", after=FIRST_DAY_OF_NEWS, until=LAST_DAY)
    home = folder / "home"
    trained = ["train", "--promote", "force", "--as-of", TRAINED_ON.isoformat()]
    for arguments in (["import", str(past)], trained, ["score"]):
        answer = dropout_risk(home, *arguments)
        assert answer.code in (0, 6), answer.stderr
    return County(home, news)


def registers_of(home: Path) -> dict[str, Any]:
    """Rows and a hash of the content of every register, now and as of an earlier day."""
    state = {}
    with open_lake(Home(home), Settings()) as lake:
        for day in (LAST_DAY + timedelta(days=400), FIRST_DAY_OF_NEWS - timedelta(days=90)):
            lake.known_on(day)
            for name in REGISTERS:
                query = (
                    f"select count(*), sum(hash(columns(* exclude (imported_on)))::hugeint) from known.{name}"
                )
                state[f"{name} {day}"] = lake.con.execute(query).fetchall()
    return state


def lists_of(home: Path) -> Any:
    answer = dropout_risk(home, "lists", "--all")
    assert answer.code == 0, answer.stderr
    return answer.document


def champion_of(home: Path) -> Any:
    answer = dropout_risk(home, "models", "list")
    assert answer.code == 0, answer.stderr
    return [model["digest"] for model in answer.document if "champion" in model["aliases"]]


CASES: dict[str, tuple[Callable[[County], list[str]], Callable[[Path], Any]]] = {
    "import": (lambda county: ["import", str(county.news)], registers_of),
    "train": (lambda county: ["train", "--promote", "force"], champion_of),
    "score": (lambda county: ["score", "--as-of", "2026-05-15", "--republish"], lists_of),
}


def killed(home: Path, arguments: list[str], after_seconds: float) -> float | None:
    """Start the command, kill it and all its children; the seconds it took if it was done before that."""
    started = perf_counter()
    process = subprocess.Popen(
        [COMMAND, "--home", str(home), *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), start_new_session=True,
    )  # fmt: skip
    try:
        process.wait(after_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None
    return perf_counter() - started


def check_rounds(county: County, command: str, rounds: int, folder: Path) -> None:
    arguments_for, state_of = CASES[command]
    arguments = arguments_for(county)
    before = state_of(county.home)
    undisturbed = folder / "undisturbed"
    shutil.copytree(county.home, undisturbed)
    started = perf_counter()
    assert dropout_risk(undisturbed, *arguments).code in (0, 6)
    seconds = perf_counter() - started
    after = state_of(undisturbed)
    assert after != before, "the command changes nothing: no round could tell a torn state"

    points = random.Random(f"{command} {rounds}")
    struck = 0
    for number in range(3 * rounds):
        home = folder / f"round{number}"
        shutil.copytree(county.home, home)
        took = killed(home, arguments, points.uniform(0.2, 1.0) * seconds)
        seconds = seconds if took is None else min(seconds, took)  # a busy machine has become a free one
        struck += took is None
        assert state_of(home) in (before, after), f"round {number}: neither the old state nor the new one"
        rerun = dropout_risk(home, *arguments)
        assert rerun.code in (0, 6), rerun.stderr
        assert state_of(home) == after, f"round {number}: the rerun differs"
        shutil.rmtree(home)
        if struck == rounds:
            return
    pytest.fail("the kills came too late to test anything")


@pytest.mark.parametrize("command", CASES)
def test_a_killed_run_leaves_the_previous_state_and_the_rerun_gives_the_same(county, command, tmp_path):
    check_rounds(county, command, 3, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("command", CASES)
def test_fifty_kills_in_all(county, command, tmp_path):
    check_rounds(county, command, 17, tmp_path)


STARTS = 50
RUN_HELD = 5


def _start(home: Path, arguments: list[str], answers: Path, barrier: Any) -> None:
    """One start of the command, at the same moment as the others; its answer and exit code become a file."""
    from risk_model.command.main import main

    number = barrier.wait(240)
    answer = answers / f"{number}.json"
    with (
        open(answer, "w") as out,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(nowhere),
    ):
        try:
            code = main(["--home", str(home), "--json", *arguments], standalone_mode=False)
        except SystemExit as ended:
            code = ended.code
    answer.rename(answers / f"{number}-{code or 0}.json")


def test_fifty_simultaneous_starts_publish_one_run(county, tmp_path):
    """One scores, the others are turned away or, come late, answer what it answered."""
    home = tmp_path / "home"
    shutil.copytree(county.home, home)
    before = publications(home)
    arguments = CASES["score"][0](county)
    context = multiprocessing.get_context("forkserver")  # all import once, so that they start at once
    context.set_forkserver_preload(
        ["serving.nightly", "risk_model.features.snapshot", "risk_model.lake.reading"]
    )
    barrier = context.Barrier(STARTS)
    processes = [
        context.Process(target=_start, args=(home, arguments, tmp_path, barrier)) for _ in range(STARTS)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    answers = [
        (json.loads(path.read_text()), int(path.stem.split("-")[1])) for path in tmp_path.glob("*-*.json")
    ]
    assert len(answers) == STARTS
    runs = {answer["run_id"] for answer, code in answers if code in (0, 6)}
    assert len(runs) == 1
    assert {code for _, code in answers} <= {0, 6, RUN_HELD}
    assert RUN_HELD in {code for _, code in answers}, "nobody came while another was at work"
    assert publications(home) == before + 1
    assert lists_of(home) != lists_of(county.home)


def publications(home: Path) -> int:
    with contextlib.closing(sqlite3.connect(home / "data" / "service.db")) as con:
        return con.execute("select count(*) from publications").fetchone()[0]
