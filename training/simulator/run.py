"""All townships of a plan, on one process or several, into one folder; the same bytes either way."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from risk_model.errors import UsageError
from training.simulator.files import Encoded, Folder, Output, encode
from training.simulator.layout import Plan
from training.simulator.township import simulate_township

_AHEAD = 2
"""Townships that may wait per process, so that memory does not grow with their number."""


@dataclass(frozen=True)
class Report:
    """What was written."""

    rows: dict[str, int]
    """Rows of each file, by its path within the folder."""

    @property
    def files(self) -> list[str]:
        return sorted(self.rows)


def simulate_into(
    folder: Path,
    plan: Plan,
    output: Output,
    *,
    workers: int = 1,
    advance: Callable[[int], None] = lambda townships: None,
) -> Report:
    """Write the registers of ``plan`` into ``folder`` and the truth into ``folder/truth``.

    Raises
    ------
    UsageError
        The folder holds something already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty. Name a new folder, or empty this one first.")
    with Folder(folder, output) as files:
        for parts in _townships(plan, output, workers):
            for name, pieces in parts.items():
                for columns, rows, part in pieces:
                    files.append(name, columns, rows, part)
            advance(1)
    return Report(files.rows)


def encoded_township(plan: Plan, output: Output, index: int) -> Encoded:
    """Township ``index``, ready to be appended; empty parts are left out."""
    tables = simulate_township(plan, index)
    return {
        name: [(table.column_names, len(table), encode(output, name, table)) for table in parts if len(table)]
        for name, parts in tables.items()
    }


def _townships(plan: Plan, output: Output, workers: int) -> Iterator[Encoded]:
    indexes = iter(range(plan.township_count))
    if workers == 1:
        yield from (encoded_township(plan, output, index) for index in indexes)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: deque[Future[Encoded]] = deque(
            pool.submit(encoded_township, plan, output, index) for index in islice(indexes, workers * _AHEAD)
        )
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(encoded_township, plan, output, index) for index in islice(indexes, 1))
