"""What monitoring reads of the service database is what the night wrote, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitoring.runs import ServiceUnreadableError, open_service
from risk_model.errors import MissingError
from risk_model.home import Home
from risk_model.settings import Settings
from tests.databases import each_database  # noqa: F401
from tests.nights import MONDAY, CountyOffice, county_office, county_office_with_archive  # noqa: F401


def test_runs_scores_schools_and_the_lists_that_are_live(office: CountyOffice):
    office.score(MONDAY)
    office.silent.add("B")
    office.new_registers()
    tuesday = MONDAY + timedelta(days=1)
    document = office.score(tuesday)
    with open_service(office.home, office.settings) as service:
        first, second = service.runs(tuesday)
        scores, schools = service.scores(second), service.schools(second)
        live = service.lists_live().set_index("school_id")["as_of"]
        assert [run.as_of for run in service.runs(MONDAY)] == [MONDAY]
        assert service.pupils(second) == document["students"] == len(scores)
    assert (first.as_of, second.as_of) == (MONDAY, tuesday)
    assert second.document["held_back"] == document["held_back"]
    assert second.features == tuple(office.champion.load().features)
    assert int(scores["listed"].sum()) == document["listed"]
    assert set(scores["county_id"]) == {"K"}
    assert schools.set_index("school_id")["held_back"].notna().to_dict() == {
        "A": False,
        "B": True,
        "C": False,
    }
    assert {school: str(day) for school, day in live.items()} == {
        "A": str(tuesday), "B": str(MONDAY), "C": str(tuesday),
    }  # fmt: skip


def test_a_home_that_never_scored_says_so(tmp_path):
    with pytest.raises(MissingError, match="score"), open_service(Home(tmp_path), Settings()):
        pass


def test_a_database_without_our_tables_says_what_to_do(tmp_path):
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(ServiceUnreadableError, match="score"), open_service(Home(tmp_path), settings):
        pass
