"""Accounts with their posts, for administrators: no password, no digest."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from serving.access.deciding import in_force
from serving.access.tables import Post, Staff
from serving.accounts.tables import Account

COLUMNS = (
    "id",
    "login",
    "kind",
    "state",
    "staff_id",
    "administrator",
    "must_change",
    "created_at",
    "used_at",
)


def listed_accounts(connection: Connection, at: datetime) -> list[dict[str, Any]]:
    """Every account, with the posts its owner holds at ``at``."""
    held: dict[str, list[str]] = {}
    query = select(Post.staff_id, Post.role, Post.unit).join(Staff, Staff.staff_id == Post.staff_id)
    for staff_id, role, unit in connection.execute(query.where(in_force(at)).order_by(Post.unit)):
        held.setdefault(staff_id, []).append(f"{role} of {unit}")
    columns = [getattr(Account, name) for name in COLUMNS]
    named = select(*columns, Staff.name).outerjoin(Staff, Staff.staff_id == Account.staff_id)
    rows = connection.execute(named.order_by(Account.login)).mappings()
    return [{**row, "posts": held.get(row["staff_id"], [])} for row in rows]


def accounts_text(rows: list[dict[str, Any]]) -> str:
    """A line each."""
    return "\n".join(_line(row) for row in rows) or "There are no accounts. Add one: dropout-risk users add."


def _line(row: dict[str, Any]) -> str:
    used = f"{row['used_at']:%Y-%m-%d}" if row["used_at"] else "never used"
    posts = "administrator" if row["administrator"] else "; ".join(row["posts"]) or "no post today"
    return f"{row['login']:<20} {row['state']:<8} {used:<11} {row['name'] or '':<12} {posts}"
