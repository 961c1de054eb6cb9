"""Who was drawn by lot for the last places of a published list, so that whoever reads it is told.

The record that is compared later is another (:mod:`risk_model.draw_record`): sealed, and kept before the
list is seen. These rows go with their run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Engine, and_, insert, select

from risk_model.near_equals import OFFERED
from serving.tables import Lot, Published

AT_ONCE = 500


def keep_lots(engine: Engine, run: int, drawn: Iterable[tuple[str, str, str]]) -> None:
    """Write down ``school_id, student_id, arm`` of everybody drawn in a staged run."""
    rows = [
        {"run": run, "school_id": school, "student_id": student, "offered": arm == OFFERED}
        for school, student, arm in drawn
    ]
    if rows:
        with engine.begin() as connection:
            connection.execute(insert(Lot), rows)


def lots_of(connection: Connection, student_ids: Sequence[str]) -> dict[str, bool]:
    """Whether the lot gave a place, for those of the pupils who were drawn for a published list."""
    live = and_(Published.school_id == Lot.school_id, Published.run == Lot.run)
    query = select(Lot.student_id, Lot.offered).join(Published, live)
    found: dict[str, bool] = {}
    for start in range(0, len(student_ids), AT_ONCE):
        some = query.where(Lot.student_id.in_(student_ids[start : start + AT_ONCE]))
        found |= {row.student_id: row.offered for row in connection.execute(some)}
    return found
