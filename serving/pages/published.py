"""Published scores by unit and by pupil, for what pages count and look up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, true

from serving.lists import PLACE_OF
from serving.seats import of_pupils
from serving.tables import PUBLISHED, STORED, Published, Run, RunSchool, Score
from serving.units import Unit


def published_scores(*columns: Any) -> Select[Any]:
    """Statement over everybody's published score, with school and run."""
    return (
        select(*columns)
        .select_from(Score)
        .join(Published, and_(Published.school_id == Score.school_id, Published.run == Score.run))
        .join(RunSchool, and_(RunSchool.run == Score.run, RunSchool.school_id == Score.school_id))
        .join(Run, Run.id == Score.run)
    )


def inside(unit: Unit) -> ColumnElement[bool]:
    """Condition on :func:`published_scores`: the pupil is listed within the unit."""
    if unit.kind == "all":
        return true()
    if unit.kind == "class":
        return Score.class_key == unit.name
    return PLACE_OF[unit.kind] == unit.name


def published_score(connection: Connection, student_id: str) -> Any | None:
    """The pupil's published score with model and school name; the later one of two schools."""
    columns = (Score.__table__, Run.as_of, Run.model_digest, RunSchool.name.label("school_name"))
    query = of_pupils(published_scores(*columns), [student_id])
    return connection.execute(query.order_by(Run.as_of.desc(), Run.id.desc()).limit(1)).one_or_none()


def classmates(connection: Connection, score: Any) -> list[str]:
    """The others of the pupil's class in the same list."""
    query = select(Score.student_id).where(
        Score.run == score.run, Score.school_id == score.school_id, Score.class_key == score.class_key
    )
    return [
        student_id for student_id in connection.execute(query).scalars() if student_id != score.student_id
    ]


def class_sizes(connection: Connection, class_keys: Sequence[str]) -> dict[str, int]:
    """Pupils of each class in the published lists."""
    query = published_scores(Score.class_key, func.count()).where(Score.class_key.in_(class_keys))
    return {row[0]: row[1] for row in connection.execute(query.group_by(Score.class_key))}


def risk_on(connection: Connection, student_id: str, day: date) -> float | None:
    """The pupil's latest score of a run as of ``day`` or before."""
    query = (
        of_pupils(select(Score.risk).join(Run, Run.id == Score.run), [student_id])
        .where(Run.as_of <= day, Run.state.in_((PUBLISHED, STORED)))
        .where(Score.risk.is_not(None))
        .order_by(Run.as_of.desc(), Run.id.desc())
        .limit(1)
    )
    found: float | None = connection.execute(query).scalar()
    return found
