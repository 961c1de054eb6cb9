"""A small county with registers and two published runs, and the real app over it with a cast of staff.

Everything is the real thing: commands make the county, the directory holds the cast, people sign in by
password, the audit is written in this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Connection, delete, select
from starlette.testclient import TestClient

from risk_model.home import Home
from risk_model.settings import Settings
from serving.access.tables import Grant
from serving.access.tree import SchoolPlace
from serving.accounts.keeping import create_account
from serving.accounts.sessions import sign_in
from serving.app import create_app
from serving.audit.client import DirectAudit
from serving.database import open_database
from serving.directory.writing import Employed, Held, Placed, Told, write
from serving.pages.published import published_scores
from serving.tables import RunSchool, Score
from serving.web.cookies import form_token
from tests.county import dropout_risk, simulate

BEFORE, DAY = "2026-05-15", "2026-06-12"
PASSWORD = "river-stone-lamp-7"
AUTUMN = date(2025, 9, 1)
NOW = datetime(2026, 6, 15, 2, tzinfo=UTC)
SETTINGS = Settings.model_validate({"service": {"plain_http": True, "sign_ins_per_minute": 1000}})
ORIGIN = "http://testserver"
FAMILY, GIVEN = "王李张刘陈杨赵黄", ("小明", "小红", "建国", "丽华", "志强", "秀英", "海燕", "晓东")
STAFF = {
    "chen": "陈老师",
    "wu": "吴老师",
    "principal": "李校长",
    "officer": "周干事",
    "scientist": "孙分析员",
    "neighbour": "马校长",
}


def made_county(folder: Path) -> Home:
    """Registers, a model and two runs four weeks apart, by the real commands."""
    home = folder / "home"
    home.mkdir()
    registers = simulate(home / "registers", students=300, years=2, seed=3)
    runs = [["score", "--as-of", day, "--workers", "1"] for day in (BEFORE, DAY)]
    for command in (["import", str(registers)], ["train"], *runs):
        answer = dropout_risk(home, *command)
        assert answer.code in (0, 6), answer.stderr
    return Home(home)


@dataclass(frozen=True)
class Places:
    """The units of the cast: a class with listed pupils, its school, the county, another school."""

    own_class: str
    school: str
    county: str
    other_school: str


@dataclass
class Reader:
    """Somebody who is signed in; nobody without a session."""

    client: TestClient
    session: str | None

    def get(self, path: str, language: str = "en") -> Any:
        cookies = f"language={language}" + (f"; session={self.session}" if self.session else "")
        return self.client.get(
            path, headers={"accept": "text/html", "cookie": cookies}, follow_redirects=False
        )

    def post(self, path: str, language: str = "en", **form: Any) -> Any:
        cookies = f"language={language}; session={self.session}"
        headers = {"accept": "text/html", "origin": ORIGIN, "cookie": cookies}
        told = {"csrf": form_token(self.session or ""), **form}
        return self.client.post(path, data=told, headers=headers, follow_redirects=False)


@dataclass
class Played:
    """The app with its cast."""

    app: FastAPI
    places: Places
    client: TestClient

    def reader(self, login: str | None) -> Reader:
        return Reader(self.client, None if login is None else self.session(login))

    def session(self, login: str) -> str:
        """A new session, as signing in makes it."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            session = sign_in(connection, login, PASSWORD, NOW, "test")
        assert session is not None, login
        return session.opaque

    @property
    def engine(self) -> Any:
        return self.app.state.service.engine

    def mend_glass(self) -> None:
        """Nobody sees anybody in an emergency: other tests play on the same county."""
        with self.engine.begin() as connection:
            connection.execute(delete(Grant).where(Grant.kind == "break_glass"))

    @contextmanager
    def by_hand(self) -> Iterator[Connection]:
        """Changes a published list, which the program never does: lists kept in memory are forgotten."""
        with self.engine.begin() as connection:
            yield connection
        self.app.state.service.lists.forget()

    def listed(self, school: str) -> list[str]:
        """Listed pupils of a school with a score, the highest risk first."""
        query = published_scores(Score.student_id).where(
            Score.school_id == school.partition(":")[2], Score.listed, Score.risk.is_not(None)
        )
        with self.engine.connect() as connection:
            return list(connection.execute(query.order_by(Score.risk.desc())).scalars())


@contextmanager
def played(home: Home, settings: Settings = SETTINGS) -> Iterator[Played]:
    """The real app on a home, on the day after the list."""
    with open_database(home, settings, create=False) as engine, engine.begin() as connection:
        places = settle(connection)
    audit = DirectAudit(home, settings)
    app = create_app(home, settings, audit, lambda: NOW)
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=True) as client:
        yield Played(app, places, client)


def settle(connection: Any) -> Places:
    """The directory of the published pupils, and an account for each of the staff."""
    columns = (
        Score.student_id,
        Score.school_id,
        Score.class_key,
        Score.class_id,
        Score.listed,
        RunSchool.name,
    )
    rows = connection.execute(published_scores(*columns, RunSchool.county_id, RunSchool.township_id)).all()
    keys = [row.class_key for row in rows if row.listed and row.class_id]
    chosen = max(sorted(set(keys)), key=keys.count)
    first = next(row for row in rows if row.class_key == chosen)
    other = next(row.school_id for row in rows if row.school_id != first.school_id)
    places = Places(
        f"class:{chosen}", f"school:{first.school_id}", f"county:{first.county_id}", f"school:{other}"
    )
    schools = {row.school_id: (row.county_id, row.township_id, row.name) for row in rows}
    write(
        connection,
        Told(
            schools=[
                SchoolPlace(school, county, township, "52")
                for school, (county, township, _) in schools.items()
            ],
            titles={f"school:{school}": name for school, (_, _, name) in schools.items()},
            placements=[
                Placed(row.student_id, row.school_id, f"class:{row.class_key}", AUTUMN) for row in rows
            ],
            names={row.student_id: name_of(row.student_id) for row in rows},
            staff=[Employed(staff_id, name) for staff_id, name in STAFF.items()],
            posts=[
                Held("chen", places.own_class, "class_teacher", AUTUMN),
                Held("wu", places.own_class, "class_teacher", AUTUMN),
                Held("principal", places.school, "principal", AUTUMN),
                Held("officer", places.county, "county", AUTUMN),
                Held("scientist", places.county, "data_scientist", AUTUMN),
                Held("neighbour", places.other_school, "principal", AUTUMN),
            ],
        ),
    )
    _accounts(connection)
    return places


def _accounts(connection: Any) -> None:
    from serving.accounts.tables import Account

    there = set(connection.execute(select(Account.login)).scalars())
    for staff_id in STAFF:
        if staff_id not in there:
            create_account(connection, staff_id, NOW, staff_id=staff_id, password=PASSWORD)
    if "keeper" not in there:
        create_account(connection, "keeper", NOW, administrator=True, password=PASSWORD)
    connection.execute(Account.__table__.update().values(must_change=False))


def name_of(student_id: str) -> str:
    """An invented name."""
    number = int(student_id[1:])
    return FAMILY[number % 8] + GIVEN[number // 8 % 8]
