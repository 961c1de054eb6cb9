"""The administrator's page: accounts and tokens, no pupil; closing works at once and is written down."""

from __future__ import annotations

import re

from sqlalchemy import select

from serving.accounts.tables import Account, Token
from tests import cast
from tests.service_rig import Rig, each_rig, rig_on_sqlite  # noqa: F401

PAGE = {"accept": "text/html"}


def number(rig: Rig, login: str) -> int:
    with rig.app.state.service.engine.connect() as connection:
        return connection.execute(select(Account.id).where(Account.login == login)).scalar_one()


def test_home_of_the_administrator_are_the_accounts_in_both_languages_without_a_pupil(rig: Rig) -> None:
    keeper = rig.by_role("keeper")
    assert keeper.get("/", headers=PAGE).headers["location"] == "/accounts"
    page = keeper.get("/accounts", headers=PAGE).text
    assert "t-chen" in page
    assert "陈老师" in page
    assert "class teacher of class A:7A:2025" in page
    assert not re.search("|".join([*cast.CLASS_OF, *cast.NAMES.values()]), page)
    assert "正在使用的机器令牌" in keeper.get("/accounts", headers=PAGE | {"accept-language": "zh-CN"}).text
    assert "t-chen" not in keeper.get("/accounts?q=sun", headers=PAGE).text
    assert "t-sun" in keeper.get("/accounts?q=孙", headers=PAGE).text


def test_sealing_ends_sessions_at_once_and_is_undone_by_opening(rig: Rig) -> None:
    keeper, officer = rig.by_role("keeper"), rig.signed_in("O-T1")
    account = number(rig, "o-t1")
    assert officer.get("/", headers=PAGE).status_code == 200
    assert keeper.post(f"/accounts/{account}/seal", headers=PAGE).status_code == 303
    assert officer.get("/", headers=PAGE).status_code == 303  # to sign in
    assert any(
        one.action == "account" and one.detail == f"seal account {account}" for one in rig.audit.entries
    )
    assert keeper.post(f"/accounts/{account}/unseal", headers=PAGE).status_code == 303
    again = rig.signed_in("O-T1")
    assert again.get("/", headers=PAGE).status_code == 200
    assert keeper.post(f"/accounts/{account}/end-sessions", headers=PAGE).status_code == 303
    assert again.get("/", headers=PAGE).status_code == 303
    rig.callers.pop("O-T1", None)  # whose session ended with them


def test_a_token_is_ended_at_once(rig: Rig) -> None:
    machine = rig.machine("school:A", "lists:read")
    path = f"/api/v1/lists?unit={cast.A7A}"
    assert machine.get(path).status_code == 200
    with rig.app.state.service.engine.connect() as connection:
        token = connection.execute(select(Token.id).order_by(Token.id.desc())).scalars().first()
    keeper = rig.by_role("keeper")
    assert keeper.post(f"/tokens/{token}/revoke", headers=PAGE).status_code == 303
    assert machine.get(path).status_code == 401
    assert keeper.post(f"/tokens/{token}/revoke", headers=PAGE).status_code == 404


def test_nobody_seals_himself_and_nobody_else_comes_here(rig: Rig) -> None:
    keeper = rig.by_role("keeper")
    assert keeper.post(f"/accounts/{number(rig, 'keeper')}/seal", headers=PAGE).status_code == 403
    assert keeper.post("/accounts/987654/seal", headers=PAGE).status_code == 404
    assert keeper.get("/accounts", headers=PAGE).status_code == 200
    for who in ("T-CHEN", "P-A", "O-K", "D-K"):
        assert rig.by_role(who).get("/accounts", headers=PAGE).status_code == 403, who
