"""Signing in, sessions, tokens, sealing: on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from risk_model.errors import MissingError, UsageError
from risk_model.home import Home
from risk_model.settings import Settings
from serving.accounts import passwords
from serving.accounts.keeping import (
    account_of,
    create_account,
    revoke,
    seal,
    seal_unused,
    set_password,
    unseal,
)
from serving.accounts.passwords import TooBusyError
from serving.accounts.sessions import note_use, session_viewer, sign_in, sign_in_external, sign_out
from serving.accounts.tables import Account, SignedIn, Token
from serving.accounts.tokens import create_token, revoke_token, token_viewer
from serving.database import open_database
from tests.cast import NOW, PASSWORD, settle
from tests.databases import each_database  # noqa: F401

HALF_A_YEAR = timedelta(days=184)


@pytest.fixture
def engine(tmp_path, database):
    with open_database(Home(tmp_path), Settings(database_url=database)) as engine:
        with engine.begin() as connection:
            settle(connection, with_password=("keeper",), first_password=("T-CHEN",))
        yield engine


@pytest.fixture
def connection(engine):
    with engine.begin() as connection:
        yield connection


def opened(connection, login="t-chen", at=NOW):
    session = sign_in(connection, login, PASSWORD, at, "a phone")
    assert session is not None
    return session


def test_whoever_knows_the_password_gets_a_session_of_his_own(connection):
    session = opened(connection, " T-Chen ")
    viewer = session_viewer(connection, session.opaque, NOW)
    assert (viewer.login, viewer.staff_id, viewer.administrator) == ("t-chen", "T-CHEN", False)
    assert session.must_change  # somebody else made the password
    assert session.opaque not in repr(session)
    assert opened(connection).opaque != session.opaque


@pytest.mark.parametrize(
    ("login", "password"), [("t-chen", "wrong-one-12"), ("nobody", PASSWORD), ("t-zhao", PASSWORD), ("", "")]
)
def test_nobody_else_does(connection, login, password):
    assert sign_in(connection, login, password, NOW, "a phone") is None


def test_an_unknown_login_costs_the_same_work(connection, monkeypatch):
    hashed = []
    verify = passwords.matches
    monkeypatch.setattr(
        "serving.accounts.sessions.matches", lambda kept, given: hashed.append(kept) or verify(kept, given)
    )
    sign_in(connection, "nobody", PASSWORD, NOW, "a phone")
    assert hashed == [None]


def test_neither_password_nor_cookie_nor_token_is_in_the_database(connection):
    session = opened(connection)
    secret = create_token(connection, "portal", frozenset({"score"}), None, NOW + timedelta(days=1), NOW)
    kept = [
        str(tuple(row))
        for table in (Account, SignedIn, Token)
        for row in connection.execute(select(table.__table__))
    ]
    assert not [row for row in kept if PASSWORD in row or session.opaque in row or secret in row]
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in "".join(kept)


def test_a_session_ends_by_signing_out_by_idling_and_by_age(engine):
    with engine.begin() as connection:
        session = opened(connection)
        sign_out(connection, session.opaque, NOW)
        assert session_viewer(connection, session.opaque, NOW) is None
        kept = opened(connection).opaque
        assert session_viewer(connection, kept, NOW + timedelta(hours=2)) is None
    at = NOW
    for _ in range(11):
        at += timedelta(hours=1)
        note_use(engine, kept, at)
    with engine.begin() as connection:
        assert session_viewer(connection, kept, at + timedelta(minutes=59)) is not None
        assert session_viewer(connection, kept, NOW + timedelta(hours=12)) is None


def test_use_is_noted_to_the_minute_and_does_not_wake_what_is_over(engine):
    with engine.begin() as connection:
        session = opened(connection)
    for later, noted in ((30, 0), (61, 61), (3 * 3600, 61)):
        note_use(engine, session.opaque, NOW + timedelta(seconds=later))
        with engine.connect() as connection:
            assert connection.execute(select(SignedIn.used_at)).scalar_one() == NOW + timedelta(seconds=noted)


@pytest.mark.parametrize("close", [seal, revoke])
def test_closing_an_account_ends_its_sessions_at_once(connection, close):
    session = opened(connection)
    close(connection, session.account_id, NOW)
    assert session_viewer(connection, session.opaque, NOW) is None
    assert sign_in(connection, "t-chen", PASSWORD, NOW, "a phone") is None


def test_a_sealed_account_can_be_opened_again_and_a_closed_one_cannot(connection):
    account = account_of(connection, "t-chen").id
    seal(connection, account, NOW)
    unseal(connection, account, NOW)
    opened(connection)
    revoke(connection, account, NOW)
    with pytest.raises(UsageError, match="closed for good"):
        unseal(connection, account, NOW)


def test_accounts_unused_for_half_a_year_are_sealed(connection):
    opened(connection, at=NOW + timedelta(days=100))
    late = NOW + HALF_A_YEAR
    assert seal_unused(connection, late) == len(connection.execute(select(Account.id)).all()) - 1
    opened(connection, at=late)
    assert sign_in(connection, "keeper", PASSWORD, late, "a desk") is None


def test_an_unused_account_is_sealed_when_somebody_tries_it(connection):
    assert sign_in(connection, "t-chen", PASSWORD, NOW + HALF_A_YEAR, "a phone") is None
    assert account_of(connection, "t-chen").state == "sealed"


def test_another_password_ends_the_sessions_of_the_old_one(connection):
    session = opened(connection)
    set_password(connection, session.account_id, "another-one-9", NOW)
    assert session_viewer(connection, session.opaque, NOW) is None
    assert sign_in(connection, "t-chen", "another-one-9", NOW, "a phone").must_change is False


@pytest.mark.parametrize("password", ["short", "x" * 257, "my t-chen word"])
def test_a_password_that_is_none_is_refused(connection, password):
    with pytest.raises(UsageError):
        set_password(connection, account_of(connection, "t-chen").id, password, NOW)


def test_nobody_has_two_accounts_and_no_two_logins_look_alike(connection):
    with pytest.raises(UsageError, match="nobody has two accounts"):
        create_account(connection, "chen2", NOW, staff_id="T-CHEN")
    with pytest.raises(UsageError, match="is taken"):
        create_account(connection, "Ｔ-ＣＨＥＮ", NOW)
    revoke(connection, account_of(connection, "t-chen").id, NOW)
    create_account(connection, "chen2", NOW, staff_id="T-CHEN")
    with pytest.raises(MissingError, match="no member of staff"):
        create_account(connection, "ghost", NOW, staff_id="T-GHOST")


def test_a_provider_opens_no_account_and_finds_the_one_it_was_given(connection):
    assert sign_in_external(connection, "https://id.example", "42", NOW, "a phone") is None
    connection.execute(
        update(Account).where(Account.login == "t-wu").values(external="https://id.example 42")
    )
    session = sign_in_external(connection, "https://id.example", "42", NOW, "a phone")
    assert session_viewer(connection, session.opaque, NOW).staff_id == "T-WU"


def test_so_many_hash_at_once_and_no_more(monkeypatch):
    monkeypatch.setattr(passwords, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    with passwords.place_to_hash(), pytest.raises(TooBusyError, match="Try again"):
        passwords.hashed("long enough", "somebody")
    assert passwords.hashed("long enough", "somebody")


def test_a_token_ends_by_time_by_hand_and_with_its_machine(connection):
    ends = NOW + timedelta(days=1)
    secrets = [
        create_token(connection, "portal", frozenset({"lists:read"}), "school:A", ends, NOW) for _ in range(3)
    ]
    assert {token_viewer(connection, secret, NOW).unit for secret in secrets} == {"school:A"}
    assert token_viewer(connection, secrets[0], ends) is None
    revoke_token(connection, 1, NOW)
    assert token_viewer(connection, secrets[0], NOW) is None
    assert token_viewer(connection, secrets[1], NOW) is not None
    revoke(connection, account_of(connection, "portal").id, NOW)
    assert token_viewer(connection, secrets[1], NOW) is None
    with pytest.raises(MissingError, match="no token 1 in use"):
        revoke_token(connection, 1, NOW)


@pytest.mark.parametrize(
    ("scopes", "unit", "days"),
    [((), "school:A", 1), (("everything",), "school:A", 1), (("students:read",), None, 1),
     (("score",), "nowhere", 1), (("score",), None, 0), (("score",), None, 400)],
)  # fmt: skip
def test_a_token_has_scopes_a_unit_for_pupils_and_an_end(connection, scopes, unit, days):
    with pytest.raises(UsageError):
        create_token(connection, "portal", frozenset(scopes), unit, NOW + timedelta(days=days), NOW)


def test_a_session_is_no_token_and_a_person_is_no_machine(connection):
    session = opened(connection)
    assert token_viewer(connection, session.opaque, NOW) is None
    with pytest.raises(UsageError, match="a person's login"):
        create_token(connection, "t-chen", frozenset({"score"}), None, NOW + timedelta(days=1), NOW)
