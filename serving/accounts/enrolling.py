"""Accounts for all whom the registers give a post: some thousand teachers every September."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, or_, select

from serving.access.posts import local_day
from serving.access.tables import Post, Staff
from serving.accounts.keeping import create_account, plain_login
from serving.accounts.passwords import new_password
from serving.accounts.tables import Account
from serving.database import will_write

HEADER = ("login", "password", "staff_id", "name")


def open_accounts(engine: Engine, at: datetime, keep: Callable[[str], None]) -> int:
    """Open an account for every member of staff with a post, now or to come, who never had one.

    The login is the number of the register; where a person of another number has it already, nobody gets
    it and the command that adds single accounts helps. All first passwords are handed to ``keep``, as CSV,
    before the accounts exist: if the file cannot be written, nobody is left with one that nobody knows.
    Whose account was closed for good gets no other by this.

    Returns
    -------
    int
        Accounts opened.
    """
    with engine.connect() as connection:
        rows = _without_account(connection, local_day(at))
    keep(_as_csv(rows))
    for login, password, staff_id, _ in rows:  # one at a time: a hash takes 20 ms, and others write, too
        with engine.begin() as connection:
            will_write(connection)
            create_account(connection, login, at, staff_id=staff_id, password=password)
    return len(rows)


def _without_account(connection: Connection, day: date) -> list[tuple[str, str, str, str]]:
    """Login, new password, number and name of everybody to open an account for."""
    ever = select(Account.staff_id).where(Account.staff_id.is_not(None))
    serving = select(Staff.staff_id, Staff.name).where(~Staff.has_left, Staff.staff_id.in_(_posted(day)))
    found = connection.execute(serving.where(Staff.staff_id.not_in(ever)).order_by(Staff.staff_id)).all()
    taken = set(connection.execute(select(Account.login)).scalars())
    rows: list[tuple[str, str, str, str]] = []
    for staff_id, name in found:
        login = plain_login(staff_id)
        if login not in taken:
            taken.add(login)
            rows.append((login, new_password(), staff_id, name))
    return rows


def _posted(day: date) -> Any:
    """Who holds a post that is not over."""
    not_over = or_(Post.to_day.is_(None), Post.to_day >= day)
    return select(Post.staff_id).where(not_over, Post.revoked_at.is_(None))


def _as_csv(rows: list[tuple[str, str, str, str]]) -> str:
    from serving.exports import safe_text

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([safe_text(value) for value in row] for row in rows)
    return text.getvalue()
