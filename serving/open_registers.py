"""The registers, open for the requests of one process: to open the lake costs more than what is asked of it.

A connection that was used is kept for the next request, pinned to its snapshot and holding it like any
reader, so that no upkeep takes a file from under it. One request has it at a time. Before each use the
catalog is looked at: after a delivery, a cleaning or a restore the newest state is opened, and what was kept
is closed by whoever had it. Between requests no transaction is open, so that no import waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from time import monotonic
from typing import TYPE_CHECKING

from risk_model.home import Home
from risk_model.lake.glance import LakeState, glance
from risk_model.settings import Settings

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

MOST_KEPT = 2
"""As many as cores that could be reading; each has a DuckDB of its own."""
MEMORY = "512MB"
"""Of one that is kept: it reads the rows of a pupil and his class."""
IDLE_SECONDS = 300.0
"""So long one is kept that nobody uses: its snapshot could not be let go."""


@dataclass
class _Kept:
    """An open lake, the state of the catalog it shows, and the day its views are cut by."""

    lake: Lake
    state: LakeState | None
    day: date | None = None
    used: float = 0.0

    def close(self) -> None:
        with self.lake:
            pass


class OpenRegisters:
    """The registers of ``home`` as known on a day, for many requests."""

    def __init__(self, home: Home, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        self._home, self._settings, self._clock = home, settings, clock
        self._free: list[_Kept] = []
        self._lock = threading.Lock()

    @contextmanager
    def known_on(self, day: date) -> Iterator[Lake]:
        """The registers as the office knew them on ``day``, at the newest snapshot; for this block alone.

        Raises
        ------
        MissingError
            Nothing was imported yet.
        """
        kept = self._taken(day) or self._opened()
        try:
            if kept.day != day:
                kept.lake.known_on(day)
                kept.day = day
            yield kept.lake
        except BaseException:  # whatever it left open goes with it
            kept.close()
            raise
        self._given_back(kept)

    def let_go_unused(self) -> None:
        """Close what shows an older state, or was not used for a while."""
        state, now = glance(self._home.lake), self._clock()
        self._close(lambda kept: kept.state != state or now - kept.used >= IDLE_SECONDS)

    def close(self) -> None:
        """Close all that nobody has."""
        self._close(lambda kept: True)

    def _taken(self, day: date) -> _Kept | None:
        """A free one of the newest state, if there is one: of this day rather than of another."""
        state = glance(self._home.lake)
        self._close(lambda kept: kept.state != state)
        with self._lock:
            if not self._free:
                return None
            place = next((n for n, kept in enumerate(self._free) if kept.day == day), 0)
            return self._free.pop(place)

    def _opened(self) -> _Kept:
        from risk_model.lake.reading import open_lake

        before = glance(self._home.lake)
        lake = open_lake(self._home, self._settings)
        # A catalog put in the place of the other meanwhile is not known: what it shows is used once.
        known = before is not None and before == glance(self._home.lake)
        if known:
            lake.con.execute(f"SET memory_limit = '{MEMORY}'")
        return _Kept(lake, before if known else None)

    def _given_back(self, kept: _Kept) -> None:
        kept.used = self._clock()
        with self._lock:
            if kept.state is not None and len(self._free) < MOST_KEPT:
                self._free.append(kept)
                return
        kept.close()

    def _close(self, gone: Callable[[_Kept], bool]) -> None:
        with self._lock:
            closing = [kept for kept in self._free if gone(kept)]
            self._free = [kept for kept in self._free if kept not in closing]
        for kept in closing:
            kept.close()
