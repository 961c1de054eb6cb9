"""What the parts of a night add up to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from serving.parts import Told


@dataclass
class Tally:
    """What the parts of a night add up to."""

    students: int = 0
    listed: int = 0
    status: Counter[str] = field(default_factory=Counter)
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By pupil: one enrolled in two counties is found in both."""
    shadow_failed: str | None = None

    def add(self, told: Told) -> None:
        """Count a part in."""
        self.students += told.students
        self.listed += told.listed
        self.status.update(told.status)
        self.findings |= {str(finding["student_id"]): finding for finding in told.findings}
        self.shadow_failed = self.shadow_failed or told.shadow_failed
