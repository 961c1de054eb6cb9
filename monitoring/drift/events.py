"""Days on which attendance is not as usual, from the settings: known events do not alarm."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from risk_model.errors import UsageError
from risk_model.settings import MonitoringSettings

WRITTEN = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?\s+(\S.*)")
EXCEPTED = frozenset({"attendance", "time"})
"""Families of features that an event moves."""


@dataclass(frozen=True)
class Event:
    """First and last day of something known beforehand."""

    first: date
    last: date
    name: str


def events(rules: MonitoringSettings) -> tuple[Event, ...]:
    """The events of the settings.

    Raises
    ------
    UsageError
        One is not written as ``2026-02-10..2026-02-24 Spring Festival``.
    """
    return tuple(_event(text) for text in rules.events)


def during(rules: MonitoringSettings, *days: date) -> Event | None:
    """The event any of ``days`` falls into, or follows too closely; else None."""
    tail = timedelta(days=rules.event_tail_days)
    for event in events(rules):
        if any(event.first <= day <= event.last + tail for day in days):
            return event
    return None


def _event(text: str) -> Event:
    found = WRITTEN.fullmatch(text.strip())
    try:
        assert found is not None
        first = date.fromisoformat(found[1])
        return Event(first, date.fromisoformat(found[2] or found[1]), found[3])
    except (AssertionError, ValueError):
        raise UsageError(
            f"monitoring.events: {text!r} is not an event. Write it like "
            "'2026-02-10..2026-02-24 Spring Festival'."
        ) from None
