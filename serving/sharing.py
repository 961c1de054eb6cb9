"""How a night is shared out: into which parts, to how many processes, with how much memory each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from risk_model.parts import Part, counties_of, left_by_movers, plan
from risk_model.settings import Settings, size_in_bytes

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake
    from serving.nightly import Order

FIXED = 500 << 20
"""Bytes a process takes before the first pupil: libraries, the model, its tables."""
PER_PUPIL = 16 << 10
"""Bytes a pupil takes at the peak of a part, DuckDB's share included; see ``docs/measurements.md``."""
DUCKDB_SHARE = 0.5
"""Of a process's memory what DuckDB may use before it spills; the rest is numpy's."""
WORTH_SHARING = 60_000
"""Pupils below which one process is done before a second one has started."""
COORDINATOR = "500MB"
"""What DuckDB may hold in the process that waits for the workers and publishes."""
CLUSTER_PART = 50_000
"""Pupils of a part on a cluster: about a county, so that many workers have something to do."""
FEWEST = 1_000
"""Pupils of a part, however little memory there is."""


@dataclass(frozen=True)
class Shares:
    """Parts of a night and those who do them."""

    parts: tuple[Part | None, ...]
    """None alone: all counties at once."""
    processes: int
    threads: int
    """Of each process."""
    givers: frozenset[Part | None]
    """Parts that hand something over to the others, for pupils moved away from them."""
    settings: Settings
    """As each process is given them: with its own share of the memory."""


def shared_out(settings: Settings, order: Order, lake: Lake, day: date) -> Shares:
    """Cut the night of ``day`` so that the memory of all processes at work stays within the limit.

    On one machine a part for each processor at least, if there are as many counties; on a cluster the limit
    is that of each of its workers. A county is never cut, for it is ranked as a whole.
    """
    processors = order.workers or os.cpu_count() or 1
    limit = size_in_bytes(order.memory_limit or settings.memory_limit)
    each = limit if order.scheduler else limit // processors
    lake.known_on(day)
    counties = counties_of(lake.con, day)
    pupils = sum(counties.values())
    parts = plan(counties, min(_room(each), CLUSTER_PART if order.scheduler else _fair(pupils, processors)))
    if len(parts) <= 1 and order.scheduler is None:
        return Shares((None,), 1, processors, frozenset(), _with_memory(settings, limit))
    processes = 1 if order.scheduler else min(processors, len(parts))
    threads = 1 if order.scheduler else processors // processes
    if len(parts) <= 1:
        return Shares((None,), processes, threads, frozenset(), _with_memory(settings, each))
    left = left_by_movers(lake.con, day)
    givers = frozenset(part for part in parts if not left.isdisjoint(part.counties))
    return Shares(parts, processes, threads, givers, _with_memory(settings, each))


def _room(each: int) -> int:
    """Pupils a process has memory for."""
    return max(FEWEST, (each - FIXED) // PER_PUPIL)


def _fair(pupils: int, processors: int) -> int:
    """Pupils of a part if each processor takes one, where that is worth it."""
    return pupils if pupils < WORTH_SHARING else -(-pupils // processors)


def _with_memory(settings: Settings, each: int) -> Settings:
    """Settings to send to a worker, without the file they came from and without the service database."""
    share = max(int(each * DUCKDB_SHARE), 64 << 20)
    changed = {"memory_limit": f"{share // 1000}KB", "database_url": None}
    return Settings.model_validate(settings.model_dump() | changed)
