"""How long work is shown: bars on a terminal, one JSON object a line in a log, or nothing but sentences.

A line of the log has ``time`` (UTC), ``level``, ``event``, ``command``, ``run`` and, where they are known,
``stage``, ``rows``, ``seconds``; a sentence for people stands in ``message``. ``run`` is the same for all
that one call of ``dropout-risk`` does. No line names a pupil.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from risk_model.accounts import Stage, Watcher, unwatched

ADVANCED_SECONDS = 15.0
"""A log is told of progress within a stage so often at most."""


@dataclass
class Log:
    """Structured lines on stderr, of one command."""

    command: str
    run: str

    def line(self, event: str, level: str = "info", **told: Any) -> None:
        """Write one line; what is None is left out."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "command": self.command,
            "run": self.run,
        }
        entry |= {name: value for name, value in told.items() if value is not None}
        print(json.dumps(entry, ensure_ascii=False), file=sys.stderr, flush=True)

    def watcher(self) -> Watcher:
        """Writes stages as they begin, go on and end."""
        last = perf_counter()

        def watch(event: str, stage: Stage, seconds: float | None) -> None:
            nonlocal last
            now = perf_counter()
            if event == "advanced" and now - last < ADVANCED_SECONDS:
                return
            last = now
            taken = None if seconds is None else round(seconds, 3)
            self.line(event, stage=stage.name, rows=stage.booked or None, total=stage.total, seconds=taken)

        return watch


@contextmanager
def bars() -> Iterator[Watcher]:
    """A bar for each stage that is open, on the terminal, gone when it is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[int, Any] = {}

        def watch(event: str, stage: Stage, _seconds: float | None) -> None:
            if event == "begun":
                tasks[id(stage)] = progress.add_task(stage.what, total=stage.total)
            elif event == "advanced":
                progress.update(tasks[id(stage)], completed=stage.done)
            else:
                progress.remove_task(tasks.pop(id(stage)))

        yield watch


@contextmanager
def watching(log: Log | None, *, terminal: bool) -> Iterator[Watcher]:
    """Who is told of stages: the log where there is one, else the terminal, else nobody."""
    if log is not None:
        yield log.watcher()
    elif terminal:
        with bars() as watcher:
            yield watcher
    else:
        yield unwatched
