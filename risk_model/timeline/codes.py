"""The bytes of a diary and of a class's day."""

from __future__ import annotations

from risk_model.timeline.marks import MARKS

CODE = {mark: number for number, mark in enumerate(MARKS, start=1)}
"""The byte of each mark in a diary; 0 is a day without one."""
NOT_KEPT, KEPT, COMPLETE = 0, 1, 2
"""What a class did on a day: no register, a register, or a headcount that makes the unmarked present."""
