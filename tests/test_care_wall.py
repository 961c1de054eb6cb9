"""PostgreSQL's wall around care: who may not see the pupil sees no case, step, note or objection of his."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from risk_model.home import Home
from risk_model.settings import Settings
from serving.access.deciding import Viewer
from serving.access.second_wall import database_identity
from serving.care import steps, voices
from serving.care.cases import case_of, steps_since
from serving.database import open_database
from tests import cast

TABLES = ("care_cases", "care_steps", "care_notes", "care_nominations", "care_objections")


@pytest.fixture
def engine(tmp_path, cluster) -> Iterator[Engine]:
    """Mei of A 7A in care, with a note, a nomination and an objection."""
    with open_database(Home(tmp_path), Settings(database_url=cluster.new_database())) as engine:
        with engine.begin() as connection:
            cast.settle(connection)
            teacher = cast.viewer(connection, "T-CHEN")
            steps.open_case(connection, teacher, "S-MEI", "T-CHEN", cast.NOW)
            voices.note(connection, teacher, "S-MEI", "spoke with her", cast.NOW)
            voices.nominate(connection, teacher, "S-MEI", "silent", cast.NOW)
            voices.object_to(connection, teacher, "S-MEI", "travel_km", "moved", cast.NOW)
        yield engine


def become(connection: Connection, staff_id: str) -> None:
    database_identity(connection, cast.viewer(connection, staff_id), cast.NOW)


def counts(connection: Connection) -> dict[str, int]:
    """Rows seen by whoever asks, with no filter of ours."""
    return {table: connection.execute(text(f"select count(*) from {table}")).scalar_one() for table in TABLES}


@pytest.mark.parametrize(("staff_id", "sees"), [("T-CHEN", 1), ("P-A", 1), ("O-K", 1)])
def test_those_who_may_see_the_pupil_see_her_care_and_go_on_with_it(engine, staff_id, sees):
    with engine.begin() as connection:
        become(connection, staff_id)
        assert counts(connection) == dict.fromkeys(TABLES, sees)
        case = case_of(connection, "S-MEI")
        steps.review(connection, Viewer(1, "x", "person", staff_id), case.id, 1, "agree", "", cast.NOW)
        assert len(steps_since(connection, case.id)) == 2


@pytest.mark.parametrize("staff_id", ["T-ZHAO", "T-OLD", "T-SOON", "P-B", "O-M", "D-K", cast.ADMINISTRATOR])
def test_nobody_else_sees_anything_or_writes_of_her(engine, staff_id):
    with engine.begin() as connection:
        stranger = cast.viewer(connection, staff_id)
        become(connection, staff_id)
        assert counts(connection) == dict.fromkeys(TABLES, 0)
        assert case_of(connection, "S-MEI") is None
        with pytest.raises(DBAPIError, match="row-level security"):
            voices.note(connection, stranger, "S-MEI", "x", cast.NOW)
