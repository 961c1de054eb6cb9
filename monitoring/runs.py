"""The runs of the service database, as monitoring reads them: never a name, never written to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import Connection, MetaData, Select, Table, create_engine, func, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from risk_model.errors import MissingError, RiskModelError
from risk_model.home import Home
from risk_model.settings import Settings

COMPLETE = ("published", "stored", "refused")
TABLES = ("runs", "run_schools", "scores", "published")
PARTITION = 50_000
KEPT = 2
BUSY_SECONDS = 60
"""SQLite is locked while a list is published; a night is not given up for that."""
SCORE_COLUMNS = ("student_id", "school_id", "class_key", "grade", "status", "risk", "listed")


class ServiceUnreadableError(RiskModelError):
    """The service database cannot be read."""


@dataclass(frozen=True)
class StoredRun:
    """One complete run."""

    id: int
    key: str
    as_of: date
    model_version: str
    model_digest: str
    base: float | None
    features: tuple[str, ...]
    state: str
    document: dict[str, Any]


@dataclass(frozen=True)
class Service:
    """The service database, open for reading."""

    connection: Connection
    tables: dict[str, Table]
    _read: dict[int, pd.DataFrame] = field(default_factory=dict)
    """Scores by run, those of :data:`KEPT` runs: several questions ask for the same."""

    def runs(self, until: date) -> list[StoredRun]:
        """Complete runs up to ``until``, oldest first; of a day the one finished last."""
        runs = self.tables["runs"]
        asked = select(runs).where(runs.c.state.in_(COMPLETE), runs.c.as_of <= until)
        rows = self.connection.execute(asked.order_by(runs.c.as_of, runs.c.id)).mappings()
        newest = {row["as_of"]: row for row in rows}
        return [_run(row) for row in newest.values()]

    def scores(self, run: StoredRun) -> pd.DataFrame:
        """Everybody of a run: the columns of ``SCORE_COLUMNS`` and ``county_id``, not to be written into.

        The last :data:`KEPT` that were asked for are read once.
        """
        if run.id not in self._read:
            while len(self._read) >= KEPT:
                self._read.pop(next(iter(self._read)))
            self._read[run.id] = self._scores(run)
        return self._read[run.id]

    def _scores(self, run: StoredRun) -> pd.DataFrame:
        scores = self.tables["scores"]
        asked = select(*(scores.c[name] for name in SCORE_COLUMNS)).where(scores.c.run == run.id)
        frame = _scores_frame(_as_driver_tells(self.connection, asked))
        county = self.schools(run).set_index("school_id")["county_id"]
        return frame.assign(county_id=frame["school_id"].map(county).astype(frame["school_id"].dtype))

    def schools(self, run: StoredRun) -> pd.DataFrame:
        """The schools of a run: ``school_id, county_id, name, pupils, held_back``."""
        schools = self.tables["run_schools"]
        names = ("school_id", "county_id", "name", "pupils", "held_back")
        asked = select(*(schools.c[name] for name in names)).where(schools.c.run == run.id)
        return _frame(list(self.connection.execute(asked)), names)

    def lists_live(self) -> pd.DataFrame:
        """``school_id`` and ``as_of`` of the list each school's readers see now."""
        published, runs = self.tables["published"], self.tables["runs"]
        asked = select(published.c.school_id, runs.c.as_of).join_from(
            published, runs, runs.c.id == published.c.run
        )
        return _frame(list(self.connection.execute(asked)), ("school_id", "as_of"))

    def pupils(self, run: StoredRun) -> int:
        scores = self.tables["scores"]
        asked = select(func.count()).select_from(scores).where(scores.c.run == run.id)
        return int(self.connection.execute(asked).scalar_one())


@contextmanager
def open_service(home: Home, settings: Settings) -> Iterator[Service]:
    """The service database of ``home``, for reading.

    Raises
    ------
    MissingError
        Nothing was ever scored here.
    ServiceUnreadableError
        The database cannot be reached, or has not the tables of this version.
    """
    if settings.database_url is None and not home.service_database.exists():
        raise MissingError("Nothing has been scored yet. Run 'dropout-risk score' first.")
    url = _url(home, settings)
    lite = make_url(url).get_backend_name() == "sqlite"
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS} if lite else {})
    try:
        metadata = MetaData()
        metadata.reflect(engine, only=TABLES)
        with engine.connect() as connection:
            yield Service(connection, dict(metadata.tables))
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
        raise ServiceUnreadableError(
            f"The service database answered: {said}. Run 'dropout-risk score' first, which brings it to "
            "this version, or check database_url."
        ) from error
    finally:
        engine.dispose()


def _url(home: Home, settings: Settings) -> Any:
    if settings.database_url is None:
        return f"sqlite:///{home.service_database}"
    url = make_url(settings.database_url)
    return url.set(drivername="postgresql+psycopg") if url.drivername.startswith("postgres") else url


def _run(row: Any) -> StoredRun:
    return StoredRun(
        row["id"],
        row["key"],
        _day(row["as_of"]),
        row["model_version"],
        row["model_digest"],
        row["base"],
        tuple(json.loads(row["features"] or "[]")),
        row["state"],
        json.loads(row["document"] or "{}"),
    )


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def _as_driver_tells(connection: Connection, asked: Select[Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Rows, a partition at a time, without an object of SQLAlchemy's around each: they are millions."""
    statement = str(asked.compile(connection, compile_kwargs={"literal_binds": True}))
    driver: Any = connection.connection
    # A named cursor stays with the server: without a name psycopg fetches everything at once.
    named = ("scores",) if connection.dialect.name == "postgresql" else ()
    with closing(driver.cursor(*named)) as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(PARTITION):
            yield rows


def _scores_frame(parts: Iterable[list[tuple[Any, ...]]]) -> pd.DataFrame:
    """Columns of Arrow, which pandas takes over: a tenth of the memory of texts of Python."""
    import pyarrow as pa

    kinds = {"grade": pa.int64(), "risk": pa.float64(), "listed": pa.bool_()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in SCORE_COLUMNS])
    batches = []
    for rows in parts:
        told = dict(zip(SCORE_COLUMNS, zip(*rows, strict=True), strict=True))
        told["listed"] = tuple(map(bool, told["listed"]))  # a number in SQLite
        batches.append(pa.record_batch([pa.array(told[one.name], one.type) for one in schema], schema))
    frame: pd.DataFrame = pa.Table.from_batches(batches, schema).to_pandas()
    return frame


def _frame(rows: Any, names: tuple[str, ...]) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pd.DataFrame({name: list(column) for name, column in zip(names, columns, strict=True)})
