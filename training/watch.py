"""Stages of long work: progress for a person, seconds for the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from risk_model.command.surface import Office


class Watch:
    """Shows progress of each stage on the terminal and keeps how long it took."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._started = perf_counter()
        self.stages: dict[str, float] = {}
        """Seconds by name of the stage."""

    @property
    def seconds(self) -> float:
        """Seconds since the work began."""
        return perf_counter() - self._started

    @contextmanager
    def stage(self, name: str, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A stage of ``total`` steps; the yielded function advances it."""
        started = perf_counter()
        with self._office.progress(what, total) as advance:
            yield advance
        self.stages[name] = self.stages.get(name, 0.0) + perf_counter() - started
