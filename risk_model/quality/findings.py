"""What is told of a school that is held back, and of a pupil the registers contradict each other about."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class HeldBack:
    """A unit whose list of tonight is not published, and the date of the list that stays live."""

    unit: str
    reason: str
    as_of: date | None = None

    def as_document(self) -> dict[str, Any]:
        """The entry as ``score --json`` prints it."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """Something the registers say of a pupil that cannot be; it stops nothing, somebody must look."""

    finding: str
    student_id: str
    schools: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        """The entry as ``score --json`` prints it."""
        return {**asdict(self), "schools": list(self.schools)}


TWO_OPEN_SPELLS = """
select student_id, list(distinct school_id order by school_id) from spells
where started_on <= $day and (ended_on is null or ended_on > $day)
group by student_id having count(*) > 1 order by student_id
"""


def two_open_spells(con: duckdb.DuckDBPyConnection, day: date) -> list[Finding]:
    """Pupils whom the registers hold at two places at once on ``day``; needs the timeline."""
    found = con.execute(TWO_OPEN_SPELLS, {"day": day}).fetchall()
    return [Finding("two_open_spells", pupil, tuple(schools)) for pupil, schools in found]
