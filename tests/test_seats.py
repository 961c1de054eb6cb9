"""From a pupil to the rows of each run, without an index that every night makes a million entries longer."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import create_engine, select, text

from risk_model.home import Home
from risk_model.settings import Settings
from serving import publication
from serving.database import open_database
from serving.pruning import analyze
from serving.publication import COLUMNS
from serving.seats import of_pupils
from serving.tables import PUBLISHED, Published, Run, Score, Seat
from tests.databases import each_database  # noqa: F401
from tests.made_up_runs import made_up_run, run_key

PUPIL, SCHOOL = COLUMNS.index("student_id"), COLUMNS.index("school_id")
MOVER = "G5201200000000003"


@pytest.fixture
def engine(tmp_path, database):
    with open_database(Home(tmp_path), Settings(database_url=database)) as engine:
        yield engine


def publish(engine, day, moved=False) -> int:
    """Three schools of 50; the ``moved`` pupil sits at another school that night."""
    rows, schools = made_up_run(3, 50)
    if moved:
        rows = [
            (*row[:SCHOOL], "5201200002", *row[SCHOOL + 1 :]) if row[PUPIL] == MOVER else row for row in rows
        ]
        rows.sort(key=lambda row: (row[SCHOOL], row[PUPIL]))
    run = publication.begin(engine, run_key(day, day.day), 0.1, [])
    publication.stage(engine, run, rows, schools)
    publication.check(engine, run, len(rows))
    with engine.begin() as connection:
        publication.publish(connection, run)
        publication.finish(connection, run, PUBLISHED, {})
    return run


def seats(engine) -> set[tuple[str, str]]:
    with engine.connect() as connection:
        return set(map(tuple, connection.execute(select(Seat.student_id, Seat.school_id))))


def test_a_pupils_rows_are_found_wherever_he_sat(engine):
    nights = [publish(engine, date(2026, 6, day), moved=day > 2) for day in (1, 2, 3, 4)]
    query = of_pupils(select(Score.run, Score.school_id), [MOVER]).order_by(Score.run)
    with engine.connect() as connection:
        found = connection.execute(query).all()
        every = select(Score.run, Score.school_id).where(Score.student_id == MOVER).order_by(Score.run)
        assert found == connection.execute(every).all()
    assert [run for run, _ in found] == nights
    assert {school for _, school in found} == {"5201200000", "5201200002"}


def test_every_row_of_every_run_has_its_seat_and_no_night_adds_one_for_who_stayed(engine):
    publish(engine, date(2026, 6, 1))
    first = seats(engine)
    publish(engine, date(2026, 6, 2))
    assert seats(engine) == first
    publish(engine, date(2026, 6, 3), moved=True)
    assert seats(engine) - first == {(MOVER, "5201200002")}
    with engine.connect() as connection:
        sat = set(map(tuple, connection.execute(select(Score.student_id, Score.school_id).distinct())))
    assert sat == seats(engine)


def test_a_run_nobody_published_seats_its_pupils_too(engine):
    """The next run passes over those of the last published one: what was only staged must not count."""
    rows, schools = made_up_run(2, 10)
    publication.stage(engine, publication.begin(engine, run_key(date(2026, 6, 1)), 0.1, []), rows, schools)
    assert len(seats(engine)) == 20
    publish(engine, date(2026, 6, 2))
    assert len(seats(engine)) == 150


@pytest.mark.parametrize(
    "query",
    [
        of_pupils(
            select(Score.risk).join(
                Published, (Published.school_id == Score.school_id) & (Published.run == Score.run)
            ),
            [MOVER],
        ),
        of_pupils(select(Score.risk).join(Run, Run.id == Score.run), [MOVER]),
    ],
    ids=["published", "history"],
)
def test_no_score_is_looked_for_from_end_to_end(tmp_path, query):
    """SQLite's plan: every table of many rows is searched by its key."""
    with open_database(Home(tmp_path), Settings()) as engine:
        for day in (1, 2):
            publish(engine, date(2026, 6, day))
        analyze(engine)  # as every night does
        said = query.compile(engine, compile_kwargs={"literal_binds": True})
        with engine.connect() as connection:
            plan = [row[3] for row in connection.execute(text(f"explain query plan {said}"))]
    assert not [step for step in plan if step.startswith(("SCAN scores", "SCAN seats"))], plan
    (found,) = [step for step in plan if step.startswith("SEARCH scores")]
    assert "run=? AND school_id=? AND student_id=?" in found


def test_a_database_of_before_gets_the_seats_of_its_runs(tmp_path):
    """Migration 0008 on a database that holds runs."""
    from alembic import command

    from serving.database import _configuration

    home = Home(tmp_path)
    with open_database(home, Settings()) as engine:
        publish(engine, date(2026, 6, 1), moved=True)
        before = seats(engine)
    old = create_engine(f"sqlite:///{home.service_database}")
    with old.begin() as connection:
        configuration = _configuration()
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "0007")
    with old.connect() as connection:
        names = connection.execute(text("select name from sqlite_master where name = 'scores_of_student'"))
        assert names.all()
    old.dispose()
    with open_database(home, Settings()) as engine:
        assert seats(engine) == before
