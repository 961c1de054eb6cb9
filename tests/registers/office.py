"""A small office that takes deliveries, for the tests of registers."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.registers.accounts import ImportReport
from risk_model.registers.importing import Terms, import_delivery
from risk_model.settings import Settings

TODAY = date(2025, 12, 1)
SCHOOLS = "school_id,name,county_id,stage\nA,First,C1,primary\nB,Second,C1,junior\n"
STUDENTS = "student_id,name,sex,birth_date\nS1,张三,M,2012-03-04\nS2,李四,F,2013-01-02\n"

Content = str | bytes


@dataclass(frozen=True)
class TestOffice:
    """A home below ``folder`` and the deliveries that came to it."""

    __test__ = False
    folder: Path

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    def write(self, name: str, **files: Content) -> Path:
        """A delivery ``name``; ``attendance=`` becomes attendance.csv, a name with a dot stays."""
        delivery = self.folder / name
        delivery.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            path = delivery / (file if "." in file else f"{file}.csv")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return delivery

    def deliver(
        self, name: str = "delivery", *, max_rejected: float = 1.0, recorded_on: str | None = None,
        today: date = TODAY, **files: Content,
    ) -> ImportReport:  # fmt: skip
        return self.take(
            self.write(name, **files), max_rejected=max_rejected, recorded_on=recorded_on, today=today
        )

    def take(
        self,
        delivery: Path,
        *,
        max_rejected: float = 1.0,
        recorded_on: str | None = None,
        today: date = TODAY,
    ) -> ImportReport:
        return import_delivery(self.home, Settings(), delivery, Terms(max_rejected, recorded_on, today))

    def known(self, register: str, day: date = TODAY, columns: str = "*") -> list[tuple[Any, ...]]:
        """Rows of ``register`` as known on ``day``, sorted."""
        with open_lake(self.home, Settings()) as lake:
            lake.known_on(day)
            return lake.con.execute(f"SELECT {columns} FROM known.{register} ORDER BY ALL").fetchall()


def accounts(report: ImportReport, register: str) -> tuple[int, int, int, int]:
    """``read, accepted, rejected, unchanged`` as ``--json`` prints them."""
    table = report.document()["tables"][register]
    assert table["accepted"] + table["rejected"] + table["unchanged"] == table["read"]
    return table["read"], table["accepted"], table["rejected"], table["unchanged"]


def quarantined(report: ImportReport | None, folder: Path | None = None) -> list[dict[str, str]]:
    """The rows of the quarantine file."""
    path = report.quarantine if report is not None else next(iter((folder or Path()).glob("*.csv")), None)
    if path is None:
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
