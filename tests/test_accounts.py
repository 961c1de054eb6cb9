"""What a run cost, stage by stage and over several processes: sums, clocks and peaks are what they say."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

from risk_model.accounts import Accounts, Spent, highest_memory_mb


def spent(stage: str, process: str, begun: float, ended: float, rows: int = 0, peak: float = 0.0) -> Spent:
    return Spent(stage, process, begun, ended, rows, peak)


def told_of(*all_spent: Spent) -> dict[str, Any]:
    accounts = Accounts()
    accounts.spent += all_spent
    return accounts.document(("features", "publish"))


def test_seconds_on_the_clock_count_once_what_workers_did_at_the_same_time():
    """Two workers from 0 to 10 and 4 to 12, a third from 20 to 21: 13 seconds on the clock, 19 of work."""
    features = told_of(
        spent("features", "a", 0, 10), spent("features", "b", 4, 12), spent("features", "c", 20, 21)
    )["stages"]["features"]
    assert features["seconds"] == pytest.approx(13)
    assert features["work_seconds"] == pytest.approx(19)


def test_rows_of_all_workers_are_added():
    document = told_of(spent("features", "a", 0, 1, rows=7), spent("features", "b", 0, 1, rows=5))
    assert document["stages"]["features"]["rows"] == 12


def test_memory_is_added_over_processes_that_lived_at_the_same_time_only():
    """a and b overlap (300 MB), c comes when both are gone (250 MB)."""
    document = told_of(
        spent("features", "a", 0, 10, peak=100),
        spent("features", "b", 5, 12, peak=200),
        spent("features", "c", 13, 15, peak=250),
    )
    assert document["stages"]["features"]["peak_memory_mb"] == 300


def test_of_one_process_the_highest_of_its_stages_counts_and_not_their_sum():
    document = told_of(spent("features", "a", 0, 1, peak=100), spent("features", "a", 2, 3, peak=80))
    assert document["stages"]["features"]["peak_memory_mb"] == 100


def test_a_part_that_never_began_took_no_time():
    document = told_of(spent("features", "a", 0, 2))
    assert document["seconds"]["features"] == pytest.approx(2)
    assert document["seconds"]["publish"] == 0
    assert document["seconds"]["total"] >= 0


def test_a_stage_within_another_is_booked_to_both():
    accounts = Accounts()
    with accounts.stage("publish") as outer:
        with accounts.stage("publish.check") as inner:
            inner.rows = 3
        outer.rows = 5
    stages = accounts.document(("publish",))["stages"]
    assert (stages["publish"]["rows"], stages["publish.check"]["rows"]) == (5, 3)
    assert stages["publish"]["seconds"] >= stages["publish.check"]["seconds"] > 0


def test_a_stage_that_fails_is_booked_and_the_failure_goes_on():
    accounts = Accounts()
    with pytest.raises(ZeroDivisionError), accounts.stage("features"):
        1 / 0  # noqa: B018
    assert set(accounts.document(())["stages"]) == {"features"}
    with accounts.stage("publish"):
        pass
    assert set(accounts.document(())["stages"]) == {"features", "publish"}


def test_the_peak_of_a_stage_is_seen_while_it_lasts_and_not_in_the_next():
    """200 MB are held in the first stage; the second is told less, though the process's own mark stays."""
    accounts = Accounts()
    with accounts.stage("large"):
        block = np.ones(200 * 2**17)
        del block
    with accounts.stage("small"):
        sum(range(500_000))
    stages = accounts.document(())["stages"]
    assert stages["small"]["peak_memory_mb"] < stages["large"]["peak_memory_mb"] - 150
    assert stages["large"]["peak_memory_mb"] <= highest_memory_mb()


def _work(rows: int) -> list[dict[str, Any]]:
    accounts = Accounts()
    with accounts.stage("features") as stage:
        stage.count(rows)
        block = np.ones(rows)
        del block
    return accounts.told()


def test_workers_in_other_processes_are_added_to_the_one_that_waits():
    accounts = Accounts()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for told in pool.map(_work, (1000, 2000)):
            accounts.add(told)
    document = accounts.document(("features",))
    assert document["stages"]["features"]["rows"] == 3000
    processes = {one.process for one in accounts.spent}
    assert not any(process.endswith(f":{os.getpid()}") for process in processes)
    assert document["peak_memory_mb"] > highest_memory_mb(), "the workers lived beside the one that waits"


def test_a_worker_in_this_very_process_is_not_counted_twice():
    accounts = Accounts()
    accounts.add(_work(1000))
    assert accounts.document(())["peak_memory_mb"] == pytest.approx(highest_memory_mb())


def test_who_watches_is_told_of_every_stage_and_how_far_it_is():
    heard: list[tuple[str, str, bool]] = []
    accounts = Accounts(lambda event, stage, seconds: heard.append((event, stage.name, seconds is None)))
    with accounts.stage("features") as stage:
        stage.count(1)
    assert heard == [
        ("begun", "features", True),
        ("advanced", "features", True),
        ("finished", "features", False),
    ]
