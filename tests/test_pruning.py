"""Old runs are thinned to one a week: what is still shown is what always was, and nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import count
from time import perf_counter, sleep

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, text

from risk_model.errors import MissingError
from risk_model.home import Home
from risk_model.settings import PublicationSettings, Settings
from serving import pruning, publication
from serving.archive import read_evidence
from serving.database import open_database
from serving.explaining import explain
from serving.lists import Asked, published_page
from serving.tables import PRUNED, PRUNING, PUBLISHED, STORED, Publication, Run, RunSchool, Score
from serving.units import parse_unit
from tests.databases import each_database  # noqa: F401
from tests.made_up_runs import made_up_run, run_key
from tests.nights import MONDAY as FIRST
from tests.nights import CountyOffice, county_office, county_office_with_archive  # noqa: F401

SCHOOLS = tuple(f"52012{number:05d}" for number in range(3))
CAPACITY = {"capacity": {"capacity_share": 0.05, "capacity_per_class": 5, "minimum_risk": 0.01}}
WEEKLY = PublicationSettings(keep_runs_days=7)
NUMBERS = count(1)


class Killed(BaseException):
    """Stands for kill -9: no handler may catch it."""


class Office:
    """A service database whose runs are made up, and the keys of the runs that have contributions."""

    def __init__(self, home: Home, rules: Settings, engine) -> None:
        self.home, self.settings, self.engine = home, rules, engine
        self.evidence: set[str] = set()

    def night(self, day: date, silent: Collection[str] = (), state: str = PUBLISHED, pupils: int = 3) -> int:
        key = run_key(day, next(NUMBERS))
        rows, schools = made_up_run(len(SCHOOLS), pupils, seed=key.lake_snapshot, silent=tuple(silent))
        run = publication.begin(self.engine, key, -3.0, ("absence_14",))
        publication.stage(self.engine, run, rows, schools)
        self.evidence.add(key.digest)
        with self.engine.begin() as connection:
            if state == PUBLISHED:
                publication.publish(connection, run)
            publication.finish(connection, run, state, CAPACITY)
        return run

    def prune(self) -> pruning.Pruned:
        return pruning.prune(self.home, self.settings, self.engine)

    def page(self, day: date | None, school: str) -> list[dict]:
        with self.engine.connect() as connection:
            return published_page(
                connection, parse_unit(f"school:{school}"), Asked(as_of=day, everybody=True)
            ).rows

    def shown(self, day: date | None) -> list | str:
        """What each school's readers see for a day, or what they are told."""
        try:
            return [
                [(row["student_id"], row["as_of"], row["risk"]) for row in self.page(day, school)]
                for school in SCHOOLS
            ]
        except MissingError as error:
            return str(error)

    def count(self, what, run: int | None = None) -> int:
        query = select(func.count()).select_from(what)
        with self.engine.connect() as connection:
            return connection.execute(query if run is None else query.where(what.run == run)).scalar_one()

    def states(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(Run.state).order_by(Run.id)).scalars())

    def kept_evidence(self) -> set[str]:
        with self.engine.connect() as connection:
            keys = set(connection.execute(select(Run.key)).scalars())
        return self.evidence & keys


@contextmanager
def made_up_office(folder, url: str | None, patched: pytest.MonkeyPatch):
    rules = Settings(database_url=url, publication=WEEKLY)
    with open_database(Home(folder), rules) as engine:
        office = Office(Home(folder), rules, engine)
        patched.setattr(
            pruning, "remove_evidence", lambda home, rules, keys: office.evidence.difference_update(keys)
        )
        patched.setattr(pruning, "_let_files_go", lambda home, rules: None)
        yield office


@pytest.fixture
def archive(tmp_path, database, monkeypatch):
    with made_up_office(tmp_path, database, monkeypatch) as office:
        yield office


def school_days(weeks: int) -> list[date]:
    return [FIRST + timedelta(days=7 * week + day) for week in range(weeks) for day in range(5)]


def test_the_last_days_are_kept_whole_and_of_older_weeks_the_last_list(archive):
    days = school_days(4)
    for day in days:
        archive.night(day)
    before = {day: archive.shown(day) for day in days}
    pruned = archive.prune()
    assert (pruned.runs, pruned.rows) == (8, 8 * 3 * (3 + 1))  # rows of scores and of schools
    kept = {day for day in days if archive.shown(day) == before[day]}
    assert kept == {days[4], days[9], *days[10:]}
    assert archive.count(Score) == 12 * 9
    assert len(archive.evidence) == 12
    assert archive.states().count(PRUNED) == 8
    assert archive.prune() == pruning.Pruned()


def test_a_day_no_longer_kept_names_the_nearest_that_are(archive):
    days = school_days(4)
    for day in days:
        archive.night(day)
    archive.prune()
    assert archive.shown(days[6]) == (
        f"The list of {days[6]} is no longer kept: of older weeks only the last is. "
        f"Ask for --as-of {days[4]} or {days[9]}."
    )
    assert archive.shown(days[0]).endswith(f"Ask for --as-of {days[4]}.")
    sunday = days[4] + timedelta(days=2)
    assert archive.shown(sunday) == archive.shown(days[4])


def test_a_school_held_back_at_the_end_of_its_week_keeps_the_list_it_had_then(archive):
    days = school_days(3)
    monday = archive.night(days[0])
    for day in days[1:5]:
        archive.night(day, silent=SCHOOLS[1:2])
    friday = archive.shown(days[4])
    for day in days[5:]:
        archive.night(day)
    archive.prune()
    assert archive.shown(days[4]) == friday
    assert friday[1][0][1] == days[0].isoformat()
    assert archive.count(Score, monday) == 3
    assert archive.states()[0] == PRUNED


def test_a_run_that_is_some_schools_list_now_stays_whole(archive):
    days = school_days(4)
    monday = archive.night(days[0])
    for day in days[1:]:
        archive.night(day, silent=SCHOOLS[1:2])
    now = archive.shown(None)
    archive.prune()
    assert archive.shown(None) == now
    assert archive.count(Score, monday) == 9
    with archive.engine.connect() as connection:
        key = connection.execute(select(Run.key).where(Run.id == monday)).scalar_one()
    assert key in archive.evidence


def test_of_runs_that_were_never_published_a_weeks_last_is_kept_where_there_is_no_other(archive):
    stored = [archive.night(day, state=STORED) for day in school_days(1)]
    for day in school_days(4)[5:]:
        archive.night(day)
    archive.prune()
    assert [archive.count(Score, run) for run in stored] == [0, 0, 0, 0, 9]


def test_a_pruned_run_can_be_made_again_and_keeps_its_new_contributions(archive, monkeypatch):
    days = school_days(4)
    for day in days:
        archive.night(day)
    with archive.engine.connect() as connection:
        key = connection.execute(select(Run.key).where(Run.as_of == days[0])).scalar_one()
    with monkeypatch.context() as patched:
        patched.setattr(pruning, "_remove_evidence", _kill)
        with pytest.raises(Killed):
            archive.prune()
    with archive.engine.begin() as connection:
        assert publication.find(connection, key) is None
        monkeypatch.setattr(publication.RunKey, "digest", key)
    again = archive.night(days[0], state=STORED)
    pruning.prune(archive.home, archive.settings, archive.engine, keep=key)
    assert archive.count(Score, again) == 9
    assert archive.kept_evidence() >= {key}


def _kill(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("step", ["mark", "evidence", "first rows", "third rows", "last mark"])
def test_pruning_killed_at_any_step_shows_nothing_torn_and_the_next_goes_on(archive, monkeypatch, step):
    days = school_days(3)
    for day in days:
        archive.night(day, silent=SCHOOLS[2:] if day == days[3] else ())
    monkeypatch.setattr(pruning, "ROWS", 3)
    before = {day: archive.shown(day) for day in [*days, None]}
    calls = count(1)

    def killed_at(number, original):
        def once(*arguments):
            if next(calls) == number:
                raise Killed
            return original(*arguments)

        return once

    places = {
        "mark": ("_due", 1),
        "evidence": ("_remove_evidence", 1),
        "first rows": ("perf_counter", 1),
        "third rows": ("perf_counter", 5),
        "last mark": ("forget", 2),
    }
    name, number = places[step]
    with monkeypatch.context() as patched:
        patched.setattr(pruning, name, killed_at(number, getattr(pruning, name)))
        with pytest.raises(Killed):
            archive.prune()
    marked = PRUNING in archive.states() or PRUNED in archive.states()
    assert marked == (step != "mark")
    for day, told in before.items():
        assert archive.shown(day) == told or (marked and "no longer kept" in archive.shown(day))
    archive.prune()
    assert archive.states() == [PRUNED] * 4 + [PUBLISHED] * 11
    assert archive.count(Score) == 11 * 9
    assert archive.kept_evidence() == archive.evidence
    assert len(archive.evidence) == 11


def test_readers_see_the_published_list_all_along_and_do_not_wait(archive, monkeypatch):
    for day in school_days(3):
        archive.night(day, pupils=400)
    monkeypatch.setattr(pruning, "ROWS", 800)
    steps, done = [], threading.Event()

    @event.listens_for(archive.engine, "begin")
    def begins(connection):
        steps.append(0)

    @event.listens_for(archive.engine, "after_cursor_execute")
    def counts(connection, cursor, statement, parameters, context, executemany):
        if statement.startswith("DELETE"):
            steps[-1] += cursor.rowcount

    seen, waits = [], []

    @event.listens_for(archive.engine, "commit")
    def somebody_reads(connection):
        """Between two steps a reader has his turn, however busy the machine is."""
        known, patience = len(seen), perf_counter() + 60
        while len(seen) == known and perf_counter() < patience:
            sleep(0.001)

    def read() -> None:
        with open_database(archive.home, archive.settings) as engine:
            reader = Office(archive.home, archive.settings, engine)
            while not done.is_set() or not seen:
                began = perf_counter()
                seen.append(reader.shown(None))
                waits.append(perf_counter() - began)

    thread = threading.Thread(target=read)
    thread.start()
    while not seen:
        thread.join(0.01)
    pruned = archive.prune()
    done.set()
    thread.join()
    assert pruned.rows == 4 * (1200 + 3)
    assert max(steps) <= 800 + 3, "a transaction removes more than its share"
    assert len(seen) > 3
    assert all(shown == seen[0] for shown in seen)
    assert max(waits) < 5, "a reader waited for the pruning"


NIGHT = st.tuples(st.integers(0, 40), st.sets(st.sampled_from(SCHOOLS)), st.sampled_from([PUBLISHED, STORED]))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nights=st.lists(NIGHT, min_size=3, max_size=12))
@example(
    nights=[
        (0, set(), PUBLISHED),
        (5, set(), PUBLISHED),
        (37, set(), PUBLISHED),
        (0, {SCHOOLS[0]}, PUBLISHED),  # a day published once more after its week's end, a school held back
    ]
)
def test_every_day_shows_what_it_showed_or_is_no_longer_kept_and_weekly_points_stay(tmp_path_factory, nights):
    """Nights in any order, older ones published after newer ones, schools held back at will."""
    with (
        pytest.MonkeyPatch.context() as patched,
        made_up_office(tmp_path_factory.mktemp("office"), None, patched) as office,
    ):
        for back, silent, state in nights:
            office.night(FIRST + timedelta(days=back), silent, state, pupils=1)
        days = [FIRST + timedelta(days=number) for number in range(45)]
        before = {day: told(office, day) for day in [*days, None]}
        office.prune()
        with office.engine.connect() as connection:
            latest = connection.execute(
                select(func.max(Run.as_of)).join(Publication, Publication.run == Run.id)
            )
            window = (latest.scalar() or FIRST) - timedelta(days=7)
        for day, shown in before.items():
            kept = day is None or day >= window or day.weekday() == 6
            assert told(office, day) == shown or (not kept and gone(told(office, day), shown)), day


def told(office: Office, day: date | None) -> list:
    """School by school, for a school without a list has none to show."""
    return [_told(office, day, school) for school in SCHOOLS]


def _told(office: Office, day: date | None, school: str) -> list | str:
    try:
        return [(row["student_id"], row["as_of"], row["risk"]) for row in office.page(day, school)]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def gone(now: list, before: list) -> bool:
    """Whether the day is said to be no longer kept, or was one of stored runs only."""
    return all("no longer kept" in one or "Nothing is published" in one for one in now if one not in before)


def test_contributions_go_with_their_run_and_a_pruned_day_is_explained_readably(filed_office):
    filed_office.settings = filed_office.settings.model_copy(update={"publication": WEEKLY})
    days = school_days(3)
    keys = {day: filed_office.score(day)["run_id"] for day in (days[0], days[4], days[5], days[14])}
    read = {
        day: read_evidence(filed_office.home, filed_office.settings, [key], "A7A01")
        for day, key in keys.items()
    }
    assert [bool(found) for found in read.values()] == [False, True, True, True]
    with (
        open_database(filed_office.home, filed_office.settings) as engine,
        engine.connect() as connection,
        pytest.raises(MissingError, match=f"Ask for --as-of {days[4]}"),
    ):
        explain(connection, filed_office.home, filed_office.settings, "A7A01", days[0])


def test_what_goes_wrong_while_pruning_is_said_and_the_night_stands(archive, monkeypatch):
    for day in school_days(3):
        archive.night(day)
    said = []
    with monkeypatch.context() as patched:
        patched.setattr(pruning, "_remove_evidence", _full)
        assert pruning.tidy(archive.home, archive.settings, archive.engine, said.append) == pruning.Pruned()
    assert said == [
        "Old runs could not be pruned; the next run tries again: [Errno 28] No space left on device"
    ]
    assert pruning.tidy(archive.home, archive.settings, archive.engine, said.append).runs == 4


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_what_was_loaded_is_known_to_the_planner(archive):
    archive.night(FIRST, pupils=50)
    pruning.analyze(archive.engine)
    query = {
        "sqlite": "select count(*) from sqlite_stat1 where tbl = 'scores'",
        "postgresql": "select count(*) from pg_stats where tablename = 'scores'",
    }
    with archive.engine.connect() as connection:
        assert connection.execute(text(query[archive.engine.dialect.name])).scalar_one() > 0
        assert connection.execute(select(func.count()).select_from(RunSchool)).scalar_one() == 3
