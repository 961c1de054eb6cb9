"""Stages of long work: progress for a person or a log, seconds, rows and memory for the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from risk_model.accounts import Accounts


class Watch:
    """Shows progress of each stage and keeps what it took."""

    def __init__(self, accounts: Accounts | None = None) -> None:
        self._accounts = accounts or Accounts()
        self._started = perf_counter()

    @property
    def stages(self) -> dict[str, Any]:
        """``seconds``, ``rows`` (steps) and ``peak_memory_mb`` by name of the stage."""
        stages: dict[str, Any] = self._accounts.document(())["stages"]
        return stages

    @property
    def peak_memory_mb(self) -> float:
        """The most this process held so far."""
        return float(self._accounts.document(())["peak_memory_mb"])

    @property
    def seconds(self) -> float:
        """Seconds since the work began."""
        return perf_counter() - self._started

    @contextmanager
    def stage(self, name: str, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A stage of ``total`` steps; the yielded function advances it."""
        with self._accounts.stage(name, what, total) as stage:
            yield stage.count
