"""At which schools a pupil was ever in a list: the way from a pupil to the rows of each run.

``scores`` is stored by run, school and pupil, and has no index by pupil: one would take a million entries
more each night, in no order, though nearly every pupil sits where he sat the night before. A seat is
written once, and of each run the rows at a pupil's few schools are found by their key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, and_, bindparam, func, select, text

from serving.tables import PUBLISHED, Run, Score, Seat

_Query = TypeVar("_Query", bound=Select[Any])
_AT_ONCE = 500
_NEW = """
insert into seats (student_id, school_id)
select now.student_id, now.school_id from scores now
where now.run = :run and now.school_id in :schools and not exists (
    select 1 from scores before
    where before.run = :before and before.school_id = now.school_id and before.student_id = now.student_id)
and not exists (
    select 1 from seats known where known.student_id = now.student_id and known.school_id = now.school_id)
"""


def seat(connection: Connection, run: int, schools: Sequence[str]) -> None:
    """Enter the seats of these schools' pupils in ``run``, in the caller's transaction.

    Those who sit where they sat in the last published run are passed over without a look at ``seats``.
    """
    published = select(func.max(Run.id)).where(Run.state == PUBLISHED, Run.id != run)
    before = connection.execute(published).scalar()
    statement = text(_NEW).bindparams(bindparam("schools", expanding=True))
    for start in range(0, len(schools), _AT_ONCE):
        some = list(schools[start : start + _AT_ONCE])
        connection.execute(statement, {"run": run, "before": before, "schools": some})


def of_pupils(query: _Query, student_ids: Any) -> _Query:
    """``query`` over scores cut to these pupils (a sequence, or a statement of their identifiers)."""
    here = and_(Seat.school_id == Score.school_id, Seat.student_id == Score.student_id)
    return query.join(Seat, here).where(Seat.student_id.in_(student_ids))
