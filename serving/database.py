"""Opening the service database: SQLite in the home by default, any SQLAlchemy URL by configuration."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from risk_model.errors import LockHeldError, MissingError, RiskModelError, UsageError
from risk_model.home import Home
from risk_model.settings import Settings

MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_SECONDS = 30
"""How long a connection waits for another's transaction, and a reader for another's upgrade."""
ADVICE = {
    "disk is full": "free space on its disk and run again",
    "no space left": "free space on its disk and run again",
    "readonly": "make its folder writable and run again",
    "read-only": "make its folder writable and run again",
    "unable to open": "make its folder writable and run again",
}
"""What to do, by words of SQLite and PostgreSQL."""


class DatabaseError(RiskModelError):
    """The service database cannot be reached or answered with an error."""


def url_of(home: Home, settings: Settings) -> str:
    """The configured database, or the home's own SQLite file."""
    return settings.database_url or f"sqlite:///{home.service_database}"


@contextmanager
def open_database(home: Home, settings: Settings, *, create: bool = True) -> Iterator[Engine]:
    """The service database at the newest schema; upgraded on first use, one process at a time.

    Raises
    ------
    MissingError
        ``create`` is false and nothing was ever published here.
    DatabaseError
        The database cannot be reached, or refused a statement.
    """
    if not create and settings.database_url is None and not home.service_database.exists():
        raise MissingError("Nothing is published yet. Run 'dropout-risk score' first.")
    home.data.mkdir(parents=True, exist_ok=True)
    if settings.database_url is None and not home.service_database.exists():  # it may lie on a read-only disk
        home.service_database.touch(mode=0o600)  # minors' data: the owner's alone
    engine = connect(url_of(home, settings))
    try:
        upgrade(engine, home)
        yield engine
    except SQLAlchemyError as error:
        said = _first_line(error)
        raise DatabaseError(f"{said}. Nothing new was published; {_advice(said)}.") from error
    finally:
        engine.dispose()


def connect(url: str) -> Engine:
    """An engine for ``url``; SQLite gets durable transactions and waits instead of failing."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        raise UsageError(
            "database_url is not a database URL; write it like postgresql://host/name."
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        return create_engine(parsed, connect_args={"connect_timeout": BUSY_SECONDS})
    if parsed.get_backend_name() != "sqlite":
        raise UsageError(
            f"database_url names {parsed.drivername}; the service database is SQLite or PostgreSQL. "
            "Write it like postgresql://host/name, or leave it out."
        )
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads before it writes: on SQLite the one write lock is waited for at its start.

    Else another's commit, which waits for readers to end, and the first write of this one would stand in
    each other's way, and SQLite fails this one at once, however long it was told to wait.
    """
    with engine.execution_options(writes=True).begin() as connection:
        yield connection


def will_write(connection: Connection) -> None:
    """Make a transaction a writing one from its first statement on: SQLite refuses one that reads before."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("update alembic_version set version_num = version_num where false")


def _begin_sqlite(connection: Connection) -> None:
    """Begin; with the execution option ``writes`` the file's one write lock is waited for at once.

    Two that both read first and write then would stand in each other's way, and one of them fail.
    """
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("begin immediate" if writes else "begin")


def wal_is_safe(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite is free of the WAL-reset corruption (https://sqlite.org/wal.html).

    >>> wal_is_safe((3, 40, 1)), wal_is_safe((3, 50, 7)), wal_is_safe((3, 51, 2)), wal_is_safe((3, 51, 3))
    (False, True, False, True)
    """
    backports = {(3, 44): 6, (3, 50): 7}
    return version >= (3, 51, 3) or version[2] >= backports.get(version[:2], version[2] + 1)


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = (
        None  # Python's driver would leave changes of the schema outside the transaction
    )
    journal = "WAL" if wal_is_safe() else "DELETE"
    cursor = connection.cursor()
    for pragma in (
        f"journal_mode = {journal}",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
    ):
        cursor.execute(f"pragma {pragma}").fetchall()
    cursor.close()


def upgrade(engine: Engine, home: Home) -> None:
    """Bring the schema to the newest revision; a database already there is only looked at."""
    if _revision(engine) == _newest():
        return
    with waiting_lock(home, "service"):
        if _revision(engine) == _newest():
            return
        from alembic import command

        configuration = _configuration()
        with writing(engine) as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("select version_num from alembic_version").scalar()


def _newest() -> str:
    """The newest revision; revisions are files named by number, so no import of Alembic is needed."""
    return max(path.stem for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).split("_")[0]


def _configuration() -> Any:
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    configuration.set_main_option("path_separator", "os")
    return configuration


@contextmanager
def waiting_lock(home: Home, name: str) -> Iterator[None]:
    """The lock ``name``, waited for: an upgrade takes a second."""
    deadline = monotonic() + BUSY_SECONDS
    while True:
        try:
            holding = home.lock(name)
            holding.__enter__()
        except LockHeldError:
            if monotonic() > deadline:
                raise
            sleep(0.05)
        else:
            break
    try:
        yield
    finally:
        holding.__exit__(None, None, None)


def _advice(said: str) -> str:
    """What to do about what the database said.

    >>> _advice("database or disk is full")
    'free space on its disk and run again'
    """
    for word, advice in ADVICE.items():
        if word in said.lower():
            return advice
    return "check the database and run again"


def _first_line(error: SQLAlchemyError) -> str:
    """What the database said, without the statement and its parameters (they hold pupils)."""
    said = getattr(error, "orig", None) or error
    return f"The service database answered: {str(said).splitlines()[0].rstrip('.')}"
