"""From registers to who may see whom: placements, names, staff and posts; the commands."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select, text

from risk_model.command.main import main
from risk_model.settings import Settings
from serving.access.deciding import Viewer, visible, why
from serving.access.tables import DirectoryDigest, DirectoryState, Placement, PupilName, UnitPlace
from serving.accounts.sessions import sign_in
from serving.audit.client import DirectAudit
from serving.database import open_database
from serving.directory.naming import names_of, unit_name
from serving.directory.refreshing import refresh_directory
from tests.cast import A7A, publish, settle
from tests.databases import each_database  # noqa: F401
from tests.registers.office import TestOffice

NOW = datetime(2025, 12, 1, 4, tzinfo=UTC)
HEADER = "student_id,school_id,started_on,class_id,grade,ended_on,end_reason\n"
REGISTERS = {
    "schools": "school_id,name,township_id,county_id,province_id\nA,First,T1,K,P\nB,Second,,K,P\n",
    "students": "student_id,name\nS1,张三\nS2,李四\nS3,王五\nS4,赵六\nS5,钱七\n",
    "enrolments": HEADER + "S1,A,2025-09-01,7A,7,,\n"
    "S2,A,2025-09-01,7A,7,,\nS2,B,2025-10-01,7C,7,,\n"  # open at two schools
    "S3,A,2025-09-01,7A,7,2025-10-31,transferred\nS3,B,2025-11-03,7C,7,,\n"
    "S4,A,2024-09-01,6A,6,2025-11-20,promoted\n"  # between two spells
    "S5,A,2025-09-01,7A,7,2025-11-20,dropped_out\n",
    "staff": "staff_id,name,email\nH1,何老师,he@example.org\nP1,柏校长,\n",
    "assignments": "staff_id,unit,role,from_day,to_day\nH1,class:A:7A:2025,班主任,2025-09-01,\n"
    "P1,school:B,principal,2025-09-01,\n",
}


@pytest.fixture
def office(tmp_path):
    office = TestOffice(tmp_path)
    office.deliver(**REGISTERS)
    return office


def refreshed(office):
    with open_database(office.home, Settings()) as engine:
        return refresh_directory(office.home, Settings(), engine)


def sees(office, staff_id, at=NOW) -> set[str]:
    with open_database(office.home, Settings()) as engine, engine.connect() as connection:
        return set(connection.execute(visible(Viewer(1, "x", "person", staff_id), at)).scalars())


def test_registers_say_who_sees_whom(office):
    written = refreshed(office)
    assert (written.staff, written.posts, written.unknown_posts) == (2, 2, 0)
    assert sees(office, "H1") == {"S1", "S2"}
    assert sees(office, "P1") == {"S2", "S3"}
    with open_database(office.home, Settings()) as engine, engine.connect() as connection:
        assert names_of(connection, ["S1", "S3", "S9"]) == {"S1": "张三", "S3": "王五"}
        assert unit_name(connection, "school:A") == "First"
        assert why(connection, Viewer(1, "x", "person", "P1"), "S1", NOW) is None


def test_a_promoted_pupil_stays_his_schools_until_he_must_have_come_somewhere(office):
    refreshed(office)
    with open_database(office.home, Settings()) as engine, engine.connect() as connection:
        rows = connection.execute(
            select(Placement.unit, Placement.to_day).where(Placement.student_id == "S4")
        )
        assert rows.all() == [("class:A:6A:2025", date(2026, 2, 28))]


def test_the_same_registers_are_read_once_and_new_ones_count_at_once(office):
    refreshed(office)
    assert refreshed(office) is None
    moved = HEADER + "S1,A,2025-09-01,7A,7,2025-11-28,transferred\nS1,B,2025-11-29,7C,7,,\n"
    office.deliver("later", enrolments=moved)
    assert refreshed(office).placements == 2
    assert sees(office, "H1") == {"S2"}
    assert sees(office, "P1") == {"S1", "S2", "S3"}


def test_only_pupils_whose_rows_differ_are_read_again(office, monkeypatch):
    from serving.directory import reading

    refreshed(office)
    told = []
    real = reading.read
    monkeypatch.setattr(reading, "read", lambda *asked: told.append(real(*asked)) or told[-1])
    office.deliver("left", enrolments=HEADER + "S3,B,2025-11-03,7C,7,2025-11-28,dropped_out\n")
    assert refreshed(office).placements == 1
    office.deliver("renamed", students="student_id,name\nS2,李思\n")
    assert refreshed(office).names == 2  # the old row and the new
    left, renamed = told
    assert (left.endings, left.placements, left.names) == ({"S3"}, [], {})
    assert (renamed.endings, renamed.names) == ({"S2"}, {"S2": "李思"})
    assert sees(office, "P1", datetime(2025, 11, 29, tzinfo=UTC)) == {"S2"}


def test_whatever_is_delivered_in_steps_ends_as_if_read_at_once(office, database):
    """The directory brought forward by digests holds the rows of one made anew."""
    settings = Settings(database_url=database)
    with open_database(office.home, settings) as engine:
        for number in range(6):
            pupil, day = ("S1", "S2", "S3", "S5")[number % 4], date(2025, 11, number + 11)
            spell = f"{pupil},A,2025-09-01,7A,7,{day},transferred\n{pupil},B,{day},7C,7,,\n"
            spell += f"S4,A,2024-09-01,6A,6,{day},promoted\n"  # alone how long he is his school's differs
            name = f"{pupil},名{number}\n" if number % 2 else ""
            office.deliver(f"day{number}", enrolments=HEADER + spell, students="student_id,name\n" + name)
            assert refresh_directory(office.home, settings, engine).placements
        with engine.begin() as connection:
            forward = directory_rows(connection)
            for table in (DirectoryDigest, DirectoryState, Placement, PupilName):
                connection.execute(delete(table))
        refresh_directory(office.home, settings, engine)
        with engine.connect() as connection:
            assert directory_rows(connection) == forward
    assert len(forward[Placement]) > 5


def directory_rows(connection) -> dict[type, list[tuple]]:
    return {
        table: sorted(map(tuple, connection.execute(select(*table.__table__.columns))), key=str)
        for table in (Placement, PupilName, UnitPlace)
    }


def test_an_identifier_that_changed_keeps_the_pupils_name(office):
    office.deliver("renamed", student_aliases="old_student_id,student_id\nS1,N1\n")
    refreshed(office)
    assert sees(office, "H1") == {"N1", "S2"}
    with open_database(office.home, Settings()) as engine, engine.connect() as connection:
        assert names_of(connection, ["N1"]) == {"N1": "张三"}


# Commands.


@pytest.fixture
def home(tmp_path):
    """The home of the cast."""
    from risk_model.home import Home

    home = Home(tmp_path)
    with open_database(home, Settings()) as engine:
        with engine.begin() as connection:
            settle(connection)
        publish(engine)
    return home


def run(home, *arguments, code=0):
    result = CliRunner().invoke(main, ["--home", str(home.folder), "--json", *arguments])
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


def may_sign_in(home, login, password) -> bool:
    with open_database(home, Settings()) as engine, engine.begin() as connection:
        return sign_in(connection, login, password, datetime.now(UTC), "test") is not None


def test_users_are_added_assigned_listed_sealed_and_revoked(home):
    added = run(home, "users", "add", "He", "--name", "何老师")
    assert may_sign_in(home, "he", added["password"])
    run(home, "users", "assign", "he", A7A, "class_teacher")
    (row,) = [row for row in run(home, "users", "list") if row["login"] == "he"]
    assert (row["posts"], row["name"], row["must_change"]) == ([f"class_teacher of {A7A}"], "何老师", True)
    run(home, "users", "revoke", "he", "--unit", A7A, "--role", "class_teacher")
    assert "is not" in run(home, "users", "revoke", "he", "--unit", A7A, "--role", "county", code=2)["error"]
    run(home, "users", "seal", "he")
    assert not may_sign_in(home, "he", added["password"])
    run(home, "users", "unseal", "he")
    again = run(home, "users", "password", "he")["password"]
    assert again != added["password"]
    assert may_sign_in(home, "he", again)
    run(home, "users", "revoke", "he")
    assert not may_sign_in(home, "he", again)


def test_what_is_done_to_accounts_is_recorded_without_the_password(home):
    password = run(home, "users", "add", "He", "--name", "何老师")["password"]
    run(home, "users", "assign", "he", A7A, "class_teacher")
    run(home, "tokens", "add", "portal", "--scope", "lists:read", "--unit", "school:A")
    with DirectAudit(home, Settings()).reading() as connection:
        told = connection.execute(
            text("select action, detail, system_user from audit_records order by id")
        ).all()
    assert [detail.strip() for _, detail, _ in told] == [
        "users add He",
        f"users assign he {A7A} class_teacher",
        "tokens add portal lists:read school:A",
    ]
    assert {action for action, _, _ in told} == {"account"}
    assert all(user for _, _, user in told)
    assert password not in str(told)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "x"), 2),
        (("add", "x", "--staff", "GHOST"), 1),
        (("add", "t-chen", "--name", "Somebody"), 2),
        (("assign", "t-chen", "school:A", "class_teacher"), 2),
        (("assign", "keeper", "school:A", "principal"), 2),
        (("assign", "t-chen", "school:A", "boss"), 2),
        (("seal", "ghost"), 1),
        (("revoke", "t-chen", "--role", "principal"), 2),
    ],
)
def test_a_wrong_call_changes_nothing_and_says_why(home, arguments, code):
    before = run(home, "users", "list")
    assert run(home, "users", *arguments, code=code)["error"]
    assert run(home, "users", "list") == before


def test_an_administrator_is_made_by_command(home):
    run(home, "users", "add", "chief", "--administrator")
    (row,) = [row for row in run(home, "users", "list") if row["login"] == "chief"]
    assert (row["administrator"], row["staff_id"]) == (True, None)


def test_tokens_are_shown_once_listed_without_themselves_and_revoked(home):
    added = run(home, "tokens", "add", "portal", "--scope", "lists:read", "--unit", "school:A")
    listed = run(home, "tokens", "list")
    assert added["token"].startswith("dr_")
    assert added["token"] not in json.dumps(listed)
    assert [(row["login"], row["scopes"], row["unit"]) for row in listed] == [
        ("portal", "lists:read", "school:A")
    ]
    run(home, "tokens", "revoke", "1")
    assert run(home, "tokens", "list")[0]["revoked_at"]


def test_the_registers_staff_get_accounts_in_bulk(office):
    out = office.folder / "first-passwords.csv"
    assert run(office.home, "users", "add-staff", "--out", str(out))["accounts"] == 2
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [(row["login"], row["staff_id"], row["name"]) for row in rows] == [
        ("h1", "H1", "何老师"),
        ("p1", "P1", "柏校长"),
    ]
    assert out.stat().st_mode & 0o777 == 0o600
    assert all(may_sign_in(office.home, row["login"], row["password"]) for row in rows)
    second = office.folder / "second.csv"
    assert run(office.home, "users", "add-staff", "--out", str(second))["accounts"] == 0


def test_sample_users_sign_in_and_see_their_own(office):
    with open_database(office.home, Settings()) as engine:
        publish(engine)
    people = run(office.home, "users", "sample")
    assert [one["role"] for one in people] == ["class_teacher", "principal", "county"]
    assert people[0]["unit"] == A7A
    assert all(may_sign_in(office.home, one["login"], one["password"]) for one in people)
    listed = {row["login"]: row["must_change"] for row in run(office.home, "users", "list")}
    assert not any(listed[one["login"]] for one in people), "who tries the service out chooses nothing first"
    again = run(office.home, "users", "sample")
    assert not may_sign_in(office.home, "teacher", people[0]["password"])
    assert may_sign_in(office.home, "teacher", again[0]["password"])
    assert sees(office, "sample-teacher", datetime.now(UTC)) == {"S1", "S2"}
