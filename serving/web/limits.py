"""Limits on how often something is called, counted in the service database for all workers together."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, text

from serving.web.problems import ProblemError
from serving.web.tables import CallCount

KEPT_MINUTES = 2
ADD = text(
    "insert into call_counts (key, minute, calls) values (:key, :minute, 1) "
    "on conflict (key, minute) do update set calls = call_counts.calls + 1 returning calls"
)


def demand_within(engine: Engine, limits: dict[str, int], at: datetime) -> None:
    """Count a call under each key of ``limits`` (calls a minute); ProblemError ``too_many`` beyond one.

    In a transaction of its own, so that a refused call counts, too.
    """
    minute, second = divmod(int(at.timestamp()), 60)
    with engine.begin() as connection:
        beyond = [key for key, most in limits.items() if _count(connection, key, minute) > most]
    if beyond:
        raise ProblemError("too_many", headers={"Retry-After": str(60 - second)})


def _count(connection: Connection, key: str, minute: int) -> int:
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    calls: int = connection.execute(ADD, {"key": digest, "minute": minute}).scalar_one()
    if calls == 1:
        connection.execute(delete(CallCount).where(CallCount.minute < minute - KEPT_MINUTES))
    return calls
