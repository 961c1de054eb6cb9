"""The table of records, and what refuses to change it; where it lies, and how it is opened.

On SQLite it is a file of its own, ``data/audit.db``: there one writer locks a whole file, and a request
that holds a transaction of the service database open would wait for its own record for ever. On PostgreSQL
it is a table of the service database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import BigInteger, Connection, DateTime, Engine, Index, Integer, String, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from risk_model.errors import RiskModelError
from risk_model.home import Home
from risk_model.settings import Settings
from serving.access.second_wall import ROLE
from serving.tables import Digest, Identifier

SCHEMA_LOCK = 0x6472_6B73
"""PostgreSQL's advisory lock under which the table is made."""
TRIGGERS = ("audit_records_no_update", "audit_records_no_delete", "audit_records_no_truncate")
REFUSAL = "audit records are never changed or deleted"


class AuditError(RiskModelError):
    """The record of a look or change cannot be written or read, so there is no answer either."""


class AuditTables(DeclarativeBase):
    """Tables of the audit, apart from those of the service database."""


class Record(AuditTables):
    """One look or change. ``id`` counts from 1 without a gap."""

    __tablename__ = "audit_records"
    __table_args__ = (
        Index("audit_records_of_student", "student_id", "id"),
        Index("audit_records_at", "at"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime] = mapped_column(DateTime)
    """UTC, microseconds."""
    nonce: Mapped[str] = mapped_column(String(32))
    """Drawn by the client, so that what it sends a second time is not written a second time."""
    account_id: Mapped[int | None] = mapped_column(BigInteger)
    system_user: Mapped[str | None] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(32))
    student_id: Mapped[str | None] = mapped_column(Identifier)
    unit: Mapped[str | None] = mapped_column(String(300))
    role: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(String(500))
    previous: Mapped[str] = mapped_column(Digest)
    hash: Mapped[str] = mapped_column(Digest)


def head_path(home: Home) -> Path:
    """Where the number and hash of the newest answered record are kept, outside the database."""
    return home.data / "audit.head"


@contextmanager
def open_audit(home: Home, settings: Settings) -> Iterator[Engine]:
    """The database of the records; its table and triggers are made on first use.

    Raises
    ------
    AuditError
        It cannot be opened.
    """
    from serving.database import connect

    home.data.mkdir(parents=True, exist_ok=True)
    path = home.data / "audit.db"
    try:
        if settings.database_url is None or settings.database_url.startswith("sqlite"):
            path.touch(mode=0o600)
            engine = connect(f"sqlite:///{path}")
        else:
            engine = connect(settings.database_url)
    except OSError as error:
        raise AuditError(
            f"The audit record cannot be opened: {error.strerror}. Make {home.data} writable."
        ) from error
    try:
        make_tables(engine)
        yield engine
    finally:
        engine.dispose()


def make_tables(engine: Engine) -> None:
    """Make the table and the triggers that refuse update and delete, unless they are there.

    Raises
    ------
    AuditError
        The database cannot be reached or written.
    """
    try:
        if inspect(engine).has_table(Record.__tablename__):
            return
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"select pg_advisory_xact_lock({SCHEMA_LOCK})")
            if not inspect(connection).has_table(Record.__tablename__):
                AuditTables.metadata.create_all(connection)
                for statement in _refusals(engine.dialect.name):
                    connection.exec_driver_sql(statement)
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
        raise AuditError(
            f"The audit record cannot be opened: {said}. Check its database and try again."
        ) from error


def triggers_of(connection: Connection) -> set[str]:
    """Names of the triggers that stand on the table and are in force."""
    if connection.dialect.name == "postgresql":
        query = (
            "select tgname from pg_trigger where tgrelid = 'audit_records'::regclass "
            "and not tgisinternal and tgenabled in ('O', 'A')"
        )
    else:
        query = "select name from sqlite_master where type = 'trigger' and tbl_name = 'audit_records'"
    return set(connection.exec_driver_sql(query).scalars())


def triggers_wanted(dialect: str) -> set[str]:
    """SQLite knows no truncation apart from deletion."""
    return set(TRIGGERS) if dialect == "postgresql" else set(TRIGGERS[:2])


def _refusals(dialect: str) -> Iterator[str]:
    verbs = ("update", "delete", "truncate")
    if dialect != "postgresql":
        for trigger, verb in zip(TRIGGERS[:2], verbs, strict=False):
            yield (
                f"create trigger {trigger} before {verb} on audit_records "
                f"begin select raise(abort, '{REFUSAL}'); end"
            )
        return
    yield (
        f"do $$ begin if exists (select from pg_roles where rolname = '{ROLE}') then "
        f"revoke all on audit_records from {ROLE}; end if; end $$"
    )  # requests neither read nor write it: the writer does
    yield (
        "create or replace function audit_records_refuse() returns trigger language plpgsql as "
        f"$$ begin raise exception '{REFUSAL}'; end $$"
    )
    for trigger, verb in zip(TRIGGERS, verbs, strict=True):
        yield (
            f"create trigger {trigger} before {verb} on audit_records "
            "for each statement execute function audit_records_refuse()"
        )
