"""Who does the work of a night: this process, a pool of processes, or a Dask cluster.

All are a :class:`concurrent.futures.Executor`, so there is one way of asking. A worker that dies – of
memory, of ``kill -9``, of a lost machine – is replaced and its part done again; what it had complete stays
done (:mod:`serving.run_files`).
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

from risk_model.errors import RiskModelError, UsageError

AHEAD = 2
"""Tasks handed out per worker: the next one waits while the first is worked on."""
ATTEMPTS = 3
"""How often a task is begun whose worker dies."""
CONNECT_SECONDS = 10
GIVE_WAY = 10
"""How far workers of a night stand back behind the service on the same machine. Not who publishes: readers
would wait for a lock whose holder is not let to work."""

T = TypeVar("T")
R = TypeVar("R")


class WorkersLostError(RiskModelError):
    """Workers died again and again on the same task."""


class InProcess(Executor):
    """Works at once, in this process."""

    def submit(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """As everywhere; the answer is there when this returns."""
        future: Future[R] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@dataclass
class Workers:
    """Where work is done."""

    make: Callable[[], Executor]
    number: int
    """How many work at a time, as far as known."""

    def __post_init__(self) -> None:
        self._executor = self.make()

    def each(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        """``function`` of every task, in the order they are done; a few tasks are handed out ahead.

        Raises
        ------
        WorkersLostError
            A worker died on every one of several attempts.
        """
        waiting, begun, at_work = list(reversed(tasks)), dict.fromkeys(range(len(tasks)), 0), {}
        number = {id(task): at for at, task in enumerate(tasks)}
        while waiting or at_work:
            while waiting and len(at_work) < AHEAD * self.number:
                task = waiting.pop()
                begun[number[id(task)]] += 1
                at_work[self._submitted(function, task)] = task
            done, _ = wait(at_work, return_when=FIRST_COMPLETED)
            for future in done:
                task = at_work.pop(future)
                error = future.exception()
                if not _lost(error):
                    yield future.result()
                    continue
                if begun[number[id(task)]] >= ATTEMPTS:
                    raise WorkersLostError(_SAID_LOST) from error
                waiting.append(task)

    def _submitted(self, function: Callable[[T], R], task: T) -> Future[R]:
        try:
            return self._executor.submit(function, task)
        except BrokenExecutor:  # a pool does not survive its workers
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = self.make()
            return self._executor.submit(function, task)

    def close(self) -> None:
        """Let the processes of this machine go; what is not done is given up."""
        self._executor.shutdown(wait=True, cancel_futures=True)


_SAID_LOST = (
    f"A worker died on the same part of the night {ATTEMPTS} times; nothing was published. It may lack "
    "memory: run again with fewer --workers or a smaller --memory-limit."
)


def _lost(error: BaseException | None) -> bool:
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"


@contextmanager
def hired(processes: int, scheduler: str | None) -> Iterator[Workers]:
    """Workers for a night: of the cluster at ``scheduler``, else so many processes, one being this one.

    Raises
    ------
    UsageError
        There is no scheduler at that address.
    """
    if scheduler is not None:
        with _cluster(scheduler) as workers:
            yield workers
        return
    workers = Workers(InProcess if processes == 1 else lambda: _pool(processes), processes)
    try:
        yield workers
    finally:
        workers.close()


def _pool(processes: int) -> Executor:
    spawned = multiprocessing.get_context("spawn")  # threads of DuckDB and numba do not survive a fork
    return ProcessPoolExecutor(processes, mp_context=spawned, initializer=_begin)


def _begin() -> None:
    os.nice(GIVE_WAY)
    _end_with_parent()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next task for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for_the_end, args=(parent.sentinel,), daemon=True).start()


def _wait_for_the_end(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _demand_certificate(address: str) -> None:
    """A client of a ``tls://`` cluster shows who it is; without this Dask would stop in the middle."""
    from distributed import Security

    if address.startswith("tls://") and not Security().get_connection_args("client").get("ssl_context"):
        raise UsageError(
            f"The scheduler at {address} speaks TLS and this process has no certificate. Set "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE and …__TLS__CLIENT__CERT and …__KEY (docs/cluster.md)."
        )


@contextmanager
def _cluster(address: str) -> Iterator[Workers]:
    from distributed import Client

    _demand_certificate(address)
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"There is no Dask scheduler at {address} ({error}). Start one with 'dask scheduler' and workers "
            "with 'dask worker ADDRESS', or leave --scheduler out."
        ) from None
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise UsageError(
                f"The Dask cluster at {address} has no workers. Start some: 'dask worker {address}'."
            )
        yield Workers(lambda: client.get_executor(pure=False), threads)
    finally:
        client.close()
