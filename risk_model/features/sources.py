"""Where a snapshot reads what there is much of: marks and exams."""

from __future__ import annotations

from dataclasses import dataclass

from risk_model.features.exam_rows import KNOWN_EXAMS, ExamSource
from risk_model.timeline.diaries import KNOWN, MarkSource


@dataclass(frozen=True)
class Sources:
    """A source of each; features are the same, to the last bit, wherever they read."""

    marks: MarkSource = KNOWN
    exams: ExamSource = KNOWN_EXAMS


LAKE = Sources()
"""The registers themselves: ``known.*``, on any day."""
