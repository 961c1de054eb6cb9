"""Publication: per school, whole or not at all, once, never back in time unless asked."""

from __future__ import annotations

import json
import multiprocessing
import threading
from datetime import date, timedelta
from time import monotonic, sleep
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select, text

from risk_model.errors import LockHeldError, MissingError, UsageError
from risk_model.home import Home
from risk_model.lake import attaching
from risk_model.registry import Registry
from risk_model.settings import QualitySettings, Settings
from serving import nightly, publication
from serving.archive import read_evidence
from serving.database import DatabaseError, connect, open_database, writing
from serving.lists import Asked, published_page
from serving.publication import IncompleteRunError
from serving.run_files import RunFiles
from serving.schema import Base
from serving.tables import Publication, Run, Score
from serving.units import parse_unit
from tests.databases import each_database  # noqa: F401
from tests.nights import MONDAY, CountyOffice, county_office, county_office_with_archive  # noqa: F401

TUESDAY = MONDAY + timedelta(days=1)
DOCUMENT = {
    "run_id", "as_of", "model_version", "students", "listed", "published", "held_back", "status", "seconds",
    "peak_memory_mb",
}  # fmt: skip


class Killed(BaseException):
    """Stands for kill -9: no handler may catch it."""


def rows(office: CountyOffice, unit: str | None = None, as_of: date | None = None, everybody: bool = True):
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        return published_page(connection, parse_unit(unit), Asked(as_of=as_of, everybody=everybody)).rows


def dates(office: CountyOffice) -> dict[str, str]:
    """The date of each school's published list."""
    return {school: rows(office, f"school:{school}")[0]["as_of"] for school in "ABC"}


def count(office: CountyOffice, what) -> int:
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(what)).scalar_one()


def test_a_run_answers_the_keys_of_the_contract_and_publishes_everybody(office):
    document = office.score()
    assert set(document) >= DOCUMENT
    assert set(document["seconds"]) == {"features", "explain", "publish", "total"}
    assert document["published"] is True
    assert document["status"] == {"scored": 89, "absent_long": 1}
    assert len(rows(office)) == document["students"] == 90
    assert sum(row["listed"] for row in rows(office)) == document["listed"]
    assert json.loads(json.dumps(document)) == document


def test_without_a_champion_the_way_to_one_is_named(office):
    office.champion = None
    with pytest.raises(MissingError, match="dropout-risk train"):
        office.score()


@pytest.mark.parametrize(
    ("tags", "said"), [({"failed_checks": "history, positives"}, "history, positives"), ({}, "")]
)
def test_a_trained_version_that_was_not_promoted_is_named_with_what_it_failed(
    office, monkeypatch, tags, said
):
    office.champion = None
    versions = (SimpleNamespace(version="1", tags={}), SimpleNamespace(version="2", tags=tags))
    monkeypatch.setattr(Registry, "versions", lambda registry: versions)
    with pytest.raises(
        MissingError, match=r"Version 2 was trained but not promoted.*--promote force"
    ) as raised:
        office.score()
    assert said in str(raised.value)


def test_a_day_that_has_not_come_is_not_scored(office):
    tomorrow = date.today() + timedelta(days=1)
    with pytest.raises(UsageError, match="after today"):
        office.score(tomorrow)
    assert office.score()["published"] is True


def test_without_a_day_the_latest_the_registers_know_of_is_scored(office):
    assert office.score()["as_of"] == MONDAY.isoformat()
    office.lake.latest = None
    with pytest.raises(MissingError, match="dropout-risk import"):
        office.score()


def test_the_same_run_again_answers_the_same_and_computes_nothing(office, monkeypatch):
    first = office.score()
    monkeypatch.setattr(nightly, "_scored", None)
    assert office.score() == first
    assert count(office, Publication) == 1


def test_new_registers_another_day_or_other_settings_are_another_run(office):
    keys = {office.score()["run_id"]}
    office.new_registers()
    keys.add(office.score()["run_id"])
    keys.add(office.score(TUESDAY)["run_id"])
    office.settings = office.settings.model_copy(
        update={"list": office.settings.list.model_copy(update={"capacity_per_class": 1})}
    )
    keys.add(office.score(TUESDAY)["run_id"])
    assert len(keys) == 4


def test_a_silent_school_keeps_its_list_and_the_others_move_on(office):
    office.score()
    office.silent = {"B"}
    document = office.score(TUESDAY)
    [held] = document["held_back"]
    assert (held["unit"], held["as_of"]) == ("school:B", MONDAY.isoformat())
    assert "kept no register" in held["reason"]
    assert document["published"] is True
    assert dates(office) == {"A": "2026-03-03", "B": "2026-03-02", "C": "2026-03-03"}


def test_a_school_held_back_on_its_first_night_has_no_list(office):
    office.silent = {"B"}
    [held] = office.score()["held_back"]
    assert held["as_of"] is None
    assert {row["school_id"] for row in rows(office)} == {"A", "C"}


def test_the_next_good_night_brings_the_school_back(office):
    office.silent = {"B"}
    office.score()
    office.silent = set()
    office.score(TUESDAY)
    assert set(dates(office).values()) == {"2026-03-03"}


def test_an_older_run_is_stored_and_not_published_unless_asked(office):
    office.score(TUESDAY)
    document = office.score(MONDAY)
    assert document["published"] is False
    assert document["held_back"] == []
    assert "--republish" in document["reason"]
    assert set(dates(office).values()) == {"2026-03-03"}
    again = office.score(MONDAY, republish=True)
    assert again["published"] is True
    assert again["run_id"] == document["run_id"]
    assert set(dates(office).values()) == {"2026-03-02"}


def test_republishing_what_is_published_changes_nothing(office):
    office.score(TUESDAY)
    office.score(MONDAY, republish=True)
    publications = count(office, Publication)
    office.score(MONDAY, republish=True)
    assert count(office, Publication) == publications


def test_an_empty_cohort_is_never_published_without_force(office):
    office.score()
    office.frame = office.frame.iloc[:0]
    document = office.score(TUESDAY)
    assert document["published"] is False
    assert document["held_back"] == [
        {"unit": "county:K", "reason": document["reason"], "as_of": MONDAY.isoformat()}
    ]
    assert len(rows(office)) == 90


def test_a_much_smaller_cohort_waits_for_force(office):
    office.score()
    office.frame = office.frame.iloc[:80]
    assert office.score(TUESDAY)["published"] is False
    forced = office.score(TUESDAY, force=True)
    assert forced["published"] is True
    assert forced["reason"] is None
    assert len(rows(office)) == 80


def test_a_school_that_lost_a_third_of_its_pupils_unexplained_keeps_its_list_unless_forced(office):
    rules = QualitySettings(fewest_pupils_vanished=5, minimum_pupils_share=0.5)
    office.settings = office.settings.model_copy(update={"quality": rules})
    office.score()
    office.frame = office.frame[~office.frame["student_id"].str.match("B7A0|B8B0[0-3]")]
    document = office.score(TUESDAY)
    assert [unit["unit"] for unit in document["held_back"]] == ["school:B"]
    assert "where its list of 2026-03-02 has 30" in document["held_back"][0]["reason"]
    assert {row["school_id"] for row in rows(office)} == {"A", "C"}, "B is named with its older list"
    forced = office.score(TUESDAY, force=True)
    assert forced["held_back"] == []
    assert {row["as_of"] for row in rows(office)} == {"2026-03-03"}


def test_a_school_without_pupils_any_more_has_no_old_list(office):
    office.score()
    office.frame = office.frame[office.frame["school_id"] != "C"]
    office.score(TUESDAY, force=True)
    assert {row["as_of"] for row in rows(office)} == {"2026-03-03"}


STEPS = ("begin", "stage", "check", "publish", "finish")


@pytest.mark.parametrize("step", [*STEPS, "keep", "close", "score_part", "batch"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_at_any_step_leaves_yesterday_and_the_rerun_heals(office, monkeypatch, step, when):
    office.score()
    yesterday = rows(office)
    places = {"batch": (publication, "checksum"), "score_part": (nightly, "score_part")}
    places |= {name: (RunFiles, name) for name in ("keep", "close")}
    module, name = places.get(step, (publication, step))
    original = getattr(module, name)

    def killed_there(*arguments):
        if when == "after":
            original(*arguments)
        raise Killed

    office.new_registers()
    with monkeypatch.context() as patched:
        patched.setattr(module, name, killed_there)
        with pytest.raises(Killed):
            office.score(TUESDAY)
    assert rows(office) == yesterday or step == "close"  # which comes after the lists are out
    document = office.score(TUESDAY)
    assert document["published"] is True
    assert {row["as_of"] for row in rows(office)} == {"2026-03-03"}
    assert count(office, Score) == 180
    assert count(office, Run) == 2


def test_what_a_killed_run_left_is_swept_by_the_next_whatever_it_scores(office, monkeypatch):
    def killed(*arguments):
        raise Killed

    office.score()
    with monkeypatch.context() as patched:
        patched.setattr(publication, "check", killed)
        with pytest.raises(Killed):
            office.score(TUESDAY)
    with open_database(office.home, office.settings) as engine:
        [left] = publication.abandoned(engine)
    assert left in read_evidence(office.home, office.settings, [left], "A7A01")
    office.new_registers()
    office.score(TUESDAY)
    assert count(office, Score) == 180
    assert read_evidence(office.home, office.settings, [left], "A7A01") == {}


def test_a_run_whose_rows_were_altered_while_staged_is_not_published(office, monkeypatch):
    office.score()
    original = publication.check

    def tampered(engine, run, expected):
        with engine.begin() as connection:
            connection.execute(text("update scores set risk = risk / 2 where run = :run"), {"run": run})
        original(engine, run, expected)

    monkeypatch.setattr(publication, "check", tampered)
    with pytest.raises(IncompleteRunError, match="Nothing was published"):
        office.score(TUESDAY)
    assert {row["as_of"] for row in rows(office)} == {"2026-03-02"}


def test_a_run_that_lost_a_row_while_staged_is_not_published(office, monkeypatch):
    original = publication.check

    def lossy(engine, run, expected):
        with engine.begin() as connection:
            connection.execute(text("delete from scores where student_id = 'A7A01'"))
        original(engine, run, expected)

    monkeypatch.setattr(publication, "check", lossy)
    with pytest.raises(IncompleteRunError):
        office.score()


def test_whoever_writes_while_a_run_is_checked_neither_waits_for_its_end_nor_stops_it(office, monkeypatch):
    """A sign-in in the middle of the check: on SQLite it waited for all of it, and it failed the run."""
    told: list[str] = []
    check, checksum = publication.check, publication.checksum

    def sign_in() -> None:
        with open_database(office.home, office.settings) as engine, writing(engine) as connection:
            connection.execute(text("update runs set base = base"))
        told.append("signed in")

    def interrupted(pupils):
        if not told:
            told.append("first school")
            threading.Thread(target=sign_in).start()
        deadline = monotonic() + 3  # of each school: between two he has his turn
        while "signed in" not in told and monotonic() < deadline:
            sleep(0.05)
        told.append("school")
        return checksum(pupils)

    def checked(engine, run, rows):
        monkeypatch.setattr(publication, "BATCH", 1)  # every school is a step
        monkeypatch.setattr(publication, "checksum", interrupted)
        check(engine, run, rows)
        told.append("checked")

    monkeypatch.setattr(publication, "check", checked)
    assert office.score()["published"]
    assert told.index("signed in") < told.index("checked")


def test_a_second_run_at_the_same_time_is_turned_away(office):
    with office.home.lock("publication"), pytest.raises(LockHeldError):
        office.score()


def test_an_error_of_the_database_is_one_line_without_a_pupil_in_it(office):
    office.score()
    with (
        pytest.raises(DatabaseError) as raised,
        open_database(office.home, office.settings) as engine,
        engine.begin() as connection,
    ):
        connection.execute(text("insert into published values ('A7A01', 77, 99)"))
    assert "A7A01" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_schema_after_all_migrations_is_that_of_the_models(office):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_an_upgrade_that_was_killed_is_started_again(office, monkeypatch):
    from alembic import op

    original = op.create_table

    def killed_there(name, *columns, **options):
        if name == "scores":
            raise Killed
        return original(name, *columns, **options)

    with monkeypatch.context() as patched:
        patched.setattr(op, "create_table", killed_there)
        with pytest.raises(Killed), open_database(office.home, office.settings):
            pass
    assert office.score()["published"] is True


def _open(folder):
    from risk_model.home import Home
    from risk_model.settings import Settings

    with open_database(Home(folder), Settings()) as engine, engine.connect() as connection:
        return connection.execute(text("select count(*) from runs")).scalar()


def test_processes_that_open_a_new_database_at_once_upgrade_it_once(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_open, [tmp_path] * 2) == [0, 0]


def test_flips_are_durable_and_journaled_safely(office):
    office.score()
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            assert connection.execute(text("show synchronous_commit")).scalar() == "on"
            return
        assert connection.execute(text("pragma synchronous")).scalar() == 2
        assert connection.execute(text("pragma journal_mode")).scalar() in ("delete", "wal")


@pytest.mark.parametrize(
    "said", ["postgresql://host/name", "postgres://host/name", "postgresql+psycopg://host/name"]
)
def test_a_postgresql_url_is_served_by_psycopg(said):
    engine = connect(said)
    assert (engine.dialect.name, engine.dialect.driver) == ("postgresql", "psycopg")


@pytest.mark.parametrize("said", ["mysql://host/name", "host/name"])
def test_another_kind_of_database_is_a_wrong_call(said):
    with pytest.raises(UsageError, match="postgresql://host/name"):
        connect(said)


def test_a_server_that_cannot_be_reached_is_one_readable_line(tmp_path):
    settings = Settings(database_url=f"postgresql://office@/office?host={tmp_path}")
    with (
        pytest.raises(DatabaseError, match="Nothing new was published") as raised,
        open_database(Home(tmp_path), settings),
    ):
        pass
    assert "\n" not in str(raised.value)


def test_what_an_earlier_version_filed_is_still_read(tmp_path):
    home, settings = Home(tmp_path), Settings()
    with attaching.connect(settings, tmp_path / "spill") as con:
        attaching.attach(con, home.runs, "runs", write=True)
        con.execute(
            'create table runs.evidence (run_id varchar, student_id varchar, "values" double[], '
            "class_values double[], contributions double[])"
        )
        con.execute("insert into runs.evidence values ('old', 'A7A01', [0.5], [0.25], [-1.5])")
    read = read_evidence(home, settings, ["old", "other"], "A7A01")
    assert read == {"old": {"values": [0.5], "class_values": [0.25], "contributions": [-1.5]}}
