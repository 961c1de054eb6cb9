"""What a night took and what its parts add up to."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from serving.parts import Told, this_process


class Stopwatch:
    """Seconds spent in each named part of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = self._last = perf_counter()

    def lap(self, part: str) -> None:
        """Book the time since the last lap to ``part``."""
        now = perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    def shared(self, worked: Mapping[str, float]) -> dict[str, float]:
        """The parts and the total.

        Features and reasons are made by the same workers: the time they took is shared out as they worked.
        """
        both = self.seconds["features"] + self.seconds["explain"]
        features = worked["features"] / (worked["features"] + worked["explain"])
        return {
            "features": both * features,
            "explain": both * (1 - features),
            "publish": self.seconds["publish"],
            "total": perf_counter() - self._begun,
        }


@dataclass
class Tally:
    """What the parts of a night add up to."""

    students: int = 0
    listed: int = 0
    status: Counter[str] = field(default_factory=Counter)
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By pupil: one enrolled in two counties is found in both."""
    shadow_failed: str | None = None
    seconds: Counter[str] = field(default_factory=Counter)
    """Of all workers together."""
    peaks: dict[str, float] = field(default_factory=dict)

    def add(self, told: Told) -> None:
        """Count a part in."""
        self.students += told.students
        self.listed += told.listed
        self.status.update(told.status)
        self.findings |= {str(finding["student_id"]): finding for finding in told.findings}
        self.shadow_failed = self.shadow_failed or told.shadow_failed
        self.seconds.update(told.seconds)
        self.peaks[told.process] = max(told.peak_memory_mb, self.peaks.get(told.process, 0.0))

    def peak_memory_mb(self) -> float:
        """Of all processes, as if each had its peak when the others had theirs."""
        peaks = self.peaks | {this_process(): resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        return sum(peaks.values())
