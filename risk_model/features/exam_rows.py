"""Exams one by one, as the features of learning read them, and where they are read.

Every source says the same: the lake's register row by row, or what is kept of it by county
(:mod:`risk_model.state`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from risk_model.features.exam_columns import FAILED, MISSED, SAT

if TYPE_CHECKING:
    import duckdb

YEARS_BACK = 2
NUMBERS = {
    "pupil": np.int32,
    "day": np.int32,
    "subject": np.int16,
    "half": np.int16,
    "what": np.uint8,
    "hundredths": np.int32,
}
"""Columns of :attr:`ExamRows.columns`."""


@dataclass(frozen=True)
class ExamRows:
    """The exams that features of a day look at, in no order."""

    columns: dict[str, NDArray[Any]]
    """Each (exams,), as :data:`NUMBERS` says: ``pupil`` is the timeline's number, ``day`` counts from 1970,
    ``subject`` is a place in ``spellings``, ``half`` as :func:`half_of`; ``what`` are bits of
    :mod:`risk_model.features.exam_columns` but for ``CORE``; ``hundredths`` of a percent of the points."""
    spellings: tuple[str, ...]
    """Subjects as they were delivered."""


class ExamSource(Protocol):
    """Where exams come from; every source says the same."""

    def rows(self, con: duckdb.DuckDBPyConnection, day: date) -> ExamRows:
        """The exams of ``timeline_pupils`` that features of ``day`` look at."""


@dataclass(frozen=True)
class KnownExams:
    """Exams row by row out of ``known.results``: on any day, of anybody."""

    results: str = "known.results"
    """SQL, after ``FROM``, of the register's rows under the pupils' newest identifiers."""

    def rows(self, con: duckdb.DuckDBPyConnection, day: date) -> ExamRows:
        asked = {"results": self.results, "looked_at": looked_at(f"DATE '{day}'")}
        con.execute(_SPELLINGS.format(**asked))
        spellings = con.execute("SELECT subject FROM exam_spellings ORDER BY no").fetchall()
        # By way of a table, as everything that is fetched from a join.
        con.execute(_EXAMS.format(**asked))
        return ExamRows(arrays(con, "FROM exams_read"), tuple(subject for (subject,) in spellings))


KNOWN_EXAMS = KnownExams()


def arrays(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, NDArray[Any]]:
    """Columns of exams, as :data:`NUMBERS` says."""
    found = con.execute(query).fetchnumpy()
    return {name: np.asarray(found[name]).astype(kind, copy=False) for name, kind in NUMBERS.items()}


def half_year(day: str) -> str:
    """SQL: number of the school half-year of ``day``: August to January is even, February to July odd.

    The day of the exam decides and not the delivered ``term``, which is optional and spelled freely.
    """
    return f"(2 * (year({day}) - (month({day}) < 8)::INTEGER) + (month({day}) BETWEEN 2 AND 7)::INTEGER)"


def half_of(day: date) -> int:
    """The same of a day of Python's.

    >>> half_of(date(2026, 1, 31)), half_of(date(2026, 2, 1)), half_of(date(2026, 8, 1))
    (4050, 4051, 4052)
    """
    return 2 * (day.year - (day.month < 8)) + (2 <= day.month <= 7)


def first_half_of(day: date) -> int:
    """The earliest half-year with an exam that features of ``day`` look at.

    >>> first_half_of(date(2024, 2, 29))
    4043
    """
    return half_of(date(day.year - YEARS_BACK, day.month, min(day.day, 28)))


def looked_at(snapshot: str) -> str:
    """SQL: whether an exam is one that features of the day ``snapshot`` (SQL, too) look at."""
    return f"assessed_on <= {snapshot} AND assessed_on > {snapshot} - INTERVAL {YEARS_BACK} YEAR"


WHAT = (
    f"(CASE WHEN coalesce(sat, true) AND score IS NOT NULL THEN {SAT} ELSE 0 END"
    f" + CASE WHEN sat IS NOT DISTINCT FROM false THEN {MISSED} ELSE 0 END"
    f" + CASE WHEN score * 10 < max_score * 6 THEN {FAILED} ELSE 0 END)::UTINYINT"
)
"""SQL: the bits of ``what`` of a row of the register."""

HUNDREDTHS = "coalesce(round(10000 * score / max_score), 0)::INTEGER"
"""SQL: ``hundredths`` of a row of the register."""

_SPELLINGS = """
CREATE OR REPLACE TEMP TABLE exam_spellings AS
SELECT subject, (row_number() OVER (ORDER BY subject) - 1)::SMALLINT AS no
FROM (SELECT DISTINCT subject FROM {results} WHERE {looked_at})
"""

_EXAMS = f"""
CREATE OR REPLACE TEMP TABLE exams_read AS
SELECT n.student_no::INTEGER AS pupil, (assessed_on - DATE '1970-01-01')::INTEGER AS day, s.no AS subject,
       {half_year("assessed_on")}::SMALLINT AS half, {WHAT} AS what, {HUNDREDTHS} AS hundredths
FROM {{results}} JOIN timeline_pupils n USING (student_id) JOIN exam_spellings s USING (subject)
WHERE {{looked_at}}
"""
