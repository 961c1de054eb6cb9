"""Signing in, the session that follows, and who a request is from: read anew for every request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, exists, insert, select, update

from serving.access.deciding import Viewer, in_force, moment
from serving.access.posts import DATA_SCIENTIST
from serving.access.tables import Post, Staff, UtcDateTime
from serving.accounts.keeping import plain_login, seal_if_unused
from serving.accounts.passwords import matches, place_to_hash
from serving.accounts.secret import digest_of, new_secret
from serving.accounts.tables import ACTIVE, Account, SignedIn, Token
from serving.database import will_write

IDLE = timedelta(hours=2)
"""A session nobody used for so long is over…"""
LONGEST = timedelta(hours=12)
"""…and any after so long."""
NOTED = timedelta(minutes=1)
"""How exactly it is noted when a session was used: a write for every request would be one too many."""
REMEMBERED = 10_000
"""Sessions and tokens of whose use a process remembers, so that most requests ask nothing."""
_lately: dict[str, datetime] = {}
_STILL_SERVES = exists().where(Staff.staff_id == Account.staff_id, ~Staff.has_left)
_IS_DATA_SCIENTIST = exists(
    select(Post.staff_id)
    .join(Staff, Staff.staff_id == Post.staff_id)
    .where(Post.staff_id == Account.staff_id, Post.role == DATA_SCIENTIST, in_force(None))
    .correlate(Account)
)
_GOING_ON = (
    select(
        Account.id,
        Account.login,
        Account.staff_id,
        Account.administrator,
        Account.must_change,
        _STILL_SERVES.label("serves"),
        _IS_DATA_SCIENTIST.label("data_scientist"),
    )
    .select_from(SignedIn)
    .join(Account, Account.id == SignedIn.account)
    .where(
        SignedIn.digest == bindparam("digest"),
        SignedIn.ended_at.is_(None),
        SignedIn.used_at > bindparam("idle", type_=UtcDateTime()),
        SignedIn.began_at > bindparam("longest", type_=UtcDateTime()),
        Account.state == ACTIVE,
    )
)
"""Made once: every request of a person asks it."""


@dataclass(frozen=True)
class Session:
    """A session just begun; ``opaque`` is the cookie's value and is kept nowhere else."""

    opaque: str = field(repr=False)
    account_id: int
    must_change: bool
    """The password was made by somebody else: ask for another first."""
    ends_at: datetime


def sign_in(connection: Connection, login: str, password: str, at: datetime, client: str) -> Session | None:
    """A session for whoever knows the password; null for everybody else, after the same work.

    Raises
    ------
    TooBusyError
        Too many sign in at once.
    """
    query = select(Account.__table__).where(Account.login == plain_login(login), Account.kind == "person")
    with place_to_hash():  # before the transaction writes, so that nobody waits for it with the database
        will_write(connection)
        account = connection.execute(query).one_or_none()
        right = matches(account.password if account else None, password)
        if account is None or not right:
            return None
        return _begin(connection, account, at, client)


def sign_in_external(
    connection: Connection, issuer: str, subject: str, at: datetime, client: str
) -> Session | None:
    """A session for whom an OpenID Connect provider vouches; an unknown subject gets no account by it."""
    will_write(connection)
    query = select(Account.__table__).where(Account.external == f"{issuer} {subject}")
    account = connection.execute(query).one_or_none()
    return None if account is None else _begin(connection, account, at, client)


def session_viewer(connection: Connection, opaque: str, at: datetime) -> Viewer | None:
    """Who the session is of, as of now: with his posts of today, or null if it or the account is over.

    Reads only; :func:`note_use` puts off its end.
    """
    asked = {"digest": digest_of(opaque), "idle": at - IDLE, "longest": at - LONGEST, **moment(at)}
    found = connection.execute(_GOING_ON, asked).one_or_none()
    if found is None or (found.staff_id is not None and not found.serves):
        return None
    return Viewer(
        account_id=found.id,
        login=found.login,
        kind="person",
        staff_id=found.staff_id,
        administrator=found.administrator,
        data_scientist=found.data_scientist,
        must_change=found.must_change,
    )


def note_use(engine: Engine, secret: str, at: datetime) -> None:
    """Note that a session or a token was used now, to the minute, in a transaction of its own.

    Call it before the transaction of the request: on SQLite one that has read and then writes may be
    refused, and one that reads stands in the way of one that writes.
    """
    digest = digest_of(secret)
    if _lately.get(digest, at - NOTED) > at - NOTED:
        return
    uses = select(SignedIn.used_at, SignedIn.account).where(
        SignedIn.digest == digest, SignedIn.ended_at.is_(None)
    )
    calls = select(Token.used_at, Token.account).where(Token.digest == digest, Token.revoked_at.is_(None))
    with engine.connect() as connection:
        found = connection.execute(uses.union_all(calls)).first()
    if found is None:
        return
    if len(_lately) >= REMEMBERED:
        _lately.clear()
    due = found.used_at is None or at - found.used_at >= NOTED
    _lately[digest] = at if due else found.used_at
    if not due:
        return
    alive = SignedIn.used_at > at - IDLE
    with engine.begin() as connection:
        connection.execute(update(SignedIn).where(SignedIn.digest == digest, alive).values(used_at=at))
        connection.execute(update(Token).where(Token.digest == digest).values(used_at=at))
        connection.execute(update(Account).where(Account.id == found.account).values(used_at=at))


def sign_out(connection: Connection, opaque: str, at: datetime) -> None:
    """End a session; its cookie is worth nothing from then on."""
    ended = SignedIn.ended_at.is_(None), SignedIn.digest == digest_of(opaque)
    connection.execute(update(SignedIn).where(*ended).values(ended_at=at))


def _begin(connection: Connection, account: Any, at: datetime, client: str) -> Session | None:
    if account.state != ACTIVE or seal_if_unused(connection, account, at):
        return None
    if _has_left(connection, account.staff_id):
        return None
    opaque = new_secret()
    entry = {"digest": digest_of(opaque), "account": account.id, "began_at": at, "used_at": at}
    connection.execute(insert(SignedIn), {**entry, "client": client[:256]})
    connection.execute(update(Account).where(Account.id == account.id).values(used_at=at))
    return Session(opaque, account.id, account.must_change, at + LONGEST)


def _has_left(connection: Connection, staff_id: str | None) -> bool:
    """Whether the account is of somebody the register no longer names."""
    query = select(Staff.staff_id).where(Staff.staff_id == staff_id, ~Staff.has_left)
    return staff_id is not None and connection.execute(query).first() is None
