"""Upkeep of the lake after imports: few files, old snapshots let go, nothing pulled from under a reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from office import TestOffice

from risk_model.home import Home
from risk_model.lake.attaching import attach, connect, current_snapshot
from risk_model.lake.holding import Hold, held, named_by_models
from risk_model.lake.reading import open_lake
from risk_model.lake.storage import MAIN
from risk_model.lake.upkeep import Upkeep, tidy
from risk_model.registers.importing import Terms, import_delivery
from risk_model.settings import LakeSettings, Settings

MARKS = "student_id,day,mark,recorded_on\n"
AGGREGATE = "SELECT count(*), min(day), max(day), sum(hash(student_id, day, mark)) FROM lake.attendance"
READER = """
import sys
from pathlib import Path
from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.settings import Settings

with open_lake(Home(Path(sys.argv[1])), Settings()) as lake:
    print(lake.snapshot, flush=True)
    for _ in sys.stdin:
        print(lake.con.execute(sys.argv[2]).fetchall(), flush=True)
"""


@dataclass(frozen=True)
class Reader:
    """Another process that holds the lake at one snapshot and answers as often as it is asked."""

    process: subprocess.Popen[str]
    snapshot: int

    def ask(self) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def reader(home: Home) -> Iterator[Reader]:
    command = [sys.executable, "-c", READER, str(home.folder), AGGREGATE]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Reader(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


@contextmanager
def writing(home: Home) -> Iterator[Any]:
    con = connect(Settings(), home.staging / "spill")
    try:
        attach(con, home.lake, MAIN, write=True)
        yield con
    finally:
        con.close()


def marks(office: TestOffice, day: int, *pupils: str, mark: str = "present", told: int | None = None) -> None:
    rows = "".join(f"{pupil},2025-09-{day:02},{mark},2025-09-{told or day:02}\n" for pupil in pupils)
    office.deliver(f"d{day:02}{mark}", attendance=MARKS + rows)


def snapshots(con: Any) -> set[int]:
    return {number for (number,) in con.execute(f"SELECT snapshot_id FROM {MAIN}.snapshots()").fetchall()}


def age_snapshots(con: Any, days: int) -> None:
    """Make everything in the catalog look ``days`` older."""
    meta = f"__ducklake_metadata_{MAIN}"
    older = "strftime({0}::TIMESTAMPTZ - INTERVAL {1} DAY, '%Y-%m-%d %H:%M:%S.%f+00')"
    for table, column in (
        ("ducklake_snapshot", "snapshot_time"),
        ("ducklake_files_scheduled_for_deletion", "schedule_start"),
    ):
        con.execute(f"UPDATE {meta}.{table} SET {column} = {older.format(column, days)}")


def files(home: Home) -> set[Path]:
    return set((home.lake / "files").rglob("attendance/*.parquet"))


def test_many_small_deliveries_become_one_file_and_every_snapshot_reads_as_before(office: TestOffice) -> None:
    for day in range(1, 7):
        marks(office, day, "S1", "S2")
    marks(office, 3, "S1", mark="late", told=8)
    with writing(office.home) as con:
        asked = f"SELECT * FROM {MAIN}.attendance AT (VERSION => {{}}) ORDER BY ALL"
        before = {one: con.execute(asked.format(one)).fetchall() for one in sorted(snapshots(con))[1:]}
        done = tidy(con, office.home.lake, MAIN, LakeSettings(merge_files=3))
        assert done.merged >= 6
        assert {one: con.execute(asked.format(one)).fetchall() for one in before} == before
        in_force = con.execute(f"FROM ducklake_list_files('{MAIN}', 'attendance')").fetchall()
        assert len(in_force) <= 2
        assert tidy(con, office.home.lake, MAIN, LakeSettings(merge_files=3)) == Upkeep()
    assert office.known("attendance", columns="count(*), max(mark)") == [(12, "present")]


def test_a_merge_comes_with_the_import_and_reaches_its_account(office: TestOffice) -> None:
    settings = Settings(lake=LakeSettings(merge_files=3))
    for day in (1, 2, 3):
        rows = f"S1,2025-09-0{day},present,2025-09-0{day}\n"
        report = import_delivery(
            office.home, settings, office.write(f"d{day}", attendance=MARKS + rows), Terms()
        )
    assert report.document()["upkeep"]["merged"] >= 3
    with open_lake(office.home, settings) as lake:
        assert lake.snapshot == report.snapshot


def test_a_reader_at_an_old_snapshot_is_undisturbed_by_imports_merging_and_cleaning(
    office: TestOffice,
) -> None:
    for day in range(1, 5):
        marks(office, day, "S1", "S2")
    with reader(office.home) as other:
        told = other.ask()
        assert "(8, " in told
        for day in range(5, 9):
            marks(office, day, "S1", "S2")
        with writing(office.home) as con:
            late = current_snapshot(con, MAIN)
            age_snapshots(con, 1000)
            done = tidy(con, office.home.lake, MAIN, LakeSettings(merge_files=2))
            assert done.merged > 0
            assert done.expired > 0
            assert {other.snapshot, late + 1} <= snapshots(con)
            assert other.ask() == told
            # Aged beyond every grace the merged pieces go; the reader's snapshot is read from the whole.
            age_snapshots(con, 10)
            assert tidy(con, office.home.lake, MAIN, LakeSettings()).removed >= 8
            assert other.ask() == told
    with writing(office.home) as con:
        for lock in (office.home.lake / "readers").iterdir():
            os.utime(lock, (0, 0))
        assert tidy(con, office.home.lake, MAIN, LakeSettings()).expired == 1
        assert other.snapshot not in snapshots(con)


def test_files_of_today_stay_whatever_the_hour(office: TestOffice) -> None:
    """A reader may have opened them: DuckLake alone would take an hour for a day with this catalog."""
    for day in (1, 2, 3):
        marks(office, day, "S1")
    before = files(office.home)
    with writing(office.home) as con:
        done = tidy(con, office.home.lake, MAIN, LakeSettings(merge_files=2, keep_files_days=1))
        assert done.merged == 6  # three of the marks, three of the table of deliveries
        age_snapshots(con, 1)
        done = tidy(con, office.home.lake, MAIN, LakeSettings(keep_files_days=1))
        assert (done.removed, before <= files(office.home)) == (0, True)
        age_snapshots(con, 2)
        assert tidy(con, office.home.lake, MAIN, LakeSettings(keep_files_days=1)).removed == 6


def test_a_file_an_interrupted_import_left_goes_after_its_days(office: TestOffice) -> None:
    marks(office, 1, "S1")
    young, old = (next(iter(files(office.home))).with_name(f"ducklake-{name}.parquet") for name in "ab")
    young.write_bytes(b"half")
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    with writing(office.home) as con:
        assert tidy(con, office.home.lake, MAIN, LakeSettings()).removed == 1
    assert (young.exists(), old.exists()) == (True, False)
    assert len(office.known("attendance")) == 1


def test_the_snapshot_a_model_names_stays(office: TestOffice) -> None:
    for day in (1, 2, 3):
        marks(office, day, "S1")
    with writing(office.home) as con:
        kept = sorted(snapshots(con))[-2]
        bundle = office.home.bundles / "abc"
        bundle.mkdir(parents=True)
        (bundle / "manifest.json").write_text(json.dumps({"lake_snapshot": kept}))
        (office.home.bundles / "damaged").mkdir()
        (office.home.bundles / "damaged" / "manifest.json").write_text("{")
        age_snapshots(con, 1000)
        tidy(con, office.home.lake, MAIN, LakeSettings(), named_by_models(office.home.bundles))
        assert snapshots(con) == {kept, current_snapshot(con, MAIN)}
        query = f"SELECT count(*) FROM {MAIN}.attendance AT (VERSION => {kept})"
        assert con.execute(query).fetchall() == [(2,)]


def test_a_young_snapshot_stays(office: TestOffice) -> None:
    marks(office, 1, "S1")
    with writing(office.home) as con:
        before = snapshots(con)
        age_snapshots(con, 399)
        assert tidy(con, office.home.lake, MAIN, LakeSettings()) == Upkeep()
        assert snapshots(con) == before


def test_a_hold_ends_with_its_release_and_never_fails_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = Hold(tmp_path, 7)
    assert held(tmp_path) == {7}
    hold.release()
    hold.release()
    assert held(tmp_path) == frozenset()
    monkeypatch.setattr(Path, "mkdir", _read_only)
    Hold(tmp_path, 8).release()
    assert held(tmp_path) == frozenset()


def _read_only(*_: object, **__: object) -> None:
    raise OSError(30, "Read-only file system")
