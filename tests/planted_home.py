"""A real home whose nights are played one after the other, with a fault planted in what is delivered.

Each night: the day's rows are delivered, imported, scored and monitored by the functions of the commands.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from monitoring.night import monitor_night
from risk_model.home import Home
from risk_model.registers.importing import Terms, import_delivery
from risk_model.settings import MonitoringSettings, QualitySettings, Settings
from serving.nightly import Order, score_night
from tests.county import dropout_risk

SETTINGS = Settings(
    monitoring=MonitoringSettings(evidently=False), quality=QualitySettings(fewest_listed_for_churn=1000)
)
FIRST = date(2026, 3, 16)
"""The first night: a Monday three weeks into the term."""
TRAINED = date(2026, 3, 13)


def silent(line: str) -> None:
    """Nobody watches."""


@dataclass
class Registers:
    """All a simulated county will ever tell, to be delivered day by day."""

    con: duckdb.DuckDBPyConnection
    names: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> Registers:
        con = duckdb.connect()
        found = sorted(folder.glob("*.csv"))
        stems = sorted({file.stem.split("_")[0] for file in found})
        for name in stems:
            con.execute(
                f"create table {name} as from read_csv('{folder}/{name}*.csv', header=true, all_varchar=true)"
            )
        return cls(con, tuple(stems))

    def deliver(
        self, folder: Path, after: date | None, until: date, change: dict[str, str], more: dict[str, str]
    ) -> Path:
        """Rows recorded after ``after`` and by ``until``; ``change`` and ``more`` are SQL by register."""
        folder.mkdir(parents=True)
        since = after or date(1900, 1, 1)
        for name in self.names:
            new = f"(from {name} where recorded_on > '{since}' and recorded_on <= '{until}')"
            told = change.get(name, "from {new}").format(new=new, day=until)
            if name in more:
                told = f"{told} union all by name {more[name].format(day=until)}"
            if self.con.execute(f"select 1 from ({told}) limit 1").fetchall():
                self.con.execute(f"copy ({told}) to '{folder}/{name}.csv' (header)")
        return folder


@dataclass(frozen=True)
class Fault:
    """What is wrong with deliveries, or with files, from a night on."""

    change: dict[str, str] = field(default_factory=dict)
    """SQL of a register's rows in place of those delivered: ``{new}`` they, ``{day}`` the night."""
    once: dict[str, str] = field(default_factory=dict)
    """SQL of rows that come besides on the first of these nights."""
    after_score: Callable[[Home], None] | None = None


@dataclass
class PlayedHome:
    """The home, and how far it got."""

    home: Home
    registers: Registers
    last: date
    nights: list[dict[str, Any]] = field(default_factory=list)

    def copy(self, folder: Path) -> PlayedHome:
        shutil.copytree(self.home.folder, folder)
        return PlayedHome(Home(folder), self.registers, self.last, list(self.nights))

    def play(self, fault: Fault | None = None, *, first: bool = False) -> dict[str, Any]:
        """The next night on a working day; answers the document of ``monitor``."""
        day = next_night(self.last)
        fault = fault or Fault()
        news = self.home.folder.parent / f"news-{self.home.folder.name}-{day}"
        self.registers.deliver(news, self.last, day, fault.change, fault.once if first else {})
        if any(news.iterdir()):  # else nothing came, as on a holiday
            import_delivery(self.home, SETTINGS, news, Terms(0.2, None))
        shutil.rmtree(news)
        score_night(self.home, SETTINGS, Order(day, workers=1), silent)
        if fault.after_score is not None:
            fault.after_score(self.home)
        told = monitor_night(self.home, SETTINGS, day, silent)
        self.last = day
        self.nights.append(told)
        return told


def next_night(day: date) -> date:
    day += timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day


def played_home(folder: Path, registers: Path) -> PlayedHome:
    """A home with all registers up to the day before the first night, and a model made from them."""
    told = Registers.of(registers)
    home = Home(folder / "home")
    home.folder.mkdir()
    first = told.deliver(folder / "first", None, TRAINED, {}, {})
    import_delivery(home, SETTINGS, first, Terms(0.2, None))
    train = ("train", "--snapshots", "every:45d", "--promote", "force", "--as-of", TRAINED.isoformat())
    answer = dropout_risk(home.folder, *train)
    assert answer.code == 0, answer.stderr
    return PlayedHome(home, told, TRAINED)


def alarms(told: dict[str, Any]) -> dict[str, str]:
    """Cause of each alert of a night, by its key; all of them ask for something."""
    return {one["key"]: one["cause"] for one in told["alerts"]}
