"""What a run cost: seconds, rows and peak memory of each stage, over all processes that worked on it.

A process keeps an :class:`Accounts` and opens a stage around each part of its work. A worker elsewhere
hands its :meth:`~Accounts.told` – plain dictionaries – to the process that waits for it, which adds them.

Three figures need a definition where several processes work at once:

``seconds``
    how long at least one process was in the stage, on the clock. Stages of different workers overlap, so
    these do not add up to the total.
``work_seconds``
    the sum over processes: what one process alone would have needed, if nothing had contended.
``peak_memory_mb``
    the largest sum of the peaks of processes that were in the stage at the same time: never less than was
    held together, and more if their peaks did not coincide.

The peak of a process within a stage is exact if it was the highest of its life so far; else it is the highest
of samples taken every :data:`SAMPLED_SECONDS`, so that a shorter peak may be missed. (The kernel's own mark
can be reset, but then whoever watches the process from outside is told too little.)

>>> accounts = Accounts()
>>> with accounts.stage("features") as stage:
...     stage.count(3)
>>> accounts.document(("features",))["stages"]["features"]["rows"]
3
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from platform import node
from time import perf_counter, time
from typing import Any

SAMPLED_SECONDS = 0.02
MEGABYTE = 2**20
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
STATM = Path("/proc/self/statm")
RUN = "run"
"""Name of what a process spent from first to last."""


@dataclass(frozen=True)
class Spent:
    """What one process spent in one stage; times are seconds since 1970."""

    stage: str
    process: str
    begun: float
    ended: float
    rows: int
    peak_memory_mb: float


@dataclass
class Stage:
    """A stage that is open; whoever works in it counts what is done, and says how many rows that was."""

    name: str
    what: str
    """For people: what is being done."""
    total: int | None
    """How many steps there are to do, if that is known."""
    begun: float
    highest_before: float
    watcher: Watcher
    done: int = 0
    """Steps so far: pupils, bytes, days or whatever the stage counts."""
    rows: int | None = None
    """Rows of it all, where steps are something else."""
    sampled: float = 0.0

    def count(self, steps: int) -> None:
        """So many more steps are done; whoever watches is told."""
        self.done += steps
        self.watcher("advanced", self, None)

    @property
    def booked(self) -> int:
        """The rows to book: what was said, else the steps."""
        return self.done if self.rows is None else self.rows


Watcher = Callable[[str, Stage, float | None], None]
"""Told of a stage that has ``begun``, ``advanced`` or, with the seconds it took, ``finished``."""


def unwatched(event: str, stage: Stage, seconds: float | None) -> None:
    """Nobody is watching."""


@dataclass
class Accounts:
    """Stages of one process and of the workers it waited for; stages may lie within each other."""

    watcher: Watcher = unwatched
    spent: list[Spent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clock = time() - perf_counter()
        self._process = f"{node()}:{os.getpid()}"
        self._begun = self._now()
        self._open: list[Stage] = []

    @contextmanager
    def stage(self, name: str, what: str = "", total: int | None = None) -> Iterator[Stage]:
        """Book what happens inside to ``name``; begun again, it is the same stage gone on with.

        A stage opened inside another is booked to both. One that fails is booked, too.
        """
        stage = Stage(name, what or name, total, self._now(), highest_memory_mb(), self.watcher)
        self._open.append(stage)
        self.watcher("begun", stage, None)
        try:
            with _sampled(self._open if len(self._open) == 1 else None):
                yield stage
        finally:
            self._close(stage)

    def _close(self, stage: Stage) -> None:
        self._open.remove(stage)
        highest = highest_memory_mb()
        peak = highest if highest > stage.highest_before else max(stage.sampled, memory_mb())
        ended = self._now()
        self.spent.append(Spent(stage.name, self._process, stage.begun, ended, stage.booked, peak))
        self.watcher("finished", stage, ended - stage.begun)

    def add(self, told: Iterable[dict[str, Any]]) -> None:
        """Add what a worker has :meth:`told`; a worker in this very process is this process."""
        self.spent += [Spent(**one) for one in told]

    def told(self) -> list[dict[str, Any]]:
        """All that was spent so far, this process's life included, to hand to another process."""
        return [asdict(one) for one in (*self.spent, self._whole())]

    def document(self, parts: Sequence[str]) -> dict[str, Any]:
        """``seconds`` of the named ``parts`` and in all, ``stages`` one by one, ``peak_memory_mb`` in all.

        A part that never began took 0 seconds.
        """
        whole = [*self.spent, self._whole()]
        names = dict.fromkeys(one.stage for one in self.spent if one.stage != RUN)
        stages = {name: _sums([one for one in self.spent if one.stage == name]) for name in names}
        seconds = {part: stages[part]["seconds"] if part in stages else 0.0 for part in parts}
        return {
            "seconds": {**seconds, "total": self._now() - self._begun},
            "stages": stages,
            "peak_memory_mb": _together(whole),
        }

    def _whole(self) -> Spent:
        return Spent(RUN, self._process, self._begun, self._now(), 0, highest_memory_mb())

    def _now(self) -> float:
        return self._clock + perf_counter()


def highest_memory_mb() -> float:
    """The most this process ever held in memory."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE


def memory_mb() -> float:
    """What this process holds in memory now; where that is not told, the most it ever held."""
    try:
        return int(STATM.read_text().split()[1]) * PAGE / MEGABYTE
    except OSError:
        return highest_memory_mb()


@contextmanager
def _sampled(stages: list[Stage] | None) -> Iterator[None]:
    """Look every few milliseconds how much is held and note it with the open ``stages``."""
    if stages is None:
        yield
        return
    done = threading.Event()

    def look() -> None:
        while not done.wait(SAMPLED_SECONDS):
            now = memory_mb()
            for stage in tuple(stages):
                stage.sampled = max(stage.sampled, now)

    watching = threading.Thread(target=look, name="accounts", daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()


def _sums(spent: Sequence[Spent]) -> dict[str, Any]:
    return {
        "seconds": _on_the_clock(spent),
        "work_seconds": sum(one.ended - one.begun for one in spent),
        "rows": sum(one.rows for one in spent),
        "peak_memory_mb": _together(spent),
    }


def _on_the_clock(spent: Iterable[Spent]) -> float:
    """Length of the union of the times."""
    length, until = 0.0, float("-inf")
    for one in sorted(spent, key=lambda one: one.begun):
        length += max(0.0, one.ended - max(one.begun, until))
        until = max(until, one.ended)
    return length


def _together(spent: Iterable[Spent]) -> float:
    """The largest sum of peaks of processes at work at the same time; of one process its highest counts."""
    lives: dict[str, tuple[float, float, float]] = {}
    for one in spent:
        begun, ended, peak = lives.get(one.process, (one.begun, one.ended, 0.0))
        lives[one.process] = (min(begun, one.begun), max(ended, one.ended), max(peak, one.peak_memory_mb))
    return max(
        (
            sum(peak for first, last, peak in lives.values() if first <= moment <= last)
            for moment, _, _ in lives.values()
        ),
        default=0.0,
    )
