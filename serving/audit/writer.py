"""The one process that writes audit records, and who keeps it alive.

Every worker of the service sends its entries over a Unix socket of the home; what arrives while a group is
being committed is the next group, so the disk is waited for once for many. ``kill -9`` at any moment loses
nothing that was answered: its keeper starts another, and clients send again what they got no answer to.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from risk_model.home import Home
from risk_model.settings import Settings
from serving.audit.chain import Batch, Chain
from serving.audit.entries import Entry
from serving.audit.tables import AuditError, head_path, open_audit
from serving.database import waiting_lock

NAME = "dropout-risk-audit-writer"
LONGEST_SOCKET = 100
"""Bytes of a socket's path; the operating system allows 107."""
LONGEST_MESSAGE = 16 * 1024 * 1024
LARGEST_GROUP = 500
"""Messages committed together."""
GATHER_SECONDS = 0.002
"""So long a group waits for others to join it, about as long as the disk takes, if another has just gone."""
BUSY_SECONDS = 0.005
"""A group that comes so soon after another is one of many; a lone look waits for nobody."""
RESTART_AFTER = 0.2
"""Seconds before a writer that ended is started again."""


def socket_path(home: Home) -> Path:
    """Where the writer listens: in the home, or below the temporary folder if that path is too long."""
    path = home.data.absolute() / "audit.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET:
        return path
    name = hashlib.sha256(os.fsencode(home.data.resolve())).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"dropout-risk-{os.getuid()}-{name}" / "audit.sock"


@dataclass(frozen=True)
class _Waiting:
    """A client's message and where its answer goes."""

    batch: Batch
    again: bool
    answer: asyncio.Future[dict[str, Any]]


@dataclass
class _Store:
    """The chain, opened when it first can be: until then each message is answered with what is wrong."""

    home: Home
    settings: Settings
    opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    chain: Chain | None = None

    def append(self, group: list[_Waiting]) -> list[dict[str, Any]]:
        try:
            if self.chain is None:
                engine = self.opened.enter_context(open_audit(self.home, self.settings))
                self.chain = Chain(engine, head_path(self.home))
            again = frozenset(number for number, waiting in enumerate(group) if waiting.again)
            numbers = self.chain.append([waiting.batch for waiting in group], again=again)
            return [{"numbers": told} for told in numbers]
        except Exception as error:  # the edge of the process: whatever it is, each client gets its refusal
            said = str(error) if isinstance(error, AuditError) else f"The audit writer failed: {error!r}."
            return [{"error": said}] * len(group)


def run_writer(home: Home, settings: Settings, parent: Pipe | None = None) -> None:
    """Write until told to stop (SIGTERM) or ``parent``'s end of the pipe is closed, however it died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the service, which then ends the writer
    with waiting_lock(home, "audit"):
        store = _Store(home, settings)
        with store.opened:
            asyncio.run(_serve(socket_path(home), store, parent))


async def _serve(path: Path, store: _Store, parent: Pipe | None) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    if parent is not None:
        loop.add_reader(parent.fileno(), stopped.set)
    queue: asyncio.Queue[_Waiting] = asyncio.Queue()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # left by a writer that was killed; the lock says it is dead
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listening.bind(os.fspath(path))
    finally:
        os.umask(mask)
    server = await asyncio.start_unix_server(
        lambda reader, writer: _listen(reader, writer, queue),
        sock=listening,
        limit=LONGEST_MESSAGE,
        backlog=512,
    )
    with ThreadPoolExecutor(1) as disk:
        committing = asyncio.create_task(_commit(queue, store, disk))
        await stopped.wait()
        server.close()
        path.unlink(missing_ok=True)
        await queue.join()
        committing.cancel()


async def _listen(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, queue: asyncio.Queue[_Waiting]
) -> None:
    """Answer one client's messages, one after the other, each once it is on the disk."""
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        while line := await reader.readline():
            told = json.loads(line)
            batch = [(nonce, Entry(**entry)) for nonce, entry in told["entries"]]
            waiting = _Waiting(batch, told["again"], asyncio.get_running_loop().create_future())
            queue.put_nowait(waiting)
            writer.write(json.dumps(await waiting.answer).encode() + b"\n")
            await writer.drain()
    writer.close()


async def _commit(queue: asyncio.Queue[_Waiting], store: _Store, disk: ThreadPoolExecutor) -> None:
    """Take whatever has come, commit it as one group, answer it; again."""
    loop = asyncio.get_running_loop()
    ended = float("-inf")
    while True:
        group = [await queue.get()]
        if loop.time() - ended < BUSY_SECONDS:
            await asyncio.sleep(GATHER_SECONDS)
        while len(group) < LARGEST_GROUP and not queue.empty():
            group.append(queue.get_nowait())
        answers = await loop.run_in_executor(disk, store.append, group)
        ended = loop.time()
        for waiting, answer in zip(group, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)
            queue.task_done()


class WriterKeeper:
    """Keeps one writer running while its block lasts: ``with WriterKeeper(home, settings): serve()``."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self._arguments = (home, settings)
        self._ending = threading.Event()
        self._process: Any = None
        self._thread = threading.Thread(target=self._keep, name="audit-writer-keeper", daemon=True)

    @property
    def pid(self) -> int | None:
        """Of the writer that runs now."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    def __enter__(self) -> WriterKeeper:
        self._start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._mine.close()
        self._thread.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        theirs, self._mine = context.Pipe(duplex=False)
        process = context.Process(target=run_writer, args=(*self._arguments, theirs), name=NAME, daemon=True)
        process.start()
        theirs.close()
        self._process = process

    def _keep(self) -> None:
        while True:
            self._process.join()
            self._process.close()
            self._process = None
            if self._ending.wait(RESTART_AFTER):
                return
            self._mine.close()
            self._start()
