"""Limits on how often something is called, counted in the service database for all workers together.

Of a limit of many calls a worker takes a hundredth at a time and spends it in memory: a durable count of
every call takes the disk longer than a score. Workers together never let more through than the limit; one
that took its part and is not called any more that minute leaves up to a hundredth unspent.
"""

from __future__ import annotations

import hashlib
import threading
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, delete, text

from serving.web.problems import ProblemError
from serving.web.tables import CallCount

KEPT_MINUTES = 2
PARTS = 100
"""A worker takes one of so many parts of a limit at a time; a limit below that call by call."""
ADD = text(
    "insert into call_counts (key, minute, calls) values (:key, :minute, :taken) "
    "on conflict (key, minute) do update set calls = call_counts.calls + :taken returning calls"
)


class _Taken:
    """Calls of this minute that a worker has counted and not yet let through."""

    def __init__(self) -> None:
        self._minute = 0
        self._left: dict[str, int] = {}
        self._changing = threading.Lock()

    def spend(self, key: str, minute: int) -> bool:
        """Let one call through, if there is one left."""
        with self._changing:
            left = self._left.get(key, 0) if minute == self._minute else 0
            if left:
                self._left[key] = left - 1
            return left > 0

    def add(self, key: str, minute: int, calls: int) -> None:
        """Put calls by that were counted."""
        if calls < 1:
            return
        with self._changing:
            if minute != self._minute:
                self._minute, self._left = minute, {}
            self._left[key] = self._left.get(key, 0) + calls


_of_database: WeakKeyDictionary[Engine, _Taken] = WeakKeyDictionary()


def demand_within(engine: Engine, limits: dict[str, int], at: datetime) -> None:
    """Count a call under each key of ``limits`` (calls a minute); ProblemError ``too_many`` beyond one.

    In a transaction of its own, so that a refused call counts, too.
    """
    minute, second = divmod(int(at.timestamp()), 60)
    taken = _of_database.setdefault(engine, _Taken())
    uncounted = {key: most for key, most in limits.items() if not taken.spend(key, minute)}
    if not uncounted:
        return
    with engine.begin() as connection:
        granted = {key: _granted(connection, key, most, minute) for key, most in uncounted.items()}
    for key, calls in granted.items():  # once they are counted for good
        taken.add(key, minute, calls - 1)
    if min(granted.values()) < 1:
        raise ProblemError("too_many", headers={"Retry-After": str(60 - second)})


def _granted(connection: Connection, key: str, most: int, minute: int) -> int:
    """Count a part of the limit; how many calls of it are left, none beyond the limit."""
    part = max(1, most // PARTS)
    return min(part, most - _count(connection, key, minute, part) + part)


def _count(connection: Connection, key: str, minute: int, part: int) -> int:
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    calls: int = connection.execute(ADD, {"key": digest, "minute": minute, "taken": part}).scalar_one()
    if calls == part:
        connection.execute(delete(CallCount).where(CallCount.minute < minute - KEPT_MINUTES))
    return calls
