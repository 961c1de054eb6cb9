"""Tokens of machines: scoped, bound to a unit, expiring, revocable; shown once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from risk_model.errors import MissingError, UsageError
from serving.access.deciding import SEEING_SCOPES, Viewer
from serving.access.tables import UtcDateTime
from serving.accounts.keeping import create_account, plain_login
from serving.accounts.secret import digest_of, new_secret
from serving.accounts.tables import ACTIVE, Account, Token
from serving.units import parse_unit

SCOPES = ("lists:read", "students:read", "score", "care:write", "monitoring:read")
PREFIX = "dr_"
"""Begins every token, so that a scanner for leaked secrets knows one."""
LONGEST = timedelta(days=366)
_IN_USE = (
    select(Token.account, Token.scopes, Token.unit, Account.login)
    .join(Account, Account.id == Token.account)
    .where(
        Token.digest == bindparam("digest"),
        Token.revoked_at.is_(None),
        Token.expires_at > bindparam("at", type_=UtcDateTime()),
        Account.state == ACTIVE,
        Account.kind == "machine",
    )
)
"""Made once: every request of a machine asks it."""


def create_token(
    connection: Connection,
    machine: str,
    scopes: frozenset[str],
    unit: str | None,
    expires_at: datetime,
    at: datetime,
) -> str:
    """A token for ``machine``, whose account is opened if it has none; kept nowhere but as its digest.

    Raises
    ------
    UsageError
        A scope is none, one about pupils lacks a unit, the token would live too long, or the login is a
        person's.
    """
    if not scopes or not scopes <= set(SCOPES):
        raise UsageError(f"A token has one or more of the scopes {', '.join(SCOPES)}.")
    if unit is None and not SEEING_SCOPES.isdisjoint(scopes):
        raise UsageError("A token that sees pupils is for one unit; give it, as --unit school:A.")
    if unit is not None:
        parse_unit(unit)
    if not at < expires_at <= at + LONGEST:
        raise UsageError(f"A token ends after now and within {LONGEST.days} days.")
    secret = new_secret(PREFIX)
    entry = {
        "digest": digest_of(secret),
        "account": _machine(connection, machine, at),
        "scopes": " ".join(sorted(scopes)),
        "unit": unit,
        "created_at": at,
        "expires_at": expires_at,
    }
    connection.execute(insert(Token), entry)
    return secret


def token_viewer(connection: Connection, opaque: str, at: datetime) -> Viewer | None:
    """The machine a token is of, with what it may; null if the token or its account is over."""
    found = connection.execute(_IN_USE, {"digest": digest_of(opaque), "at": at}).one_or_none()
    if found is None:
        return None
    scopes = frozenset(found.scopes.split())
    return Viewer(found.account, found.login, "machine", scopes=scopes, unit=found.unit)


def revoke_token(connection: Connection, token_id: int, at: datetime) -> None:
    """End a token at once.

    Raises
    ------
    MissingError
        There is no such token in use.
    """
    ended = update(Token).where(Token.id == token_id, Token.revoked_at.is_(None))
    if connection.execute(ended.values(revoked_at=at)).rowcount == 0:
        raise MissingError(f"There is no token {token_id} in use. See 'dropout-risk tokens list'.")


def tokens(connection: Connection) -> list[dict[str, Any]]:
    """All tokens, without what would let anybody in."""
    query = select(Token.__table__, Account.login).join(Account, Account.id == Token.account)
    hidden = ("digest", "account")
    found = connection.execute(query.order_by(Token.id)).mappings()
    return [{name: value for name, value in row.items() if name not in hidden} for row in found]


def _machine(connection: Connection, login: str, at: datetime) -> int:
    query = select(Account.id, Account.kind, Account.state).where(Account.login == plain_login(login))
    found = connection.execute(query).one_or_none()
    if found is None:
        return create_account(connection, login, at, kind="machine")
    if found.kind != "machine" or found.state != ACTIVE:
        raise UsageError(f"{login!r} is a person's login, or closed. Name the machine differently.")
    return int(found.id)
