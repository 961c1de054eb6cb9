"""As :mod:`tests.test_leaks`, through the real lake: import, snapshot, import later, snapshot again."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from risk_model.features.snapshot import snapshot_frame
from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.registers.declared import REGISTERS
from risk_model.registers.importing import Terms, import_delivery
from risk_model.settings import Settings
from tests.test_features_robust import bits, features
from tests.test_leaks import Versions, later, recorded_on
from tests.town import DAY, town

pytestmark = pytest.mark.slow

TODAY = DAY + timedelta(days=500)
READ = (*town(), "student_aliases", "care")
"""Registers of pupils; the others carry names of persons and are read by no feature."""


def deliver(versions: Versions, folder: Path) -> Path:
    """Write every version as a CSV file per register, each row with the day it was recorded."""
    folder.mkdir()
    for name, rows in versions.items():
        delivered = {column.name for column in REGISTERS[name].delivered}
        header = sorted(delivered & {column for row in rows for column in row} | {"recorded_on"})
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row | {"recorded_on": recorded_on(name, row)} for row in rows)
    return folder


def snapshot(home: Home, day: date) -> pd.DataFrame:
    with open_lake(home, Settings()) as lake:
        return snapshot_frame(lake, day, Settings()).set_index("student_id")


def take(home: Home, versions: Versions, folder: Path) -> dict[str, int]:
    """Import and return how many rows of each register were accepted."""
    report = import_delivery(
        home, Settings(), deliver(versions, folder), Terms(max_rejected=1.0, today=TODAY)
    )
    return {name: account["accepted"] for name, account in report.document()["tables"].items()}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    folder = tmp_path_factory.mktemp("office")
    accepted = take(Home(folder), town(), folder / "first")
    assert accepted == {name: len(rows) for name, rows in town().items()}
    return Home(folder)


def test_the_lake_gives_the_features_of_the_registers_it_was_given(home):
    assert bits(snapshot(home, DAY)) == bits(features(town()))


def test_what_is_imported_later_changes_no_bit_of_the_snapshot(home, tmp_path):
    before, after_before = bits(snapshot(home, DAY)), bits(snapshot(home, TODAY))
    told = later(seed=101)
    accepted = take(home, {name: told[name] for name in READ}, tmp_path / "later")
    assert sum(accepted.values()) > 100
    assert bits(snapshot(home, DAY)) == before
    assert bits(snapshot(home, TODAY)) != after_before
