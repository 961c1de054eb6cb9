"""Names of pupils, staff and units. Of pupils, ask only after ``why`` or ``visible`` let them be seen."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from serving.access.tables import PupilName, Staff, UnitTitle

AT_A_TIME = 500
"""Parameters of one statement: SQLite takes no more than some thousands."""


def names_of(connection: Connection, student_ids: Sequence[str]) -> dict[str, str]:
    """The names of those pupils that have one in the register."""
    found: dict[str, str] = {}
    for start in range(0, len(student_ids), AT_A_TIME):
        some = PupilName.student_id.in_(student_ids[start : start + AT_A_TIME])
        for student_id, name in connection.execute(select(PupilName.student_id, PupilName.name).where(some)):
            found[student_id] = name
    return found


def staff_name(connection: Connection, staff_id: str | None) -> str | None:
    """What a member of staff is called, also one who has left."""
    return connection.execute(select(Staff.name).where(Staff.staff_id == staff_id)).scalar()


def unit_name(connection: Connection, unit: str) -> str:
    """What a unit is called; its id without the kind where no register names it."""
    named = connection.execute(select(UnitTitle.name).where(UnitTitle.unit == unit)).scalar()
    return named or unit.partition(":")[2]
