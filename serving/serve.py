"""The command ``serve``: the audit's writer, the directory kept new, and uvicorn with its workers."""

from __future__ import annotations

import ipaddress
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from risk_model.command.surface import Office, Result, command
from risk_model.errors import MissingError, RiskModelError, UsageError

if TYPE_CHECKING:
    from risk_model.home import Home
    from risk_model.settings import Settings

STARVED_SECONDS = 60
"""So long a worker may leave its keeper without an answer before it is ended and replaced: a machine that
makes tonight's list may let one wait for many seconds, and all it was answering would be lost."""
ARENAS = "2"
"""Heaps of a process with many threads (glibc): by itself it makes eight a processor; each keeps what was
freed in it, and a worker grew by a tenth within minutes."""
REFRESH_SECONDS = 300.0
"""How often it is asked whether the lake has moved on; an import tells of new staff and new classes."""


@command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that answer."
)
@click.option("--database-url", metavar="URL", help="Service database. [default: setting]")
def serve(office: Office, host: str, port: int, workers: int, database_url: str | None) -> Result:
    """API and pages, until stopped. Put a proxy with TLS before it: its cookies are kept over https only."""
    if database_url is not None:  # where the workers read it, too
        os.environ["DROPOUT_RISK_DATABASE_URL"] = database_url
    settings = office.settings
    demand_safe(host, settings)
    with ready(office.home, settings, office.say), ExitStack() as stack:
        for name, value in told_to_workers(office, workers, stack).items():
            os.environ[name] = value
        office.say(f"Serving at http://{host}:{port} with {workers} worker(s); stop with Ctrl-C.")
        run(host, port, workers)
    return Result({"stopped": True}, "Stopped.")


def run(host: str, port: int, workers: int) -> None:
    """Answer requests until a signal comes. No access log: addresses of requests name pupils."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from serving.shared_port import SharedPort

    config = uvicorn.Config(
        "serving.app:app_of_worker",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_worker_healthcheck=STARVED_SECONDS,
    )
    if workers == 1:
        uvicorn.Server(config).run()
        return
    with SharedPort.held(host, port) as held:
        Multiprocess(config, sockets=[held]).run()


@contextmanager
def ready(home: Home, settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Database at the newest schema, directory read, the one writer of the audit running, for the block."""
    from serving.audit.writer import WriterKeeper
    from serving.database import open_database

    with open_database(home, settings) as engine:
        keeper = DirectoryKeeper(lambda: _refresh(home, settings, engine), say)
        with WriterKeeper(home, settings), keeper.running():
            yield


class DirectoryKeeper:
    """Takes staff, posts and placements from the registers at the start, and whenever the lake moved."""

    def __init__(
        self, refresh: Callable[[], None], say: Callable[[str], None], every: float = REFRESH_SECONDS
    ) -> None:
        self._refresh = refresh
        self._say = say
        self._every = every
        self._ending = threading.Event()
        self._said = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Read the directory, then keep it new in a thread."""
        self._once()
        thread = threading.Thread(target=self._keep, name="directory", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join()

    def _keep(self) -> None:
        while not self._ending.wait(self._every):
            self._once()

    def _once(self) -> None:
        """A failure leaves the directory as it was, and is said once."""
        try:
            self._refresh()
            self._said = ""
        except RiskModelError as error:
            if str(error) != self._said:
                self._say(f"Staff and classes stay as they were: {error}")
            self._said = str(error)


def _refresh(home: Home, settings: Settings, engine: object) -> None:
    from serving.directory.refreshing import refresh_directory

    try:
        refresh_directory(home, settings, engine)  # type: ignore[arg-type]
    except MissingError:  # nothing imported yet, or served where the lake is not: what `score` wrote counts
        return


def told_to_workers(office: Office, workers: int, stack: ExitStack) -> dict[str, str]:
    """What workers read from their environment."""
    from serving.web.variables import CONFIG, COUNTS, HOME

    told = {HOME: str(office.home.folder.resolve()), CONFIG: str(office.config.resolve())}
    told["MALLOC_ARENA_MAX"] = os.environ.get("MALLOC_ARENA_MAX", ARENAS)
    if workers > 1:
        told[COUNTS] = stack.enter_context(tempfile.TemporaryDirectory(prefix="dropout-risk-counts-"))
    return told


def demand_safe(host: str, settings: Settings) -> None:
    """Raise UsageError for cookies without protection anywhere but on this machine.

    >>> from risk_model.settings import Settings
    >>> demand_safe("0.0.0.0", Settings())
    """
    if settings.service.plain_http and not _is_loopback(host):
        raise UsageError(
            f"[service] plain_http is for trying out on one machine; {host} is reached from others. "
            "Take it away and put a proxy with TLS before the service, or listen on 127.0.0.1."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
