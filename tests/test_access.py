"""Who may see whom: a table over the cast, on both databases; the second wall of PostgreSQL alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import ProgrammingError

from risk_model.errors import MissingError, UsageError
from risk_model.home import Home
from risk_model.settings import Settings
from serving.access.deciding import Viewer, own_units, visible, visible_of, who_may_see, why, why_unit
from serving.access.granting import end_care, grant_care, open_break_glass
from serving.access.second_wall import database_identity
from serving.access.tables import Grant, Placement, PupilName
from serving.accounts.keeping import account_of, assign, revoke, take_away
from serving.accounts.tokens import create_token, token_viewer
from serving.database import open_database
from serving.directory.naming import names_of
from serving.directory.writing import Held, write
from serving.tables import Score
from serving.units import parse_unit
from tests.cast import A7A, A7B, B8A, C7A, CLASS_OF, NOW, POSTS, publish, settle, told, viewer
from tests.databases import each_database  # noqa: F401
from tests.postgres import Cluster

IN_A = {"S-MEI", "S-LEI", "S-YAN", "S-HAO", "S-JUN", "S-KAI"}
IN_A7A = {"S-MEI", "S-LEI", "S-YAN"}
IN_B = {"S-LAN", "S-BO", "S-KAI"}
IN_C = {"S-YING", "S-TAO", "S-FANG"}
SEES = {
    "T-CHEN": IN_A7A,
    "T-ZHAO": {"S-HAO", "S-JUN", "S-KAI"},
    "T-SUN": IN_B,
    "T-WU": IN_C,
    "T-OLD": set(),
    "T-SOON": set(),
    "P-A": IN_A,
    "P-B": IN_B,
    "O-T1": IN_A,
    "O-K": IN_A | IN_B,
    "O-M": IN_C,
    "O-P": IN_A | IN_B | IN_C,
    "D-K": set(),
    "T-TWO": IN_A7A | IN_B,
    "keeper": set(),
}
UNITS = {A7A, A7B, B8A, C7A, "school:A", "school:B", "school:C", "township:T1", "township:T2", "county:K",
         "county:M", "province:P"}  # fmt: skip
OPENS = {
    "T-CHEN": {A7A},
    "T-OLD": set(),
    "T-SOON": set(),
    "P-A": {"school:A", A7A, A7B},
    "O-T1": {"township:T1", "school:A", A7A, A7B},
    "O-M": {"county:M", "school:C", C7A},
    "O-P": UNITS,
    "D-K": {"county:K", "township:T1", "township:T2", "school:A", "school:B", A7A, A7B, B8A},
    "T-TWO": {A7A, "school:B", B8A},
    "keeper": set(),
}
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def office(tmp_path, database):
    """The engine of an office in which the cast is settled and published."""
    with open_database(Home(tmp_path), Settings(database_url=database)) as engine:
        with engine.begin() as connection:
            settle(connection)
        publish(engine)
        yield engine


@pytest.fixture
def connection(office):
    with office.begin() as connection:
        yield connection


def seen(connection: Connection, who: Viewer | str, at=NOW) -> set[str]:
    """Whom somebody sees, asked in all three ways."""
    who = viewer(connection, who) if isinstance(who, str) else who
    found = set(connection.execute(visible(who, at)).scalars())
    assert found == {pupil for pupil in CLASS_OF if why(connection, who, pupil, at)}
    assert found == visible_of(connection, who, [*CLASS_OF, "S-NOBODY"], at)
    return found


@pytest.mark.parametrize("who", SEES)
def test_whoever_asks_sees_his_own_pupils_and_nobody_else(connection, who):
    assert seen(connection, who) == SEES[who]


@pytest.mark.parametrize("who", OPENS)
def test_whoever_asks_opens_his_own_units_and_those_below_them(connection, who):
    asked = viewer(connection, who)
    assert {unit for unit in UNITS if why_unit(connection, asked, parse_unit(unit), NOW)} == OPENS[who]
    assert why_unit(connection, asked, parse_unit("school:NOWHERE"), NOW) is None


def test_the_reason_is_the_nearest_one_with_its_end(connection):
    reason = why(connection, viewer(connection, "T-CHEN"), "S-MEI", NOW)
    assert (reason.kind, reason.unit, reason.until.date()) == ("class_teacher", A7A, date(2026, 9, 1))
    assign(connection, "T-CHEN", "school:A", "principal", date(2026, 1, 1))
    assert why(connection, viewer(connection, "T-CHEN"), "S-MEI", NOW).kind == "class_teacher"
    assert why(connection, viewer(connection, "T-CHEN"), "S-HAO", NOW).kind == "principal"
    assert "校长" in why(connection, viewer(connection, "P-A"), "S-MEI", NOW).said("zh")


def test_a_pupil_who_is_nowhere_is_seen_by_nobody(connection):
    assert why(connection, viewer(connection, "O-P"), "S-NOBODY", NOW) is None


def test_home_starts_with_the_posts_of_today_nearest_first(connection):
    assert [str(unit) for unit, _ in own_units(connection, viewer(connection, "T-TWO"), NOW)] == [
        A7A,
        "school:B",
    ]
    assert own_units(connection, viewer(connection, "T-OLD"), NOW) == []
    assert own_units(connection, viewer(connection, "keeper"), NOW) == []


def test_posts_begin_and_end_at_midnight(connection):
    tomorrow, yesterday = NOW + timedelta(days=1), NOW - timedelta(days=1)
    assert seen(connection, "T-SOON", tomorrow) == IN_A7A
    assert seen(connection, "T-OLD", yesterday) == IN_A7A


def test_a_pupil_who_moved_is_seen_where_he_was_until_he_left(connection):
    before = NOW - timedelta(days=8)
    assert "S-FANG" in seen(connection, "T-CHEN", before)
    assert "S-FANG" not in seen(connection, "T-WU", before)


def test_an_administrator_sees_no_pupil_even_with_a_post(connection):
    keeper = replace(viewer(connection, "T-CHEN"), administrator=True)
    assert seen(connection, keeper) == set()


def test_a_post_taken_away_ends_at_once_and_the_register_does_not_bring_it_back(connection):
    assert take_away(connection, "T-CHEN", A7A, "class_teacher", NOW) == 1
    assert seen(connection, "T-CHEN") == set()
    write(connection, told())
    assert seen(connection, "T-CHEN") == set()


def test_staff_the_register_no_longer_names_see_nobody(connection):
    fewer = replace(told(), staff=[one for one in told().staff if one.staff_id != "P-A"])
    write(connection, fewer)
    assert seen(connection, "P-A") == set()
    write(connection, told())
    assert seen(connection, "P-A") == IN_A


@pytest.mark.parametrize(
    ("role", "unit"),
    [("teacher", "school:A"), ("principal", A7A), ("administrator", "county:K"), ("boss", A7A)],
)
def test_a_role_that_does_not_fit_its_unit_opens_nothing_and_is_counted(connection, role, unit):
    odd = Held("T-OLD", unit, role, date(2025, 9, 1))
    assert write(connection, replace(told(), posts=(*POSTS, odd))).unknown_posts == 1
    assert seen(connection, "T-OLD") == set()


def test_the_same_registers_again_change_nothing(connection):
    written = write(connection, told())
    assert (written.placements, written.names, written.staff, written.posts) == (0, 0, 0, 0)


def test_a_care_case_lets_its_teacher_see_one_pupil_until_it_ends(connection):
    grant_care(connection, "T-ZHAO", "S-MEI", NOW)
    assert seen(connection, "T-ZHAO", LATER) == SEES["T-ZHAO"] | {"S-MEI"}
    assert why(connection, viewer(connection, "T-ZHAO"), "S-MEI", LATER).kind == "care"
    end_care(connection, "T-ZHAO", "S-MEI", LATER)
    assert seen(connection, "T-ZHAO", LATER + timedelta(seconds=1)) == SEES["T-ZHAO"]


def test_breaking_the_glass_takes_a_reason_and_lasts_three_hours(connection):
    teacher = viewer(connection, "T-CHEN")
    with pytest.raises(UsageError, match="Write why"):
        open_break_glass(connection, teacher, "S-YING", " no  why ", NOW)
    until = open_break_glass(connection, teacher, "S-YING", "她的姐姐在我班，今晚联系不上家里", NOW)
    assert until == NOW + timedelta(hours=3)
    assert why(connection, teacher, "S-YING", until - timedelta(seconds=1)).until == until
    assert why(connection, teacher, "S-YING", until) is None
    assert connection.execute(select(Grant.why)).scalar_one().startswith("她的姐姐")


@pytest.mark.parametrize("who", ["keeper", "D-K", "T-OLD"])
def test_who_sees_no_pupil_cannot_break_the_glass(connection, who):
    with pytest.raises(MissingError, match="no such pupil"):
        open_break_glass(connection, viewer(connection, who), "S-MEI", "because I should like to", NOW)


def test_the_glass_of_a_pupil_who_is_not_there_breaks_with_the_same_words(connection):
    with pytest.raises(MissingError, match="no such pupil"):
        open_break_glass(connection, viewer(connection, "T-CHEN"), "S-NOBODY", "a good long reason", NOW)


def test_who_may_see_a_pupil_is_everybody_with_an_account_in_use(connection):
    told_of = {one.staff_id: one.reason.kind for one in who_may_see(connection, "S-MEI", NOW)}
    kinds = {"T-CHEN": "class_teacher", "T-TWO": "class_teacher", "P-A": "principal", "O-T1": "township"}
    assert told_of == kinds | {"O-K": "county", "O-P": "province"}
    revoke(connection, account_of(connection, "p-a").id, NOW)
    assert "P-A" not in {one.staff_id for one in who_may_see(connection, "S-MEI", NOW)}


def machine(connection: Connection, unit: str | None, *scopes: str) -> Viewer:
    secret = create_token(connection, "portal", frozenset(scopes), unit, NOW + timedelta(days=9), NOW)
    found = token_viewer(connection, secret, NOW)
    assert found is not None
    return found


def test_a_machine_sees_the_pupils_of_its_tokens_unit_alone(connection):
    assert seen(connection, machine(connection, "school:B", "students:read")) == IN_B
    assert seen(connection, machine(connection, "school:B", "score")) == set()
    portal = machine(connection, "school:B", "lists:read")
    assert why_unit(connection, portal, parse_unit(B8A), NOW).kind == "token"
    assert why_unit(connection, portal, parse_unit("school:A"), NOW) is None


# The second wall.


@pytest.fixture
def walled(cluster: Cluster, tmp_path):
    """An office on PostgreSQL whose owner is no superuser, as it should be."""
    cluster.run(
        "do $$ begin create role keeper login createrole; exception when duplicate_object then end $$"
    )
    url = cluster.new_database()
    name = url.split("/")[3].split("?")[0]
    cluster.run(f"alter database {name} owner to keeper")
    with open_database(
        Home(tmp_path), Settings(database_url=url.replace("//office@", "//keeper@"))
    ) as engine:
        with engine.begin() as connection:
            settle(connection)
            grant_care(connection, "T-ZHAO", "S-MEI", NOW - timedelta(days=1))
        publish(engine)
        yield engine
    cluster.run(f"drop database {name} with (force)")


def all_there(connection: Connection) -> dict[str, set[str]]:
    """Whatever the database lets out of each table of pupils: no condition of ours."""
    tables = (Score, Placement, PupilName, Grant)
    return {
        table.__tablename__: set(connection.execute(select(table.student_id)).scalars()) for table in tables
    }


@pytest.mark.parametrize("who", SEES)
def test_without_any_filter_of_ours_postgresql_gives_out_the_same_pupils(walled, who):
    with walled.begin() as connection:
        asked = viewer(connection, who)
        mine = seen(connection, asked)
        database_identity(connection, asked, NOW)
        found = all_there(connection)
    granted = {"S-MEI"} & mine
    assert found == {"scores": mine, "placements": mine, "pupil_names": mine, "access_grants": granted}


def test_without_a_viewer_the_role_of_the_web_sees_nobody(walled):
    with walled.begin() as connection:
        connection.exec_driver_sql("set local role dropout_risk_web")
        assert not any(all_there(connection).values())
    with walled.begin() as connection:
        assert all_there(connection)["scores"] == set(CLASS_OF)  # the owner's commands


def test_the_owner_himself_is_behind_the_wall_once_he_has_named_a_viewer(walled):
    with walled.begin() as connection:
        asked = viewer(connection, "T-CHEN")
        database_identity(connection, asked, NOW)
        connection.exec_driver_sql("reset role")
        assert set(connection.execute(select(Score.student_id)).scalars()) == IN_A7A
        assert set(names_of(connection, list(CLASS_OF))) == IN_A7A


def test_the_identity_ends_with_its_transaction(walled):
    with walled.connect() as connection:
        with connection.begin():
            database_identity(connection, viewer(connection, "P-A"), NOW)
        with connection.begin():
            who = connection.execute(text("select current_user, current_setting('app.account', true)")).one()
            assert tuple(who) == ("keeper", "")


def test_a_machine_is_behind_the_wall_too_and_its_token_must_be_in_use(walled):
    with walled.begin() as connection:
        portal = machine(connection, "school:B", "students:read")
        forged = replace(portal, unit="county:K")
    for asked, expected in ((portal, IN_B), (forged, set())):
        with walled.begin() as connection:
            database_identity(connection, asked, NOW)
            assert all_there(connection)["scores"] == expected


def test_the_web_may_not_change_lists_or_posts(walled):
    for statement in ("update scores set risk = 0", "delete from posts", "update posts set sees = true"):
        with walled.connect() as connection:
            database_identity(connection, viewer(connection, "O-P"), NOW)
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.exec_driver_sql(statement)


def test_every_table_of_pupils_stands_behind_the_wall(walled):
    query = text(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid "
        "where c.relkind = 'r' and a.attname = 'student_id' and c.relnamespace = 'public'::regnamespace "
        "and not (c.relrowsecurity and c.relforcerowsecurity)"
    )
    with walled.connect() as connection:
        assert connection.execute(query).scalars().all() == []


def test_a_glass_broken_or_a_post_ended_counts_behind_the_wall_at_once(walled):
    with walled.begin() as connection:
        asked = viewer(connection, "T-CHEN")
        until = open_break_glass(connection, asked, "S-YING", "a good long reason", NOW)
        take_away(connection, "T-CHEN", A7A, "class_teacher", NOW)
    for at, expected in ((NOW, {"S-YING"}), (until, set())):
        with walled.begin() as connection:
            database_identity(connection, asked, at)
            assert all_there(connection)["scores"] == expected


def test_an_account_that_is_closed_sees_nothing_behind_the_wall(walled):
    with walled.begin() as connection:
        asked = viewer(connection, "P-A")
        connection.execute(update(Placement).values(to_day=None))
        revoke(connection, asked.account_id, NOW)
    with walled.begin() as connection:
        database_identity(connection, asked, NOW)
        assert not any(all_there(connection).values())
