"""How the rest of the service records: through the one writer, or in this process under the writer's lock."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, BinaryIO

from sqlalchemy import Connection, Engine

from risk_model.errors import LockHeldError
from risk_model.home import Home
from risk_model.settings import Settings
from serving.audit.chain import Batch, Chain, with_nonces
from serving.audit.entries import Entry
from serving.audit.tables import AuditError, head_path, open_audit
from serving.audit.writer import socket_path

PATIENCE = 10.0
"""Seconds a request waits for a writer that is being started again."""


class _Readable:
    """The records, read apart from any transaction of the service database."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self.home = home
        self.settings = settings
        self._opened = ExitStack()
        self._opening = threading.Lock()
        self._engine: Engine | None = None

    def close(self) -> None:
        """Let go of the database of the records."""
        self._opened.close()
        self._engine = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to the records, for ``looks_at``; close it soon, the writer may wait for it."""
        with self.engine().connect() as connection:
            yield connection

    def engine(self) -> Engine:
        """The database of the records, opened once."""
        with self._opening:
            if self._engine is None:
                self._engine = self._opened.enter_context(open_audit(self.home, self.settings))
            return self._engine


class AuditClient(_Readable):
    """A client of the writer process; safe to share by threads, and after a fork."""

    def __init__(self, home: Home, settings: Settings, patience: float = PATIENCE) -> None:
        super().__init__(home, settings)
        self._patience = patience
        self._idle: list[_Line] = []
        self._process = os.getpid()
        self._socket = socket_path(home)

    def record(self, entries: Sequence[Entry]) -> list[int]:
        """Write the entries; their numbers, once they are on the disk.

        Blocks: call it from a thread of its own in asynchronous code.

        Raises
        ------
        AuditError
            They are not written, or nobody knows: then nothing must be shown or changed.
        """
        return self.send(with_nonces(entries)) if entries else []

    def close(self) -> None:
        """Let go of the writer and of the database of the records."""
        super().close()
        while self._idle:
            self._idle.pop().close()

    def send(self, batch: Batch) -> list[int]:
        """As :meth:`record`, of entries that have their nonces."""
        deadline = monotonic() + self._patience
        again = False
        pause = 0.02
        while True:
            line = self._take()
            try:
                line.connect(self._socket, max(deadline - monotonic(), 0.01))
                sent, again = again, True
                answer = line.ask(batch, again=sent)
            except OSError as error:
                line.close()
                if monotonic() >= deadline:
                    raise AuditError(
                        f"The audit writer does not answer ({error}). Nothing was shown; try again."
                    ) from error
                sleep(pause)
                pause = min(2 * pause, 0.3)  # all requests wait for a writer that is starting: leave it room
            except BaseException:
                line.close()
                raise
            else:
                self._idle.append(line)
                break
        if "error" in answer:
            raise AuditError(answer["error"])
        return list(answer["numbers"])

    def _take(self) -> _Line:
        """A line nobody uses; those from before a fork are the parent's."""
        if self._process != os.getpid():
            self._process, theirs, self._idle = os.getpid(), self._idle, []
            for line in theirs:
                line.close()
        try:
            return self._idle.pop()
        except IndexError:
            return _Line()


class _Line:
    """A connection to the writer, for one message after the other."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._answers: BinaryIO | None = None

    def connect(self, path: Path, seconds: float) -> None:
        """Connect to the writer unless it is; from then on nothing is waited for longer than ``seconds``."""
        if self._answers is None:
            self._socket.settimeout(seconds)
            self._socket.connect(os.fspath(path))
            self._answers = self._socket.makefile("rb")

    def ask(self, batch: Batch, *, again: bool) -> dict[str, Any]:
        """Send a batch; the writer's answer."""
        message = {"again": again, "entries": [[nonce, vars(entry)] for nonce, entry in batch]}
        self._socket.sendall(json.dumps(message).encode() + b"\n")
        line = self._answers.readline() if self._answers is not None else b""
        if not line.endswith(b"\n"):
            raise ConnectionResetError("it ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        if self._answers is not None:
            self._answers.close()
        self._socket.close()


class DirectAudit(_Readable):
    """The same chain written in this process: for commands, and small tests.

    While a service runs its writer holds the lock, and the entries go to it.
    """

    def record(self, entries: Sequence[Entry], patience: float = PATIENCE) -> list[int]:
        """As :meth:`AuditClient.record`."""
        deadline = monotonic() + patience
        batch = with_nonces(entries)
        while batch:
            try:
                with self.home.lock("audit"):
                    return Chain(self.engine(), head_path(self.home)).append([batch])[0]
            except LockHeldError as held:
                try:
                    with closing(AuditClient(self.home, self.settings, patience=0.5)) as writer:
                        return writer.send(batch)
                except AuditError as error:
                    if monotonic() >= deadline:
                        raise error from held
        return []
