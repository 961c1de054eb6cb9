"""The service over the cast of ``tests/cast.py``: a scored night with evidence, a champion, who asks.

Used by the tests of the web and the API; the pages' tests may take it, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from risk_model.features.sources import LAKE
from risk_model.home import Home
from risk_model.lake.attaching import connect
from risk_model.promotions import CHAMPION, Promotion, Promotions
from risk_model.registry import Champion, Registry
from risk_model.settings import Settings
from risk_model.state import Brought
from serving.access.tables import Placement
from serving.accounts.sessions import sign_in
from serving.accounts.tokens import SCOPES, create_token
from serving.app import create_app
from serving.audit.entries import Entry
from serving.care.steps import open_case
from serving.database import open_database
from serving.web.cookies import form_token
from tests import cast
from tests.known_registers import make_known
from tests.nights import FEATURES, OFFICE, CountyOffice, SnapshotLake, bundle, shelve

ORIGIN = "https://testserver"
WITH_PASSWORD = ("T-CHEN", "T-OLD", "P-A", "O-T1", "O-K", "D-K", "keeper")
FIRST_PASSWORD = ("T-ZHAO",)
"""The class teacher of A 7B has yet to choose a password of his own."""
CARED_FOR = ("S-MEI", "S-HAO", "S-LAN", "S-YING")
FEW_CASTMATES = 30
"""Made-up pupils of each class besides the cast, so that classes are as large as real ones."""


@dataclass
class Remembered:
    """An audit in memory."""

    entries: list[Entry] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def record(self, entries: list[Entry]) -> list[int]:
        with self.lock:
            self.entries += entries
            return list(range(len(self.entries) - len(entries), len(self.entries)))


@dataclass
class Clock:
    """Noon of the cast's day, a second later with each look."""

    at: datetime = cast.NOW
    step: timedelta = timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.at += self.step
        return self.at


@dataclass
class Caller:
    """Somebody with a browser that is signed in, or a machine with a token; nobody without both."""

    client: TestClient
    cookie: str | None = None
    token: str | None = None

    def headers(self, **more: str) -> dict[str, str]:
        """What a browser, or a machine, sends by itself."""
        if self.token is not None:
            return {"authorization": f"Bearer {self.token}", **more}
        browser = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
        if self.cookie is not None:
            browser |= {"cookie": f"__Host-session={self.cookie}", "x-csrf": form_token(self.cookie)}
        return browser | more

    def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = self.headers(**more.pop("headers", {}))
        self.client.cookies.clear()  # what the last caller was given is not this one's
        return self.client.request(method, path, headers=headers, follow_redirects=False, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> Any:
        return self.ask("POST", path, **more)


@dataclass
class Rig:
    """The running service, and those who ask it."""

    home: Home
    settings: Settings
    audit: Remembered
    clock: Clock
    app: Any
    client: TestClient
    cases: dict[str, int]
    callers: dict[str, Caller] = field(default_factory=dict)

    @property
    def nobody(self) -> Caller:
        return Caller(self.client)

    def signed_in(self, who: str) -> Caller:
        """A new session of a member of the cast."""
        with self.app.state.service.engine.connect() as connection, connection.begin():
            session = sign_in(connection, who.lower(), cast.PASSWORD, self.clock(), "test")
        assert session is not None, who
        return Caller(self.client, cookie=session.opaque)

    def machine(self, unit: str | None, *scopes: str) -> Caller:
        """A machine with a token of its own."""
        with self.app.state.service.engine.begin() as connection:
            end = self.clock.at + timedelta(days=30)
            scope = frozenset(scopes or SCOPES)
            token = create_token(
                connection, f"machine{len(self.callers)}-{end.timestamp()}", scope, unit, end, self.clock()
            )
        return Caller(self.client, token=token)

    def by_role(self, who: str) -> Caller:
        """The caller of a role; one session for all tests."""
        if who not in self.callers:
            self.callers[who] = self.nobody if who == "anonymous" else self.signed_in(who)
        return self.callers[who]


def frame() -> pd.DataFrame:
    """A snapshot of the cast and of their classmates."""
    places = {place.school_id: place for place in cast.SCHOOLS}
    pupils = [(pupil, unit) for pupil, unit in cast.CLASS_OF.items()]
    for unit in sorted(set(cast.CLASS_OF.values())):
        _, school, name, _ = unit.split(":")
        pupils += [(f"X-{school}{name}{number:02d}", unit) for number in range(FEW_CASTMATES)]
    dice = np.random.default_rng(11)
    units = [unit.split(":") for _, unit in pupils]
    count = len(pupils)
    made = pd.DataFrame(
        {
            "student_id": [pupil for pupil, _ in pupils],
            "county_id": [places[school].county_id for _, school, _, _ in units],
            "township_id": [places[school].township_id for _, school, _, _ in units],
            "school_id": [school for _, school, _, _ in units],
            "class_id": [name for _, _, name, _ in units],
            "class_key": [":".join(unit[1:]) for unit in units],
            "grade": [int(name[0]) for _, _, name, _ in units],
            "status": "scored",
            "absence_30": np.round(dice.beta(1, 18, count), 3),
            "failed_core_latest": dice.integers(0, 3, count).astype(float),
            "parent_illness": (dice.random(count) < 0.1).astype(float),
            "travel_km": np.round(dice.lognormal(1.2, 0.8, count), 1),
            "grade_level": [float(name[0]) for _, _, name, _ in units],
        }
    )
    cast_rows = made["student_id"].isin(cast.CLASS_OF)
    made.loc[cast_rows, "absence_30"] = np.linspace(0.35, 0.55, int(cast_rows.sum())).round(3)
    away = made["student_id"] == "S-YAN"
    made.loc[away, "status"] = "absent_long"
    made.loc[away, list(FEATURES)] = np.nan
    return made


@contextmanager
def scored_home(folder: Path, database: str | None) -> Iterator[tuple[Home, Settings]]:
    """A home with a champion and a published night of the cast, with all that explains it."""
    settings = OFFICE.model_copy(update={"database_url": database})
    home = Home(folder / "home")
    home.folder.mkdir()
    made = folder / "bundle"
    digest = bundle(made)
    shelve(home, made)
    promote(home, "3", digest)
    con = connect(OFFICE, folder / "spill")
    make_known(con, schools=[_school(place) for place in cast.SCHOOLS])
    champion = Champion("3", home.bundles / digest[:12], digest, cast.NOW, "D", "gate")
    office = CountyOffice(home, frame(), SnapshotLake(con), champion, settings)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("risk_model.lake.reading.open_lake", lambda home, settings, **pinned: office.lake)
        patched.setattr(
            "risk_model.features.snapshot.snapshot_frame",
            lambda lake, day, settings, part, sources: office.frame.copy(),
        )
        patched.setattr("risk_model.state.bring_forward", lambda home, settings, lake: Brought("none"))
        patched.setattr("risk_model.state.sources_on", lambda home, lake, day, part: LAKE)
        patched.setattr(Registry, "champion", lambda registry: office.champion)
        assert office.score()["published"]
        yield home, settings


def promote(home: Home, version: str, digest: str) -> None:
    """Make a shelved bundle champion, as the registry would."""
    row = Promotion(
        role=CHAMPION,
        version=version,
        digest=digest,
        folder=(home.bundles / digest[:12]).relative_to(home.folder).as_posix(),
        who="D",
        promoted_at=datetime.now(UTC),
        why="gate",
        from_version=None,
        report_digest=None,
        lake_snapshot=7,
    )
    Promotions(home.mlruns / "registry.db").append(row)


def _school(place: Any) -> dict[str, Any]:
    return {
        "school_id": place.school_id,
        "name": cast.TITLES[f"school:{place.school_id}"],
        "county_id": place.county_id,
        "township_id": place.township_id,
        "province_id": place.province_id,
    }


@contextmanager
def running(folder: Path, database: str | None = None) -> Iterator[Rig]:
    """The service, settled with the cast."""
    with scored_home(folder, database) as (home, settings):
        cases = settled(home, settings)
        audit, clock = Remembered(), Clock()
        app = create_app(home, settings, audit, clock)
        with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False) as client:
            yield Rig(home, settings, audit, clock, app, client, cases)


def classmates() -> list[dict[str, Any]]:
    """Where the made-up pupils are placed."""
    pupils = frame()[["student_id", "class_key"]].itertuples(index=False)
    return [
        {"student_id": pupil, "unit": f"class:{key}", "from_day": cast.AUTUMN}
        for pupil, key in pupils
        if pupil.startswith("X-")
    ]


def settled(home: Home, settings: Settings) -> dict[str, int]:
    """Enter the cast and open a care case for some; the cases' numbers by pupil."""
    with open_database(home, settings) as engine, engine.begin() as connection:
        cast.settle(connection, with_password=WITH_PASSWORD, first_password=FIRST_PASSWORD)
        connection.execute(insert(Placement), classmates())
        teacher = cast.viewer(connection, "T-CHEN")
        return {pupil: open_case(connection, teacher, pupil, "T-CHEN", cast.NOW).id for pupil in CARED_FOR}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"], name="rig")
def each_rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The service on either database."""
    database = None
    if request.param == "postgresql":
        database = request.getfixturevalue("cluster").new_database()
    with running(tmp_path_factory.mktemp("service"), database) as rig:
        yield rig


@pytest.fixture(scope="module", name="sqlite_rig")
def rig_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The service on SQLite alone."""
    with running(tmp_path_factory.mktemp("service")) as rig:
        yield rig
