"""What the registers say of one pupil, as known on the day of the list, for the charts of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from risk_model.errors import MissingError
from risk_model.features.distance import straight_line
from serving.open_registers import OpenRegisters
from serving.pages.charts.attendance import Month
from serving.pages.charts.results import Term

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

MONTHS = 12
CLASSMATES = 10
"""A class is shown only where at least so many others have a result."""


@dataclass(frozen=True)
class PupilRegisters:
    """Attendance by month, results by half-year, the way, the family and aid, and care of the registers."""

    months: tuple[Month, ...] = ()
    terms: tuple[Term, ...] = ()
    km: float | None = None
    """The real way, else the straight line."""
    minutes: float | None = None
    mode: str | None = None
    boarding: bool | None = None
    family: dict[str, Any] | None = None
    """The latest row of ``families``; none: there is no row."""
    aid: tuple[tuple[str, date, float | None], ...] = ()
    care: tuple[tuple[date, str], ...] = ()
    since_care: SinceCare | None = None


@dataclass(frozen=True)
class SinceCare:
    """Shares of school days missed, 0–1, before care ``began`` and since; none without a mark."""

    began: date
    before: float | None
    since: float | None


def read_registers(
    registers: OpenRegisters,
    student_id: str,
    as_of: date,
    classmates: Sequence[str],
    began: date | None,
) -> PupilRegisters | None:
    """The pupil's registers; none where they are not kept, for lists alone may be served.

    ``began`` is the day care began, if a case of the service says so; else the register of care is asked.
    """
    try:
        with registers.known_on(as_of) as lake:
            return _read(lake, student_id, as_of, classmates, began)
    except MissingError:
        return None


def _read(
    lake: Lake, student_id: str, as_of: date, classmates: Sequence[str], began: date | None
) -> PupilRegisters:
    care = tuple(_rows(lake, _CARE, student_id))
    began = began or max((day for day, kind in care if kind == "opened"), default=None)
    km, minutes, mode, boarding = _rows(lake, _WAY, student_id)[0]
    return PupilRegisters(
        months=_months(lake, student_id, as_of),
        terms=_terms(lake, student_id, classmates),
        km=km,
        minutes=minutes,
        mode=mode,
        boarding=boarding,
        family=_family(lake, student_id),
        aid=tuple(_rows(lake, _AID, student_id)),
        care=care,
        since_care=_since_care(lake, student_id, as_of, began) if began else None,
    )


_MARKS = """SELECT date_trunc('month', day)::DATE, mark, count(*) FROM known.attendance
    WHERE student_id = ? AND day BETWEEN ? AND ? GROUP BY ALL"""
_AID = """SELECT programme, granted_on, amount FROM known.aid
    WHERE student_id = ? ORDER BY granted_on DESC LIMIT 8"""
_CARE = "SELECT day, kind FROM known.care WHERE student_id = ? ORDER BY day"
_STRAIGHT = straight_line("s.home_latitude", "s.home_longitude", "c.latitude", "c.longitude")
_WAY = f"""
SELECT coalesce(t.distance_km, {_STRAIGHT}),
    t.minutes, t.mode, e.boarding
FROM (SELECT ? AS student_id) p
LEFT JOIN known.students s USING (student_id)
LEFT JOIN (FROM known.travel ORDER BY observed_on DESC) t USING (student_id)
LEFT JOIN (FROM known.enrolments WHERE ended_on IS NULL) e USING (student_id)
LEFT JOIN known.schools c ON c.school_id = e.school_id
ORDER BY t.observed_on DESC, e.started_on DESC LIMIT 1"""
_SINCE = """SELECT avg((mark LIKE 'absent%')::INTEGER) FILTER (day < $began),
    avg((mark LIKE 'absent%')::INTEGER) FILTER (day >= $began)
FROM known.attendance WHERE student_id = $pupil AND day BETWEEN $first AND $last"""
_FAMILY = "SELECT * FROM known.families WHERE student_id = ? ORDER BY observed_on DESC LIMIT 1"
# A half-year begins in August or February, whatever a delivery calls its terms.
_TERMS = """
WITH told AS (
    SELECT student_id, score / max_score AS share, sat IS NOT FALSE AND score IS NOT NULL AS sat,
        date_trunc('month', assessed_on - INTERVAL 1 MONTH) AS shifted
    FROM known.results WHERE student_id IN (SELECT unnest(?::VARCHAR[]))
), halves AS (
    SELECT student_id, share, sat, year(shifted) * 2 + (month(shifted) >= 7)::INTEGER AS half FROM told
), means AS (
    SELECT half, student_id, avg(share) FILTER (sat) AS share, count(*) FILTER (NOT sat) AS missed
    FROM halves GROUP BY ALL
)
SELECT half, max(share) FILTER (student_id = $1), coalesce(max(missed) FILTER (student_id = $1), 0),
    median(share) FILTER (student_id <> $1), count(share) FILTER (student_id <> $1)
FROM means GROUP BY half HAVING count(*) FILTER (student_id = $1) > 0 ORDER BY half DESC LIMIT 6
""".replace("?", "$2")


def _months(lake: Lake, student_id: str, as_of: date) -> tuple[Month, ...]:
    """The last twelve months; one without any mark stays empty and is no absence."""
    firsts = [_first(as_of, back) for back in range(MONTHS - 1, -1, -1)]
    days: dict[date, dict[str, int]] = {first: {} for first in firsts}
    for first, mark, count in lake.con.execute(_MARKS, [student_id, firsts[0], as_of]).fetchall():
        days[first][mark] = count
    return tuple(Month(first, held) for first, held in days.items())


def _first(day: date, back: int) -> date:
    whole = day.year * 12 + day.month - 1 - back
    return date(whole // 12, whole % 12 + 1, 1)


def _terms(lake: Lake, student_id: str, classmates: Sequence[str]) -> tuple[Term, ...]:
    asked = [student_id, [student_id, *classmates]]
    return tuple(
        Term(_half(half), share, middle if others >= CLASSMATES else None, missed)
        for half, share, missed, middle, others in reversed(lake.con.execute(_TERMS, asked).fetchall())
    )


def _half(half: int) -> str:
    """A half-year by its school year: ``2025/26-1`` is August to January."""
    year, spring = (half // 2, False) if half % 2 else (half // 2 - 1, True)
    return f"{year}/{(year + 1) % 100:02d}-{2 if spring else 1}"


def _since_care(lake: Lake, student_id: str, as_of: date, began: date) -> SinceCare:
    asked = {"pupil": student_id, "began": began, "first": _first(as_of, MONTHS - 1), "last": as_of}
    return SinceCare(began, *lake.con.execute(_SINCE, asked).fetchall()[0])


def _family(lake: Lake, student_id: str) -> dict[str, Any] | None:
    cursor = lake.con.execute(_FAMILY, [student_id])
    names = [column[0] for column in cursor.description or ()]
    found = cursor.fetchall()
    return dict(zip(names, found[0], strict=True)) if found else None


def _rows(lake: Lake, query: str, student_id: str) -> list[Any]:
    return lake.con.execute(query, [student_id]).fetchall()
