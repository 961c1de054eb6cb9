"""Care written in the service as a delivery of the register ``care``, for the model's side."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from serving.care.tables import CaseRow, StepRow
from serving.care.writing import today

COLUMNS = ("student_id", "care_id", "day", "kind", "staff_id", "outcome", "recorded_on")
WEIGHT = {"opened": 3, "assigned": 0, "plan": 1, "contact": 2, "review": 4, "closed": 5}
"""Of several steps of a case on one day the heaviest is told: the register has a row a case and day."""


def export_care(connection: Connection, folder: Path) -> int:
    """Write ``folder/care.csv`` and ``_DONE``, ready for ``import`` or its inbox; how many rows.

    All of care each time: what the lake knows already it counts as unchanged. Texts, contacts and restricted
    notes stay in the service; ``outcome`` is the word of the closing. A closing is told on its day even if
    the pupil was taken into care again that day, by another ``care_id``.
    """
    rows = _rows(connection)
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "_DONE"
    done.unlink(missing_ok=True)
    with open(folder / "care.csv", "w", newline="", encoding="utf-8") as file:
        (folder / "care.csv").chmod(0o600)
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    done.touch()
    return len(rows)


def _rows(connection: Connection) -> list[tuple[Any, ...]]:
    steps = select(CaseRow.student_id, StepRow.__table__).join(StepRow, StepRow.case_id == CaseRow.id)
    told: dict[tuple[int, Any], Any] = {}
    for step in connection.execute(steps.order_by(StepRow.case_id, StepRow.version)):
        held = told.get((step.case_id, step.day))
        if held is None or WEIGHT[step.kind] >= WEIGHT[held.kind]:
            told[step.case_id, step.day] = step
    return [_row(step) for step in told.values()]


def _row(step: Any) -> tuple[Any, ...]:
    kind = "plan" if step.kind == "assigned" else step.kind  # the register has no word for it
    outcome = step.word if step.kind == "closed" else None
    return (
        step.student_id, f"service-{step.case_id}", step.day, kind, step.staff_id, outcome,
        today(step.at),
    )  # fmt: skip
