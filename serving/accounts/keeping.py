"""Opening, sealing and closing accounts; posts given and taken by the office itself."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select, update

from risk_model.errors import MissingError, UsageError
from serving.access.posts import ROLES, role_of, sees
from serving.access.tables import Post, Staff
from serving.accounts.passwords import hashed
from serving.accounts.tables import ACTIVE, REVOKED, SEALED, Account, SignedIn, Token
from serving.database import will_write
from serving.units import parse_unit

UNUSED = timedelta(days=183)
"""An account nobody used for so long is sealed."""
OFFICE = "office"
"""Source of what the office entered itself, which no register takes away."""


def plain_login(login: str) -> str:
    """A login in the one form it is kept and looked for, so that no two look alike.

    >>> plain_login(" Ｗang.Li ")
    'wang.li'
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", login).strip().casefold())


def create_account(
    connection: Connection,
    login: str,
    at: datetime,
    *,
    kind: Literal["person", "machine"] = "person",
    staff_id: str | None = None,
    password: str | None = None,
    external: str | None = None,
    administrator: bool = False,
) -> int:
    """Open an account; answers its number. A password given here must be changed at the first sign-in.

    Raises
    ------
    UsageError
        The login is taken or no login, the member of staff has an account already, or a machine's would
        have a password.
    MissingError
        There is no such member of staff.
    """
    plain = plain_login(login)
    if not plain or len(plain) > 128 or any(not sign.isprintable() or sign.isspace() for sign in plain):
        raise UsageError(f"{login!r} is no login: it has 1 to 128 letters, digits and signs, no blanks.")
    _demand_free(connection, plain, staff_id)
    if kind == "machine" and (password or external or administrator or staff_id):
        raise UsageError("A machine signs in with tokens alone.")
    values = {
        "login": plain,
        "kind": kind,
        "staff_id": staff_id,
        "administrator": administrator,
        "state": ACTIVE,
        "password": None if password is None else hashed(password, plain),
        "must_change": password is not None,
        "external": external,
        "created_at": at,
    }
    return int(connection.execute(insert(Account).returning(Account.id), values).scalar_one())


def set_password(
    connection: Connection, account_id: int, password: str, at: datetime, *, by_owner: bool = True
) -> None:
    """Give an account another password; all its sessions end.

    ``by_owner``: chosen by whose account it is; else he is asked for another at his next sign-in.
    """
    login = connection.execute(select(Account.login).where(Account.id == account_id)).scalar_one()
    values = {"password": hashed(password, login), "must_change": not by_owner}
    connection.execute(update(Account).where(Account.id == account_id).values(values))
    end_sessions(connection, account_id, at)


def account_of(connection: Connection, login: str) -> Any:
    """The row of the account.

    Raises
    ------
    MissingError
        There is none of that login.
    """
    query = select(Account.__table__).where(Account.login == plain_login(login))
    found = connection.execute(query).one_or_none()
    if found is None:
        raise MissingError(f"There is no account {login!r}. See 'dropout-risk users list'.")
    return found


def seal(connection: Connection, account_id: int, at: datetime) -> None:
    """Nobody signs in any more until it is opened again; sessions end at once."""
    _close(connection, account_id, SEALED, at)


def revoke(connection: Connection, account_id: int, at: datetime) -> None:
    """Close an account for good: its sessions, password, outside identity and tokens end at once."""
    _close(connection, account_id, REVOKED, at)
    gone = {"password": None, "external": None}
    connection.execute(update(Account).where(Account.id == account_id).values(gone))
    tokens = update(Token).where(Token.account == account_id, Token.revoked_at.is_(None))
    connection.execute(tokens.values(revoked_at=at))


def unseal(connection: Connection, account_id: int, at: datetime) -> None:
    """Open a sealed account again; it counts as used now, or it would be sealed anew at once.

    Raises
    ------
    UsageError
        It was closed for good.
    """
    opened = update(Account).where(Account.id == account_id, Account.state != REVOKED)
    if connection.execute(opened.values(state=ACTIVE, used_at=at)).rowcount == 0:
        raise UsageError("The account is closed for good. Add another.")


def seal_unused(connection: Connection, at: datetime) -> int:
    """Seal every account of a person that nobody used for half a year; answers how many."""
    will_write(connection)
    last = func.coalesce(Account.used_at, Account.created_at)
    unused = select(Account.id).where(Account.state == ACTIVE, Account.kind == "person", last < at - UNUSED)
    found = connection.execute(unused).scalars().all()
    for account_id in found:
        seal(connection, account_id, at)
    return len(found)


def seal_if_unused(connection: Connection, account: Any, at: datetime) -> bool:
    """Seal this account if nobody used it for half a year; whether that was so."""
    if (account.used_at or account.created_at) >= at - UNUSED:
        return False
    seal(connection, account.id, at)
    return True


def add_staff(connection: Connection, staff_id: str, name: str, email: str | None = None) -> None:
    """Enter a member of staff whom no register names."""
    if connection.execute(select(Staff.staff_id).where(Staff.staff_id == staff_id)).first():
        raise UsageError(f"There is a member of staff {staff_id!r} already.")
    entry = {"staff_id": staff_id, "name": name, "email": email, "source": OFFICE, "has_left": False}
    connection.execute(insert(Staff), entry)


def assign(
    connection: Connection, staff_id: str, unit: str, role: str, from_day: date, to_day: date | None = None
) -> None:
    """Give a member of staff a post, whatever the registers say.

    Raises
    ------
    UsageError
        Unit or role are none, do not fit together, or the post ends before it begins.
    """
    parse_unit(unit)
    known = role_of(role)
    if known is None:
        raise UsageError(f"{role!r} is no role. Choose one of {', '.join(ROLES)}.")
    if known != "data_scientist" and not sees(known, unit):
        raise UsageError(f"{known} is no role in {unit}; see 'dropout-risk users assign --help'.")
    if to_day is not None and to_day < from_day:
        raise UsageError(f"The post would end on {to_day}, before it begins on {from_day}.")
    key = {"staff_id": staff_id, "unit": unit, "role": known, "from_day": from_day}
    connection.execute(delete(Post).where(*(getattr(Post, name) == value for name, value in key.items())))
    entry = {**key, "to_day": to_day, "sees": sees(known, unit), "source": OFFICE}
    connection.execute(insert(Post), entry)


def take_away(connection: Connection, staff_id: str, unit: str, role: str, at: datetime) -> int:
    """End posts at once, those of the registers too, until they are assigned anew; answers how many."""
    known = role_of(role) or role
    held = update(Post).where(Post.staff_id == staff_id, Post.unit == unit, Post.role == known)
    return connection.execute(held.where(Post.revoked_at.is_(None)).values(revoked_at=at)).rowcount


def _demand_free(connection: Connection, plain: str, staff_id: str | None) -> None:
    if connection.execute(select(Account.id).where(Account.login == plain)).first():
        raise UsageError(f"The login {plain!r} is taken. Choose another.")
    if staff_id is None:
        return
    if connection.execute(select(Staff.staff_id).where(Staff.staff_id == staff_id)).first() is None:
        raise MissingError(
            f"There is no member of staff {staff_id!r}. Import the register staff, or give --name."
        )
    in_use = Account.staff_id == staff_id, Account.state != REVOKED
    held = connection.execute(select(Account.login).where(*in_use)).scalar()
    if held is not None:
        raise UsageError(f"{staff_id} signs in as {held!r} already; nobody has two accounts.")


def _close(connection: Connection, account_id: int, state: str, at: datetime) -> None:
    closed = update(Account).where(Account.id == account_id, Account.state != REVOKED)
    connection.execute(closed.values(state=state))
    end_sessions(connection, account_id, at)


def end_sessions(connection: Connection, account_id: int, at: datetime) -> None:
    """End all sessions of an account."""
    open_ones = update(SignedIn).where(SignedIn.account == account_id, SignedIn.ended_at.is_(None))
    connection.execute(open_ones.values(ended_at=at))
