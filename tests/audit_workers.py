"""What a worker process runs in the tests of the writer; imports little, so that it starts at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from risk_model.home import Home
from risk_model.settings import Settings
from serving.audit.client import AuditClient
from serving.audit.entries import Entry

THREADS = 10


def look(client: AuditClient, who: int, count: int) -> list[int]:
    return [number for n in range(count) for number in client.record([Entry(who, "look", f"S{n}")])]


def work(home: Home, settings: Settings, who: int, looks: int, told: Any) -> None:
    """A worker of the service: threads that share one client."""
    with closing(AuditClient(home, settings)) as client, ThreadPoolExecutor(THREADS) as threads:
        numbers = list(threads.map(lambda _: look(client, who, looks // THREADS), range(THREADS)))
    told.put([number for some in numbers for number in some])
