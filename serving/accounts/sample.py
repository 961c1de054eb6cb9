"""People to try the service as: a teacher, a principal and a county officer of a county of made-up pupils."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from risk_model.errors import MissingError
from serving.access.tables import Post
from serving.accounts.keeping import add_staff, assign, create_account, set_password
from serving.accounts.passwords import new_password
from serving.accounts.tables import Account
from serving.tables import Published, RunSchool, Score

PEOPLE = (("teacher", "class_teacher"), ("principal", "principal"), ("county", "county"))


def sample_users(connection: Connection, at: datetime) -> list[dict[str, str]]:
    """Open their accounts, in the class with the most pupils listed; their passwords are told once.

    Called again, the same people get new passwords.

    Raises
    ------
    MissingError
        Nothing is published yet.
    """
    place = _busiest(connection)
    units = {
        "class_teacher": f"class:{place.class_key}",
        "principal": f"school:{place.school_id}",
        "county": f"county:{place.county_id}",
    }
    return [_person(connection, login, role, units[role], at) for login, role in PEOPLE]


def _busiest(connection: Connection) -> Any:
    query = (
        select(Score.class_key, Score.school_id, RunSchool.county_id)
        .join(Published, (Published.run == Score.run) & (Published.school_id == Score.school_id))
        .join(RunSchool, (RunSchool.run == Score.run) & (RunSchool.school_id == Score.school_id))
        .where(Score.listed)
        .group_by(Score.class_key, Score.school_id, RunSchool.county_id)
        .order_by(func.count().desc(), Score.class_key)
    )
    found = connection.execute(query.limit(1)).first()
    if found is None:
        raise MissingError("Nobody is listed yet. Run 'dropout-risk score' first.")
    return found


def _person(connection: Connection, login: str, role: str, unit: str, at: datetime) -> dict[str, str]:
    password = new_password()
    staff_id = f"sample-{login}"
    account = connection.execute(select(Account.id).where(Account.login == login)).scalar()
    if account is None:
        add_staff(connection, staff_id, f"Sample {login}")
        account = create_account(connection, login, at, staff_id=staff_id)
    held = select(Post.unit).where(Post.staff_id == staff_id, Post.unit == unit, Post.revoked_at.is_(None))
    if connection.execute(held).first() is None:
        assign(connection, staff_id, unit, role, date(at.year, 1, 1))
    set_password(connection, account, password, at)
    return {"login": login, "password": password, "role": role, "unit": unit}
