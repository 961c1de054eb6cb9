"""An office that delivers plain rows to a home of its own, one delivery after another."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from risk_model.home import Home
from risk_model.lake.attaching import attach, connect
from risk_model.lake.reading import open_lake
from risk_model.lake.storage import MAIN
from risk_model.lake.upkeep import tidy
from risk_model.registers.importing import Terms, import_delivery
from risk_model.settings import LakeSettings, Settings
from risk_model.state import Brought, bring_forward
from risk_model.state.storage import named_by_state

FIRST = date(2026, 3, 23)
TODAY = FIRST + timedelta(days=300)
SCHOOLS = {"A": "C1", "B": "C1", "C": "C2", "D": None}
PUPILS = tuple(f"p{number}" for number in range(8))

Row = dict[str, Any]


@dataclass
class Office:
    """A home that takes deliveries of plain rows."""

    folder: Path
    deliveries: int = 0

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    def take(self, **registers: list[Row]) -> None:
        self.deliveries += 1
        delivery = self.folder / f"delivery{self.deliveries}"
        delivery.mkdir(parents=True)
        for name, rows in (registers or {"attendance": []}).items():
            with (delivery / f"{name}.csv").open("w", newline="") as file:
                columns = sorted({column for row in rows or [mark("", FIRST, "")] for column in row})
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)
        import_delivery(self.home, Settings(), delivery, Terms(1.0, None, TODAY))

    def night(self) -> Brought:
        with open_lake(self.home, Settings()) as lake:
            return bring_forward(self.home, Settings(), lake)

    def tidy(self) -> None:
        """Upkeep at its keenest: what is small is put together, only what is named or newest stays."""
        with connect(Settings(), self.home.staging / "spill") as con:
            attach(con, self.home.lake, MAIN, write=True)
            named = named_by_state(con, self.home.state)
            old = sorted(snapshots(con) - named - {max(snapshots(con))})
            tidy(con, self.home.lake, MAIN, LakeSettings(merge_files=2), named)
            if old:
                con.execute(f"CALL ducklake_expire_snapshots('{MAIN}', versions => {old})").fetchall()
            con.execute(f"CALL ducklake_cleanup_old_files('{MAIN}', cleanup_all => true)").fetchall()


def snapshots(con: duckdb.DuckDBPyConnection) -> set[int]:
    return {number for (number,) in con.execute(f"SELECT snapshot_id FROM {MAIN}.snapshots()").fetchall()}


def school(name: str, county: str | None, told: date = FIRST) -> Row:
    return {"school_id": name, "name": name, "county_id": county, "stage": "junior", "recorded_on": told}


def spell(pupil: str, at: str, told: date = FIRST, **more: Any) -> Row:
    started = {"started_on": "2025-09-01", "grade": 7, "recorded_on": told}
    return {"student_id": pupil, "school_id": at, **started, **more}


def mark(pupil: str, day: date, what: str, told: date | None = None) -> Row:
    return {"student_id": pupil, "day": day, "mark": what, "recorded_on": told or day}


def exam(pupil: str, day: date, subject: str, score: float | None, told: date) -> Row:
    points = {"score": score, "max_score": 120, "sat": None if score else score is not None}
    return {"student_id": pupil, "assessed_on": day, "subject": subject, "recorded_on": told, **points}


def first_delivery() -> dict[str, list[Row]]:
    return {
        "schools": [school(name, county) for name, county in SCHOOLS.items()],
        "enrolments": [spell(pupil, "ABCD"[number % 4]) for number, pupil in enumerate(PUPILS)],
        "attendance": [mark(pupil, FIRST, "present") for pupil in PUPILS],
        "results": [exam(pupil, FIRST - timedelta(days=200), "math", 70, FIRST) for pupil in PUPILS[:5]],
    }


@pytest.fixture(scope="module", name="begun")
def office_begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An office after its first delivery; it has marks of one day."""
    office = Office(tmp_path_factory.mktemp("begun"))
    office.take(**first_delivery())
    return office.folder


@pytest.fixture(name="office")
def office_copied(begun: Path, tmp_path: Path) -> Office:
    shutil.copytree(begun, tmp_path / "office")
    return Office(tmp_path / "office", deliveries=1)
