"""A throw-away PostgreSQL cluster: in a folder of its own, on a socket only, gone when it is done with."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic, sleep

import psycopg
from sqlalchemy import make_url

_NUMBERS = count(1)
OTHER_USER = "nobody"
"""Whom the server runs as where the tests run as root, which it refuses."""
STARTS_WITHIN = 60
"""Seconds."""


@dataclass(frozen=True)
class Cluster:
    """A running server; its socket lies in ``folder``."""

    folder: Path
    user: str

    def new_database(self, tablespace: str = "pg_default") -> str:
        """The URL of an empty database."""
        name = f"office{next(_NUMBERS)}"
        self.run(f"create database {name} tablespace {tablespace}")
        return f"postgresql://{self.user}@/{name}?host={self.folder}"

    @contextmanager
    def database_on(self, folder: Path) -> Iterator[str]:
        """The URL of an empty database whose tables lie in ``folder``, until the block ends."""
        if os.getuid() == 0:
            shutil.chown(folder, OTHER_USER)
        space = f"space{next(_NUMBERS)}"
        self.run(f"create tablespace {space} location '{folder}'")
        url = self.new_database(space)
        try:
            yield url
        finally:
            self.run(f"drop database {make_url(url).database}")
            self.run(f"drop tablespace {space}")

    def run(self, statement: str) -> None:
        """Run ``statement`` as the server's owner."""
        with psycopg.connect(
            host=str(self.folder), user=self.user, dbname="postgres", autocommit=True
        ) as con:
            con.execute(statement)


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL on this machine, or none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(installed, key=lambda path: int(path.parts[-3]), default=None)
    return newest.parent if newest else None


@contextmanager
def running_cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Start a cluster and stop it again; ``durable`` makes it wait for the disk as a real one does.

    Raises
    ------
    FileNotFoundError
        PostgreSQL is not installed.
    """
    folder = binaries()
    if folder is None:
        raise FileNotFoundError("PostgreSQL is not installed; .ci/run installs what the tests need.")
    # Not below a test's own folder: the server runs as another user, who may not enter there, and the path
    # of a socket has at most 107 characters.
    home = Path(tempfile.mkdtemp(prefix="cluster-", dir="/tmp"))
    user = OTHER_USER if os.getuid() == 0 else ""
    other = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"] if user else []
    if user:
        shutil.chown(home, user, "nogroup")
    try:
        data = ["-D", str(home / "data")]
        initdb = [*other, str(folder / "initdb"), *data, "--username=office", "--auth=trust", "--no-sync"]
        subprocess.run(
            [*initdb, "--encoding=UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, cwd="/"
        )
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={home}"]
        options += [] if durable else ["-c", "fsync=off"]
        with open(home / "log", "wb") as log:
            server = subprocess.Popen(
                [*other, str(folder / "postgres"), *data, *options], stdout=log, stderr=log, cwd="/"
            )
        try:
            _wait_for(home, server)
            yield Cluster(home, "office")
        finally:
            server.terminate()  # lets sessions end; those of a test that failed are ended below
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.send_signal(3)
                server.wait(30)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait_for(home: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + STARTS_WITHIN
    while True:
        try:
            psycopg.connect(host=str(home), user="office", dbname="postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None or monotonic() > deadline:
                raise RuntimeError((home / "log").read_text()) from None
            sleep(0.05)
        else:
            return
