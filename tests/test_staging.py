"""Staging: a run may be written in any parts, and what is published is what was computed, row for row."""

from __future__ import annotations

from datetime import date
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from risk_model.home import Home
from risk_model.settings import Settings
from serving import publication
from serving.database import open_database
from serving.publication import IncompleteRunError
from serving.tables import PUBLISHED, Run
from tests.databases import each_database  # noqa: F401
from tests.made_up_runs import made_up_run, run_key

DAY = date(2026, 3, 2)
SCHOOLS, PUPILS = 7, 12
ROWS, ENTRIES = made_up_run(SCHOOLS, PUPILS)
SCHOOL = ENTRIES[3]["school_id"]
SNAPSHOTS = count(1)


@pytest.fixture
def engine(tmp_path, database):
    with open_database(Home(tmp_path), Settings(database_url=database)) as engine:
        yield engine


def staged(engine, cuts=()) -> int:
    """The run staged in parts that end before the schools ``cuts``, its last part first."""
    run = publication.begin(engine, run_key(DAY, next(SNAPSHOTS)), -3.0, ("absence_14",))
    bounds = [0, *sorted(set(cuts)), SCHOOLS]
    for first, last in reversed([*pairwise(bounds)]):
        publication.stage(engine, run, ROWS[first * PUPILS : last * PUPILS], ENTRIES[first:last])
    return run


def checksum_of(engine, run: int) -> str:
    publication.check(engine, run, len(ROWS))
    with engine.begin() as connection:
        publication.finish(connection, run, PUBLISHED, {})
        return connection.execute(select(Run.checksum).where(Run.id == run)).scalar_one()


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    cuts=st.sets(st.integers(1, SCHOOLS - 1)),
    batch=st.integers(5, SCHOOLS * PUPILS),
)
def test_a_run_has_one_checksum_into_whatever_parts_it_is_cut(engine, cuts, batch):
    with pytest.MonkeyPatch.context() as patched:
        whole = checksum_of(engine, staged(engine))
        patched.setattr(publication, "BATCH", batch)
        assert checksum_of(engine, staged(engine, cuts)) == whole


def test_other_rows_have_another_checksum(engine):
    whole = checksum_of(engine, staged(engine))
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(globals(), "ROWS", made_up_run(SCHOOLS, PUPILS, seed=2)[0])
        assert checksum_of(engine, staged(engine)) != whole


TAMPERED = {
    "a risk changed": "update scores set risk = risk + 1e-15 where student_id = :pupil",
    "a rank changed": "update scores set rank = rank + 1 where student_id = :pupil",
    "a reason changed": "update scores set reasons = reasons || ' ' where student_id = :pupil",
    "a row lost": "delete from scores where student_id = :pupil",
    "a row moved": "update scores set school_id = '5201200001' where student_id = :pupil",
    "a row doubled": (
        "insert into scores select run, school_id, student_id || 'x', class_id, class_key, grade, status, "
        "risk, rank, rank_in_school, rank_in_class, listed, reasons from scores where student_id = :pupil"
    ),
    "a row swapped": (
        "update scores set student_id = case student_id when :pupil then 'swapped' else student_id end"
    ),
    "a school lost": "delete from scores where school_id = :school",
    "a school forgotten": "delete from run_schools where school_id = :school",
    "a school lost and forgotten": None,
    "a checksum changed": "update run_schools set checksum = 'f00' where school_id = :school",
}


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_happens_to_a_staged_row_is_noticed(engine, what):
    run = staged(engine, cuts=(2, 5))
    names = {"pupil": f"G{SCHOOL}000004", "school": SCHOOL}
    forgotten = ("a school lost", "a school forgotten")
    statements = [TAMPERED[what]] if TAMPERED[what] else [TAMPERED[other] for other in forgotten]
    with engine.begin() as connection:
        for statement in statements:
            used = {name: value for name, value in names.items() if f":{name}" in statement}
            assert connection.execute(text(statement), used).rowcount
    with pytest.raises(IncompleteRunError, match="Nothing was published"):
        publication.check(engine, run, len(ROWS))


def test_a_run_nobody_touched_passes_and_one_of_another_size_does_not(engine):
    run = staged(engine, cuts=(1,))
    publication.check(engine, run, len(ROWS))
    with pytest.raises(IncompleteRunError, match="84 rows of the run, not the 85"):
        publication.check(engine, run, len(ROWS) + 1)


def test_an_empty_run_and_a_school_without_pupils_can_be_staged(engine):
    run = publication.begin(engine, run_key(DAY), None, ())
    publication.stage(engine, run, [], [])
    publication.stage(engine, run, [], [{**ENTRIES[0], "pupils": 0}])
    publication.check(engine, run, 0)
