"""What every request finds at ``request.app.state.service``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from starlette.requests import HTTPConnection

from risk_model.home import Home
from risk_model.settings import Settings
from serving.access.deciding import Viewer
from serving.access.second_wall import database_identity
from serving.audit.entries import Entry
from serving.hot_model import HotModel
from serving.kept_lists import KeptLists
from serving.open_registers import OpenRegisters

Found = TypeVar("Found")


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


class Audit(Protocol):
    """Writes down who looked at whom; returns once it is durable."""

    def record(self, entries: Sequence[Entry]) -> list[int]: ...


@dataclass(frozen=True)
class Service:
    """The parts of a running service; one for each worker process."""

    home: Home
    settings: Settings
    engine: Engine
    model: HotModel
    audit: Audit
    clock: Callable[[], datetime] = now
    """What time it is, in UTC."""
    lists: KeptLists = field(default_factory=KeptLists)
    registers: OpenRegisters = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "registers", OpenRegisters(self.home, self.settings))


def service_of(request: HTTPConnection) -> Service:
    """The service that answers this request."""
    found: Service = request.app.state.service
    return found


@contextmanager
def transaction_as(
    service: Service, viewer: Viewer | None, at: datetime, *, writes: bool = False
) -> Iterator[Connection]:
    """A transaction in which PostgreSQL's row-level security knows who asks; nobody without a viewer."""
    with service.engine.connect().execution_options(writes=writes) as connection, connection.begin():
        if viewer is not None:
            database_identity(connection, viewer, at)
        yield connection


def steadily(service: Service, at: datetime, work: Callable[[Connection], Found]) -> Found:
    """Do what seldom writes in a reading transaction, or again in a writing one if SQLite has no room."""
    try:
        with transaction_as(service, None, at) as connection:
            return work(connection)
    except OperationalError:
        with transaction_as(service, None, at, writes=True) as connection:
            return work(connection)
