"""A night's stored values and contributions are read back for everybody, whatever parts they lie in."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select

from risk_model.lake.attaching import connect
from risk_model.run_evidence import facts_of_run, values_of_some
from serving.database import open_database
from serving.tables import Run, Score
from tests.nights import FEATURES, CountyOffice, county_office, county_office_with_archive  # noqa: F401


@pytest.fixture
def database() -> None:
    """The home's own SQLite: the files of a run do not lie in the service database."""


@pytest.mark.parametrize("rows", [7, 100_000])
def test_everybody_scored_is_read_back_with_values_that_add_up_to_the_risk(office: CountyOffice, rows: int):
    document = office.score()
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        run = connection.execute(select(Run)).one()
        risks = dict(connection.execute(select(Score.student_id, Score.risk)).all())
    with connect(office.settings, office.home.data / "spill") as con:
        parts = list(facts_of_run(con, office.home, run.key, rows=rows))
    ids = np.concatenate([part.student_ids for part in parts])
    scored = office.frame[office.frame["status"] == "scored"].set_index("student_id").loc[ids]
    assert len(ids) == document["status"]["scored"] == len(scored)
    read = np.concatenate([part.values for part in parts])
    names = run.features.strip("[]").replace('"', "").split(", ")
    np.testing.assert_array_equal(read, scored[names].to_numpy(float))
    margins = run.base + np.concatenate([part.contributions for part in parts]).sum(axis=1)
    assert set(names) == set(FEATURES)
    np.testing.assert_allclose(1 / (1 + np.exp(-margins)), [risks[pupil] for pupil in ids], rtol=1e-9)


def test_a_run_that_was_thinned_away_has_nothing_to_read(office: CountyOffice):
    with connect(office.settings, office.home.data / "spill") as con:
        assert list(facts_of_run(con, office.home, "gone")) == []
        assert len(values_of_some(con, office.home, "gone", 10)) == 0


def test_a_sample_is_pupils_of_the_run_and_the_same_ones_again(office: CountyOffice):
    office.score()
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        key = connection.execute(select(Run.key)).scalar_one()
    with connect(office.settings, office.home.data / "spill") as con:
        everybody = {row.tobytes() for part in facts_of_run(con, office.home, key) for row in part.values}
        some, again = (values_of_some(con, office.home, key, 30) for _ in range(2))
        assert len(values_of_some(con, office.home, key, 10_000)) == office.score()["status"]["scored"]
    np.testing.assert_array_equal(some, again)
    assert 5 < len(some) < 60
    assert {row.tobytes() for row in some} <= everybody
