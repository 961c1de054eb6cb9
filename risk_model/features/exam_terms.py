"""Each pupil's exams by half-year, set against the county's: the relation of the features of learning.

``exam_terms(pupil, half, term_no, …)`` has a row per scored pupil and half-year with an exam sat or missed,
with the columns of :mod:`risk_model.features.exam_columns`; ``term_no`` 1 is the latest. A z-score is the
distance from the mean of the same county, grade, subject and half-year in standard deviations. z-scores are
kept as whole millionths and scores as whole hundredths of a percent, so that no sum depends on the order of
the rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risk_model.features.exam_columns import COLUMNS, CORE, SAT
from risk_model.features.exam_rows import KNOWN_EXAMS, ExamSource, first_half_of
from risk_model.features.sql import sql_list

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

CORE_SUBJECTS = ("chinese", "math", "english")
"""Core subjects of compulsory education; spellings below mean the same."""
CORE_SPELLINGS = (*CORE_SUBJECTS, "mathematics", "maths", "语文", "数学", "英语", "外语")
FEWEST_SAT = 10
"""A z-score needs so many results in its grade, subject, half-year and county."""
GRADES = 16
"""More than there are: a grade is a place in a table of norms."""


def put_exam_terms(
    con: duckdb.DuckDBPyConnection, day: date, source: ExamSource = KNOWN_EXAMS, *, of_part: bool = False
) -> None:
    """Make the temp table ``exam_terms`` of ``day`` from the exams of ``source``, ``spells`` and ``scored``.

    ``of_part``: norms of other counties are taken over from ``elsewhere_norms`` (:mod:`risk_model.parts`).
    """
    import pyarrow as pa

    from risk_model.features.exam_kernels import terms_of_pupils

    exams, cell, cells = _read(con, day, source)
    norms = _sums(exams, cell, math.prod(cells))
    if of_part:
        _put_norms_elsewhere(con, norms, cells)
    pupils = np.sort(_arrays(con, "SELECT pupil FROM scored")["pupil"])
    places, halves, sums = terms_of_pupils(
        *(exams[name] for name in ("pupil", "half", "what", "hundredths")), cell, norms.n, norms.total,
        norms.spread(), pupils,
    )  # fmt: skip
    told = {
        "pupil": pa.array(pupils[places]),
        "half": pa.array(halves),
        "term_no": pa.array(_term_no(places)),
    }
    told |= {name: pa.array(np.ascontiguousarray(sums[:, at])) for at, name in enumerate(COLUMNS)}
    con.register("found_terms", pa.table(told))
    con.execute("CREATE OR REPLACE TEMP TABLE exam_terms AS FROM found_terms")
    con.unregister("found_terms")


def _arrays(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(column) for name, column in con.execute(query).fetchnumpy().items()}


@dataclass(frozen=True)
class Norms:
    """What the scores of each cell of county, grade, subject and half-year add up to; each (cells,)."""

    n: NDArray[np.int64]
    total: NDArray[np.int64]
    squares: NDArray[np.int64]

    def spread(self) -> NDArray[np.float64]:
        """n times the standard deviation; 0: not to be compared."""
        # Whole numbers beyond 64 bits where a county has a million pupils of a grade.
        variance = self.n.astype(object) * self.squares - self.total.astype(object) * self.total
        found = np.sqrt(np.maximum(variance, 0).astype(np.float64))
        return np.where(self.n >= FEWEST_SAT, found, 0.0)


def norms_of(con: duckdb.DuckDBPyConnection, day: date, source: ExamSource = KNOWN_EXAMS) -> pa.Table:
    """The norms of the counties of a part, for others: ``elsewhere_norms`` of :mod:`risk_model.parts`.

    Needs the part's ``spells`` and ``timeline_pupils``.
    """
    import pyarrow as pa

    exams, cell, cells = _read(con, day, source)
    norms = _sums(exams, cell, math.prod(cells))
    filled = np.flatnonzero(norms.n)
    county, grade, subject, half = np.unravel_index(filled, cells)
    columns = (county, grade, subject, half, norms.n[filled], norms.total[filled], norms.squares[filled])
    names = ("county", "grade", "subject", "half", "n", "total", "squares")
    con.register("found_norms", pa.table(dict(zip(names, columns, strict=True))))
    told = con.execute(_NORMS_FOR_OTHERS).to_arrow_table()
    con.unregister("found_norms")
    return told


def _read(
    con: duckdb.DuckDBPyConnection, day: date, source: ExamSource
) -> tuple[dict[str, NDArray[Any]], NDArray[np.int32], tuple[int, int, int, int]]:
    """The exams, the cell of each in the table of norms (−1: no grade), and the table's shape.

    Makes ``exams`` of them for :mod:`risk_model.quality`. Subjects and half-years are numbered from 0 on, a
    subject by its name however it was spelled.
    """
    import pyarrow as pa

    told = source.rows(con, day)
    number, core = _put_subjects(con, told.spellings)
    spelling = told.columns["subject"]
    exams = told.columns | {
        "subject": number[spelling],
        "half": told.columns["half"] - np.int16(first_half_of(day)),
        "what": told.columns["what"] | np.where(core[spelling], np.uint8(CORE), np.uint8(0)),
    }
    con.register("exams", pa.table(exams))
    for statement in (_COUNTIES, _TAUGHT):
        con.execute(statement)
    taught = _arrays(con, "FROM taught ORDER BY pupil, from_day")
    return exams, *_placed(exams, taught)


def _put_subjects(
    con: duckdb.DuckDBPyConnection, spellings: tuple[str, ...]
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Make ``subjects(spelling, subject, no, core)``; the number of each spelling, and whether it is core."""
    con.execute(_SUBJECTS, [list(spellings)])
    found = con.execute("SELECT no, core FROM subjects ORDER BY spelling").fetchnumpy()
    return np.asarray(found["no"]).astype(np.int16), np.asarray(found["core"]).astype(np.bool_)


def _placed(
    exams: dict[str, NDArray[Any]], taught: dict[str, NDArray[Any]]
) -> tuple[NDArray[np.int32], tuple[int, int, int, int]]:
    """The cell of the table of norms (n,) of each exam, −1 without a grade; and the table's shape.

    Grade and county are those of the spell the pupil had begun last.
    """
    from risk_model.features.exam_kernels import cells_of_exams

    subjects = int(exams["subject"].max(initial=-1)) + 1
    halves = int(exams["half"].max(initial=-1)) + 1
    counties = int(taught["county"].max(initial=-1)) + 1
    last = int(max(exams["pupil"].max(initial=0), taught["pupil"].max(initial=0)))
    begin = np.searchsorted(taught["pupil"], np.arange(last + 2)).astype(np.int64)
    cell = cells_of_exams(
        *(exams[name] for name in ("pupil", "day", "subject", "half")),
        *(begin, taught["from_day"], taught["grade"], taught["county"], subjects, halves, GRADES),
    )
    return cell, (counties, GRADES, subjects, halves)


def _sums(exams: dict[str, NDArray[Any]], cell: NDArray[np.int32], cells: int) -> Norms:
    counted = (cell >= 0) & ((exams["what"] & SAT) > 0)
    at, score = cell[counted], exams["hundredths"][counted].astype(np.int64)
    n = np.bincount(at, minlength=cells).astype(np.int64)
    total, squares = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    np.add.at(total, at, score)
    np.add.at(squares, at, score * score)
    return Norms(n, total, squares)


def _put_norms_elsewhere(
    con: duckdb.DuckDBPyConnection, norms: Norms, cells: tuple[int, int, int, int]
) -> None:
    """Replace, in place, the norms of other counties, of which a few pupils were seen only."""
    others = _arrays(con, "SELECT no FROM exam_counties WHERE county_id NOT IN (FROM part_counties)")["no"]
    told = _arrays(con, _NORMS_ELSEWHERE)
    known = (told["subject"] < cells[2]) & (told["half"] < cells[3])
    at = np.ravel_multi_index(
        tuple(told[name][known].astype(np.int64) for name in ("county", "grade", "subject", "half")), cells
    )
    for name in ("n", "total", "squares"):
        table = getattr(norms, name)
        table.reshape(cells)[others] = 0
        table[at] = told[name][known]


def _term_no(places: NDArray[np.int64]) -> NDArray[np.int32]:
    """1, 2, … for the rows of each pupil, which come latest half-year first."""
    first = np.searchsorted(places, places)
    return (np.arange(len(places)) - first + 1).astype(np.int32)


_SUBJECTS = f"""
CREATE OR REPLACE TEMP TABLE subjects AS
SELECT spelling, lower(subject) AS subject, (dense_rank() OVER (ORDER BY lower(subject)) - 1)::SMALLINT AS no,
       lower(subject) IN {sql_list(CORE_SPELLINGS)} AS core
FROM (SELECT unnest(spellings) AS subject, generate_subscripts(spellings, 1) AS spelling
      FROM (SELECT ?::VARCHAR[] AS spellings))
"""

_COUNTIES = """
CREATE OR REPLACE TEMP TABLE exam_counties AS
SELECT county_id, (row_number() OVER (ORDER BY county_id) - 1)::INTEGER AS no
FROM (SELECT DISTINCT county_id FROM spells)
"""

# Of two spells begun on one day the later school_id counts, so that the grade does not depend on the order
# of the rows.
_TAUGHT = """
CREATE OR REPLACE TEMP TABLE taught AS
SELECT n.student_no AS pupil, e.started_on - DATE '1970-01-01' AS from_day,
       max_by(e.grade, e.school_id)::SMALLINT AS grade, max_by(c.no, e.school_id) AS county
FROM spells e JOIN timeline_pupils n USING (student_id) JOIN exam_counties c USING (county_id)
GROUP BY n.student_no, e.started_on
"""

_NORMS_FOR_OTHERS = """
SELECT c.county_id, f.grade::SMALLINT AS grade, any_value(s.subject) AS subject,
       f.half::SMALLINT AS half, f.n, f.total, f.squares
FROM found_norms f JOIN exam_counties c ON c.no = f.county JOIN subjects s ON s.no = f.subject
WHERE c.county_id IN (FROM part_counties) GROUP BY ALL ORDER BY ALL
"""

_NORMS_ELSEWHERE = """
SELECT c.no AS county, e.grade, s.no AS subject, e.half, e.n, e.total, e.squares
FROM elsewhere_norms e JOIN (SELECT * FROM exam_counties WHERE county_id NOT IN (FROM part_counties)) c
    USING (county_id)
JOIN (SELECT DISTINCT subject, no FROM subjects) s USING (subject)
"""
