"""A small synthetic county for the tests of publication: real bundle, real database, made-up snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from risk_model.features.sources import LAKE
from risk_model.home import Home
from risk_model.lake.attaching import connect
from risk_model.model.loading import verify
from risk_model.model.logistic import LogisticModel, Term
from risk_model.model.platt import Platt
from risk_model.model.storing import save_logistic
from risk_model.registry import Champion, Registry
from risk_model.settings import ListSettings, Settings
from risk_model.shelf import Shelf
from risk_model.state import Brought
from serving.nightly import Order, score_night
from tests.bundles import PROVENANCE
from tests.known_registers import make_known

MONDAY = date(2026, 3, 2)
FEATURES = ("absence_30", "failed_core_latest", "parent_illness", "travel_km", "grade_level")
OFFICE = Settings(list=ListSettings(capacity_share=0.1, capacity_per_class=3))


def bundle(folder: Path, slope: float = 1.0) -> str:
    """The school's rule over five declared features; its digest."""
    terms = (
        Term("absence_30", 12.0, 0.04),
        Term("failed_core_latest", 0.8, 0.3),
        Term("parent_illness", 0.9, 0.08),
        Term("travel_km", 0.05, 3.0),
        Term("grade_level", 0.01, 7.5),
    )
    return save_logistic(folder, LogisticModel(-3.5, terms), Platt(slope, 0.1), PROVENANCE)


def shelve(home: Home, folder: Path) -> None:
    """Put a bundle where the registry would, so that it is found by its digest."""
    Shelf(home).put(folder, verify(folder))


def county(schools: str = "ABC", classes: tuple[str, ...] = ("7A", "8B"), pupils: int = 15) -> pd.DataFrame:
    """A snapshot: everybody scored but one pupil of school A, who has been away for long."""
    places = [(school, name, number) for school in schools for name in classes for number in range(pupils)]
    dice = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "student_id": [f"{school}{name}{number:02d}" for school, name, number in places],
            "county_id": "K",
            "township_id": [{"A": "T1", "B": "T1"}.get(school, "T2") for school, _, _ in places],
            "school_id": [school for school, _, _ in places],
            "class_id": [name for _, name, _ in places],
            "class_key": [f"{school}:{name}:2025" for school, name, _ in places],
            "grade": [int(name[0]) for _, name, _ in places],
            "status": "scored",
            "absence_30": np.round(dice.beta(1, 18, len(places)), 3),
            "failed_core_latest": dice.integers(0, 3, len(places)).astype(float),
            "parent_illness": (dice.random(len(places)) < 0.1).astype(float),
            "travel_km": np.round(dice.lognormal(1.2, 0.8, len(places)), 1),
            "grade_level": [float(name[0]) for _, name, _ in places],
        }
    )
    frame.loc[dice.random(len(places)) < 0.1, "travel_km"] = np.nan
    away = frame["student_id"] == "A7A03"
    frame.loc[away, "status"] = "absent_long"
    frame.loc[away, list(FEATURES)] = np.nan
    return frame


@dataclass
class SnapshotLake:
    """Stands for the lake: a snapshot number, a day, and the timeline the quality rules read."""

    con: duckdb.DuckDBPyConnection
    snapshot: int = 1
    latest: date | None = MONDAY
    filled: frozenset[str] = frozenset()

    def latest_recorded_on(self) -> date | None:
        return self.latest

    def known_on(self, day: date) -> None:
        """The registers of these nights do not change."""

    def __enter__(self) -> SnapshotLake:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@dataclass
class CountyOffice:
    """An office whose nights can be played one after the other."""

    home: Home
    frame: pd.DataFrame
    lake: SnapshotLake
    champion: Champion | None
    settings: Settings = OFFICE
    silent: set[str] = field(default_factory=set)
    """Schools that kept no register on their last five school days."""

    def score(self, as_of: date | None = None, **overrides: Any) -> dict[str, Any]:
        keep_registers(self.lake.con, self.frame, as_of or MONDAY, self.silent)
        return score_night(self.home, self.settings, Order(as_of, **overrides), lambda line: None)

    def new_registers(self) -> None:
        """Tonight's import: the lake has another snapshot."""
        self.lake.snapshot += 1


NOTHING_TOLD = {
    "school_marks": "school_id text, day date, present int, late int, absent_sick int, absent_leave int, "
    "absent_unexcused int, home_taught int",
    "exams": "pupil int, day bigint, subject smallint, half smallint, what utinyint, hundredths int",
    "subjects": "subject text, no smallint, core bool",
    "cohort": "student_id text, school_id text, county_id text, grade int",
    "timeline_pupils": "student_no int, student_id text",
}
"""Tables of a snapshot that stay empty: nobody's marks and exams are looked at."""


def keep_registers(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, day: date, silent: set[str]) -> None:
    """The timeline's tables: 60 school days up to ``day`` on which every class kept its register."""
    classes = frame.groupby(["class_key", "school_id", "county_id"], as_index=False).size()
    days = pd.DataFrame({"day": [day - timedelta(days=back) for back in range(60)], "back": range(60)})
    kept = classes.merge(days, how="cross")
    kept["kept"] = ~(kept["school_id"].isin(silent) & (kept["back"] < 5))
    kept["expected"] = kept["size"]
    kept["marked"] = kept["size"].where(kept["kept"], 0)
    kept["complete"] = False
    con.register("kept_days", kept)
    con.execute(
        "create or replace temp table class_days as "
        "select class_key, school_id, county_id, day::date as day, "
        "kept::bool as kept, expected::int as expected, marked::int as marked, complete::bool as complete "
        "from kept_days"
    )
    con.execute("create or replace temp table school_days as select distinct school_id, day from class_days")
    con.execute(
        "create or replace temp table spells "
        "(student_id text, school_id text, started_on date, ended_on date)"
    )
    con.unregister("kept_days")
    for table, columns in NOTHING_TOLD.items():
        con.execute(f"create or replace temp table {table} ({columns})")


@pytest.fixture(name="office")
def county_office(filed_office: CountyOffice) -> CountyOffice:
    """The office under the name most tests know it by."""
    return filed_office


@pytest.fixture(name="filed_office")
def county_office_with_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str | None
) -> CountyOffice:
    """A county of three schools, a champion, nothing published yet."""
    con = connect(OFFICE, tmp_path / "spill")
    schools = [
        {"school_id": school, "name": f"School {school}", "county_id": "K", "province_id": "P"}
        for school in "ABC"
    ]
    make_known(con, schools=schools)
    folder = tmp_path / "bundle"
    champion = Champion("3", folder, bundle(folder), datetime(2026, 1, 1, tzinfo=UTC), "D", "gate")
    settings = OFFICE.model_copy(update={"database_url": database})
    played = CountyOffice(Home(tmp_path / "home"), county(), SnapshotLake(con), champion, settings)
    played.home.folder.mkdir()
    shelve(played.home, folder)
    monkeypatch.setattr("risk_model.lake.reading.open_lake", lambda home, settings, **pinned: played.lake)
    monkeypatch.setattr(
        "risk_model.features.snapshot.snapshot_frame",
        lambda lake, day, settings, part, sources: played.frame.copy(),
    )
    monkeypatch.setattr("risk_model.state.bring_forward", lambda home, settings, lake: Brought("none"))
    monkeypatch.setattr("risk_model.state.sources_on", lambda home, lake, day, part: LAKE)
    monkeypatch.setattr(Registry, "champion", lambda registry: played.champion)
    return played
