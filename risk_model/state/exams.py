"""Exams by county and half-year: built, written anew where something changed, and read for a night.

A row is what features read of an exam (:mod:`risk_model.features.exam_rows`), without a text: pupils and
subjects are numbers of the state.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from risk_model.features.exam_rows import (
    HUNDREDTHS,
    KNOWN_EXAMS,
    WHAT,
    ExamRows,
    KnownExams,
    arrays,
    first_half_of,
    half_year,
    looked_at,
)
from risk_model.lake.attaching import attach, has_table, quoted
from risk_model.lake.known import ALIASES
from risk_model.state import storage
from risk_model.state.reading import Kept, mark_damaged
from risk_model.state.storage import STATE

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

_log = logging.getLogger(__name__)
_HALF = half_year("assessed_on")
_OF_LAKE = f"""
    SELECT county_id, pupil, assessed_on, no AS subject, {_HALF}::SMALLINT AS half, {WHAT} AS what,
        {HUNDREDTHS} AS hundredths
    FROM lake.results JOIN {STATE}.pupils USING (student_id) JOIN {STATE}.subjects USING (subject)"""
"""SQL: the lake's exams in force, as the state holds them."""


@dataclass(frozen=True)
class StateExams(Kept):
    """Exams out of the state of ``folder`` at its snapshot; for a process anywhere that sees the folder.

    Of pupils who changed identifier two rows may tell of one exam, and the register knows which was told
    last: their exams are read from ``renamed``.
    """

    renamed: str = "known.results"
    """SQL, after ``FROM``, of the register's rows of pupils who changed identifier; others are ignored."""

    def rows(self, con: duckdb.DuckDBPyConnection, day: date) -> ExamRows:
        """The exams of ``timeline_pupils`` that features of ``day`` look at."""
        try:
            attach(con, self.folder, STATE, snapshot=self.snapshot)
            kept = self._rows(con, day)
        except duckdb.Error as error:
            _log.warning("The state in %s cannot be read, so the lake is: %s", self.folder, error)
            mark_damaged(self.folder)
            return KNOWN_EXAMS.rows(con, day)
        finally:
            storage.detach(con)
        if not has_table(con, "temp", ALIASES):
            return kept
        of_them = f"(SELECT * FROM {self.renamed} SEMI JOIN {ALIASES} ON new_id = student_id)"
        return _together(kept, KnownExams(of_them).rows(con, day))

    def _rows(self, con: duckdb.DuckDBPyConnection, day: date) -> ExamRows:
        rows = self.rows_of_pupils(con, renamed=False)
        today = f"DATE '{day}'"
        found = arrays(
            con,
            "SELECT pupil, (assessed_on - DATE '1970-01-01')::INTEGER AS day, subject, half, what, "
            f"hundredths FROM {STATE}.exams WHERE half >= {first_half_of(day)}{self.here()}"
            f" AND {looked_at(today)}",
        )
        found["pupil"] = rows[found["pupil"]]
        asked = found["pupil"] >= 0
        spellings = con.execute(f"SELECT subject FROM {STATE}.subjects ORDER BY no").fetchall()
        told = {name: column[asked] for name, column in found.items()}
        return ExamRows(told, tuple(subject for (subject,) in spellings))


def build_exams(con: duckdb.DuckDBPyConnection, through: date) -> None:
    """Write all half-years that a night of ``through``, or of a later day, can ask for; the state is new."""
    first = first_half_of(through)
    rows = f"SELECT DISTINCT {_HALF} AS half FROM lake.results"
    halves = con.execute(f"FROM ({rows}) WHERE half >= {first} ORDER BY ALL").fetchall()
    _name_subjects(con, f"SELECT subject FROM lake.results WHERE {_HALF} >= {first}")
    for (half,) in halves:
        con.execute(f"INSERT INTO {STATE}.exams {_OF_LAKE} WHERE {_HALF} = {half} ORDER BY pupil")


def rewrite_exams(con: duckdb.DuckDBPyConnection, first: int) -> int:
    """Write anew what ``state_examined`` and ``state_moved`` touch; answers how many files that were.

    Earlier half-years than ``first`` are let go.
    """
    con.execute(f"DELETE FROM {STATE}.exams WHERE half < {first}")
    con.execute(_TOUCHED, {"first": first})
    con.execute(_FRESH)
    _name_subjects(con, "SELECT subject FROM state_fresh")
    stale = _stale_files(con)
    for half, counties in sorted(stale.items()):
        _rewrite(con, half, counties)
    return sum(map(len, stale.values()))


def _rewrite(con: duckdb.DuckDBPyConnection, half: int, counties: Collection[str]) -> None:
    """A half-year of some counties: touched pupils as the lake has them, all else as it was."""
    files = f"half = {half} AND county_id IN ({', '.join(map(quoted, sorted(counties)))})"
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE state_exams_kept AS
        SELECT pupil, assessed_on, subject, half, what, hundredths FROM {STATE}.exams WHERE {files}
            AND pupil NOT IN (SELECT pupil FROM state_exams_touched WHERE half = {half})
        UNION ALL SELECT pupil, assessed_on, no, half, what, hundredths
        FROM state_fresh JOIN {STATE}.subjects USING (subject) WHERE half = {half}""")
    con.execute(f"DELETE FROM {STATE}.exams WHERE {files}")
    con.execute(f"""
        INSERT INTO {STATE}.exams BY NAME
        SELECT * FROM state_exams_kept JOIN (SELECT county_id, pupil FROM {STATE}.pupils) USING (pupil)
        ORDER BY pupil""")


def _name_subjects(con: duckdb.DuckDBPyConnection, told: str) -> None:
    """Number the spellings of subjects that have no number yet; a number never changes."""
    con.execute(f"""
        INSERT INTO {STATE}.subjects
        SELECT subject, row_number() OVER (ORDER BY subject)
            + (SELECT coalesce(max(no), -1) FROM {STATE}.subjects)
        FROM (SELECT DISTINCT subject FROM ({told})) ANTI JOIN {STATE}.subjects USING (subject)""")


def _stale_files(con: duckdb.DuckDBPyConnection) -> dict[int, set[str]]:
    """Counties of each half-year that have to be written anew: touched, or left or entered by a pupil."""
    found = con.execute(f"""
        SELECT DISTINCT half, county_id FROM state_exams_touched JOIN {STATE}.pupils USING (pupil)
        UNION SELECT half, unnest([was, now]) FROM {STATE}.exams JOIN state_moved USING (pupil)
        WHERE county_id = was""").fetchall()
    stale: dict[int, set[str]] = defaultdict(set)
    for half, county in found:
        stale[int(half)].add(county)
    return stale


def put_examined(lake: Lake, changed: str) -> None:
    """Make ``state_examined(student_id, half)`` of exams in ``changed`` (SQL: ``student_id, assessed_on``)
    and of pupils in ``state_seen`` whom the state does not know yet; before these get their numbers."""
    lake.con.execute(f"""
        CREATE OR REPLACE TEMP TABLE state_examined AS
        SELECT DISTINCT student_id, {_HALF} AS half FROM ({changed})
        UNION SELECT student_id, {_HALF} AS half FROM lake.results
        SEMI JOIN (FROM state_seen ANTI JOIN {STATE}.pupils USING (student_id)) USING (student_id)""")


_TOUCHED = f"""
CREATE OR REPLACE TEMP TABLE state_exams_touched AS
SELECT DISTINCT student_id, pupil, half FROM state_examined JOIN {STATE}.pupils USING (student_id)
WHERE half >= $first
"""

_FRESH = f"""
CREATE OR REPLACE TEMP TABLE state_fresh AS
SELECT pupil, assessed_on, subject, half, {WHAT} AS what, {HUNDREDTHS} AS hundredths
FROM (SELECT *, {_HALF}::SMALLINT AS half FROM lake.results
      SEMI JOIN (SELECT DISTINCT student_id FROM state_exams_touched) USING (student_id))
JOIN state_exams_touched USING (student_id, half)
"""


def _together(some: ExamRows, others: ExamRows) -> ExamRows:
    """Rows of both; spellings of the second follow those of the first."""
    shifted = others.columns | {"subject": others.columns["subject"] + np.int16(len(some.spellings))}
    columns = {name: np.concatenate([some.columns[name], shifted[name]]) for name in some.columns}
    return ExamRows(columns, some.spellings + others.spellings)
