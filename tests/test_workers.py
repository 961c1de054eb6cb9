"""A night worked off by processes and by a Dask cluster: the same lists, also when a worker is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from serving.workers import GIVE_WAY, InProcess, Workers, WorkersLostError, hired
from tests.certificates import certified
from tests.county import COMMAND, dropout_risk, environment, simulate
from tests.provinces import scattered

PLAIN: Mapping[str, str] = MappingProxyType({})
SMALL = ("--memory-limit", "1GB")
"""So little that two processes take the five counties in several parts."""


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of five counties between which pupils move, with a champion, and no list yet."""
    folder = tmp_path_factory.mktemp("province")
    registers = simulate(folder / "registers", students=1800, years=2, seed=5)
    scattered(registers, calendar=True)
    home = folder / "home"
    rule = ["train", "--promote", "force", "--as-of", "2025-05-01"]  # so early that it is the school's rule
    for arguments in (["import", str(registers), "--max-rejected", "0.2"], rule):
        answer = dropout_risk(home, *arguments)
        assert answer.code == 0, answer.stderr
    return home


@pytest.fixture(scope="module")
def alone(province: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process says that takes all counties at once."""
    home = tmp_path_factory.mktemp("alone") / "home"
    shutil.copytree(province, home)
    return night(home, "--workers", "1")


@pytest.fixture(name="home")
def fresh(province: Path, tmp_path: Path) -> Path:
    shutil.copytree(province, tmp_path / "home")
    return tmp_path / "home"


def night(home: Path, *options: str) -> dict[str, Any]:
    """Score and read all that a night leaves behind; times and memory aside."""
    scored = dropout_risk(home, "score", *options)
    assert scored.code in (0, 6), scored.stderr
    return left_behind(home, scored.document)


def left_behind(home: Path, document: dict[str, Any]) -> dict[str, Any]:
    told = {
        name: document[name] for name in ("students", "listed", "status", "held_back", "findings", "run_id")
    }
    everybody = dropout_risk(home, "lists", "--all").document
    named = [row["student_id"] for row in everybody if row["risk"] is not None][::700]
    explained = {student: dropout_risk(home, "explain", student).document for student in named}
    return {**told, "lists": everybody, "explained": explained}


def parts_made(home: Path) -> int:
    return len(list(home.glob("data/runs/nights/*/*/facts.parquet")))


@pytest.mark.slow
def test_two_processes_and_many_parts_say_what_one_says(home, alone):
    assert night(home, "--workers", "2", *SMALL) == alone
    assert parts_made(home) > 1
    left = {file.name for file in home.glob("data/runs/nights/*/*")} | {
        file.name for file in home.glob("data/runs/nights/*/*/*")
    }
    assert {name for name in left if "." in name or name == "key"} == {
        "facts.parquet", "class_facts.parquet", "key",
    }  # fmt: skip


@contextmanager
def scoring(
    home: Path, *options: str, settings: Mapping[str, str] = PLAIN
) -> Iterator[subprocess.Popen[bytes]]:
    run = subprocess.Popen(
        [COMMAND, "--home", str(home), "--json", "score", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment() | settings, start_new_session=True,
    )  # fmt: skip
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


def children(process: int) -> list[int]:
    """Workers of a pool: processes of the same session that were spawned to work."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            if int(stat[1]) == process and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def until(true: Callable[[], Any], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come about")


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_is_replaced_and_the_night_is_the_same(home, alone):
    with scoring(home, "--workers", "2", *SMALL) as run:
        workers = until(lambda: children(run.pid) if parts_begun(home) else [])
        os.kill(workers[0], signal.SIGKILL)
        _, said = run.communicate()
    assert run.returncode in (0, 6), said.decode()
    assert left_behind(home, dropout_risk(home, "score").document) == alone


def parts_begun(home: Path) -> bool:
    return any(home.glob("data/runs/nights/*/*/told.json"))


@pytest.mark.slow
def test_workers_end_with_a_killed_night_and_the_next_goes_on_with_its_parts(home, alone):
    with scoring(home, "--workers", "2", *SMALL) as run:
        workers = until(lambda: children(run.pid) if parts_begun(home) else [])
        os.kill(run.pid, signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 30)
    assert night(home, "--workers", "2", *SMALL) == alone


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler, to which workers come and from which they go."""
    with scheduler(tmp_path_factory.mktemp("dask")) as address:
        yield address


@contextmanager
def scheduler(folder: Path, *options: str, settings: Mapping[str, str] = PLAIN) -> Iterator[str]:
    file = folder / "scheduler.json"
    local = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    with dask("scheduler", *local, *options, settings=settings):
        until(file.exists)
        yield json.loads(until(file.read_text))["address"]


@contextmanager
def dask(*arguments: str, settings: Mapping[str, str] = PLAIN) -> Iterator[subprocess.Popen[bytes]]:
    run = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment() | settings,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def dask_worker(address: str, settings: Mapping[str, str] = PLAIN) -> Any:
    alone = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", "/tmp")
    return dask("worker", address, *alone, settings=settings)


@pytest.mark.slow
def test_a_dask_cluster_says_what_one_process_says_although_a_worker_is_killed(home, alone, cluster):
    with (
        dask_worker(cluster),
        dask_worker(cluster) as doomed,
        scoring(home, "--scheduler", cluster, "--memory-limit", "500MB") as run,
    ):
        until(lambda: parts_begun(home) or run.poll() is not None)
        os.killpg(doomed.pid, signal.SIGKILL)
        _, said = run.communicate()
    assert run.returncode in (0, 6), said.decode()
    assert parts_made(home) > 1
    assert left_behind(home, dropout_risk(home, "score").document) == alone


@pytest.mark.slow
def test_over_tls_the_lists_are_the_same_and_who_has_no_certificate_is_refused(home, alone, tmp_path):
    ours, theirs = certified(tmp_path / "ours"), certified(tmp_path / "theirs")
    with scheduler(tmp_path, "--protocol", "tls", settings=ours) as address, dask_worker(address, ours):
        assert address.startswith("tls://127.0.0.1")
        asked = ("--scheduler", address, "--memory-limit", "500MB")
        for settings in (PLAIN, theirs):
            with scoring(home, *asked, settings=settings) as run:
                _, said = run.communicate()
            assert run.returncode == 2, said.decode()
            assert b"Traceback" not in said
        assert not parts_made(home)
        with scoring(home, *asked, settings=ours) as run:
            _, said = run.communicate()
    assert run.returncode in (0, 6), said.decode()
    assert left_behind(home, dropout_risk(home, "score").document) == alone


def test_a_scheduler_that_is_not_there_is_one_readable_line(home):
    answer = dropout_risk(home, "score", "--scheduler", "tcp://127.0.0.1:9")
    assert answer.code == 2
    assert "There is no Dask scheduler at tcp://127.0.0.1:9" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_workers_and_a_scheduler_exclude_each_other(home):
    answer = dropout_risk(home, "score", "--scheduler", "tcp://127.0.0.1:9", "--workers", "2")
    assert answer.code == 2
    assert "exclude each other" in answer.stderr


def die_once(marker: Path) -> str:
    """The first time it kills its process."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return marker.name


def die(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


def test_tasks_of_a_dead_worker_are_done_again_each_answered_once(tmp_path):
    workers = Workers(pool, 2)
    tasks = [tmp_path / str(number) for number in range(6)]
    for task in tasks[1:]:
        task.touch()
    assert sorted(workers.each(die_once, tasks)) == sorted(task.name for task in tasks)
    workers.close()


def test_a_task_that_kills_every_worker_is_given_up_with_a_word_on_memory(tmp_path):
    workers = Workers(pool, 1)
    with pytest.raises(WorkersLostError, match="--memory-limit") as raised:
        list(workers.each(die, [tmp_path]))
    assert isinstance(raised.value.__cause__, BrokenProcessPool)
    workers.close()


def niceness(_: int) -> int:
    return os.nice(0)


def test_workers_of_a_night_give_way_to_the_service_and_who_publishes_does_not():
    own = os.nice(0)
    with hired(2, None) as workers:
        assert set(workers.each(niceness, [1, 2])) == {min(own + GIVE_WAY, 19)}
    assert os.nice(0) == own


def test_an_error_in_a_task_is_raised_and_not_tried_again():
    asked = []

    def fail(task: int) -> None:
        asked.append(task)
        raise ValueError("a register")

    with pytest.raises(ValueError, match="a register"):
        list(Workers(InProcess, 1).each(fail, [1, 2, 3]))
    assert asked[0] == 1
    assert asked.count(1) == 1
