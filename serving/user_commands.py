"""``users`` and ``tokens``: who may sign in, with which posts; nothing heavy is imported before a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risk_model.command.surface import DAY, Office, Result, command, group
from risk_model.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

ONCE = "It is shown this once and kept nowhere; the owner chooses another at the first sign-in."


@contextmanager
def _writing(office: Office, what: str) -> Iterator[Connection]:
    """A transaction in the service database that will write; ``what`` it is to do is recorded first."""
    from serving.audit.commands import note_look
    from serving.database import open_database, will_write

    with open_database(office.home, office.settings) as engine:
        note_look(office, "account", detail=what)
        with engine.begin() as connection:
            will_write(connection)
            yield connection


@group("users")
def users() -> None:
    """Accounts of people and their posts; the registers staff and assignments bring both in bulk."""


@command("add")
@click.argument("login")
@click.option("--staff", "staff_id", metavar="ID", help="Whose account it is, by the register staff.")
@click.option("--name", help="Who it is, if no register names him; he becomes staff under his login.")
@click.option("--administrator", is_flag=True, help="Opens and closes accounts, and sees no pupils.")
@click.option("--external", nargs=2, metavar="ISSUER SUBJECT", help="Signs in by OpenID Connect alone.")
def add_user(
    office: Office,
    login: str,
    staff_id: str | None,
    name: str | None,
    administrator: bool,
    external: tuple[str, str] | None,
) -> Result:
    """Open an account for LOGIN and print its first password, once."""
    from serving.accounts.keeping import add_staff, create_account, plain_login
    from serving.accounts.passwords import new_password

    if sum((staff_id is not None, name is not None, administrator)) != 1:
        raise UsageError("An account is of one of --staff ID, --name NAME or --administrator.")
    password = None if external else new_password()
    with _writing(office, f"users add {login}") as connection:
        if name is not None:
            staff_id = plain_login(login)
            add_staff(connection, staff_id, name)
        create_account(
            connection,
            login,
            datetime.now(UTC),
            staff_id=staff_id,
            password=password,
            external=" ".join(external) if external else None,
            administrator=administrator,
        )
    document = {"login": plain_login(login), "staff_id": staff_id, "password": password}
    told = f"{login} signs in with {password}. {ONCE}" if password else f"{login} signs in by {external}."
    return Result(document, told)


@command("add-staff")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="CSV to write.")
def add_all_staff(office: Office, out: Path) -> Result:
    """Open accounts for all staff with a post who have none, and write their first passwords to a file."""
    from serving.accounts.enrolling import open_accounts
    from serving.audit.commands import note_look
    from serving.database import open_database
    from serving.directory.refreshing import refresh_directory
    from serving.exports import write_private

    with open_database(office.home, office.settings) as engine:
        note_look(office, "account", detail="users add-staff")
        refresh_directory(office.home, office.settings, engine)
        opened = open_accounts(engine, datetime.now(UTC), lambda text: write_private(out, text.encode()))
    return Result(
        {"accounts": opened, "out": str(out)}, f"{opened:,} accounts opened; passwords are in {out}."
    )


@command("list")
def list_users(office: Office) -> Result:
    """All accounts of people with their posts, and when each was last used."""
    from serving.accounts.listing import accounts_text, listed_accounts
    from serving.database import open_database

    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        rows = listed_accounts(connection, datetime.now(UTC))
    return Result(rows, accounts_text(rows))


@command("assign")
@click.argument("login")
@click.argument("unit")
@click.argument("role")
@click.option("--from", "from_day", type=DAY, help="First day. [default: today]")
@click.option("--to", "to_day", type=DAY, help="Last day. [default: until it is revoked]")
def assign_post(
    office: Office, login: str, unit: str, role: str, from_day: date | None, to_day: date | None
) -> Result:
    """Give LOGIN the post ROLE in UNIT.

    class_teacher in class:A:7A:2025, principal in school:A, township in township:T, county in county:C,
    province in province:P, data_scientist in any unit: counts and no names.
    """
    from serving.accounts.keeping import account_of, assign

    first = from_day or date.today()
    with _writing(office, f"users assign {login} {unit} {role}") as connection:
        staff_id = _staff_of(account_of(connection, login))
        assign(connection, staff_id, unit, role, first, to_day)
    document = {"login": login, "unit": unit, "role": role, "from_day": first, "to_day": to_day}
    return Result(
        document, f"{login} is {role} of {unit} from {first} on{f' to {to_day}' if to_day else ''}."
    )


@command("seal")
@click.argument("login")
def seal_user(office: Office, login: str) -> Result:
    """Nobody signs in as LOGIN any more until it is unsealed; sessions end at once."""
    from serving.accounts.keeping import account_of, seal

    with _writing(office, f"users seal {login}") as connection:
        seal(connection, account_of(connection, login).id, datetime.now(UTC))
    return Result({"login": login, "state": "sealed"}, f"{login} is sealed.")


@command("unseal")
@click.argument("login")
def unseal_user(office: Office, login: str) -> Result:
    """Open a sealed account again."""
    from serving.accounts.keeping import account_of, unseal

    with _writing(office, f"users unseal {login}") as connection:
        unseal(connection, account_of(connection, login).id, datetime.now(UTC))
    return Result({"login": login, "state": "active"}, f"{login} may sign in again.")


@command("password")
@click.argument("login")
def new_user_password(office: Office, login: str) -> Result:
    """Give LOGIN a new password and print it, once; sessions end at once."""
    from serving.accounts.keeping import account_of, set_password
    from serving.accounts.passwords import new_password

    password = new_password()
    with _writing(office, f"users password {login}") as connection:
        account = account_of(connection, login)
        if account.kind != "person" or account.state == "revoked":
            raise UsageError(f"{login} is a machine or closed for good, and has no password.")
        set_password(connection, account.id, password, datetime.now(UTC), by_owner=False)
    return Result({"login": login, "password": password}, f"{login} signs in with {password}. {ONCE}")


@command("revoke")
@click.argument("login")
@click.option("--unit", help="Only his posts in this unit…")
@click.option("--role", help="…of this role.")
def revoke_user(office: Office, login: str, unit: str | None, role: str | None) -> Result:
    """Take a post from LOGIN, or close the account for good; both at once."""
    from serving.accounts.keeping import account_of, revoke, take_away

    if (unit is None) != (role is None):
        raise UsageError("A post is named by --unit and --role together; without both the account is closed.")
    now = datetime.now(UTC)
    with _writing(office, f"users revoke {login} {unit or ''} {role or ''}") as connection:
        account = account_of(connection, login)
        if unit is None or role is None:
            revoke(connection, account.id, now)
            return Result({"login": login, "state": "revoked"}, f"{login} is closed for good.")
        if take_away(connection, _staff_of(account), unit, role, now) == 0:
            raise UsageError(f"{login} is not {role} of {unit}. See 'dropout-risk users list'.")
    return Result({"login": login, "unit": unit, "role": role}, f"{login} is no longer {role} of {unit}.")


@command("sample")
def sample(office: Office) -> Result:
    """A teacher, a principal and a county officer of the published lists, for a demonstration."""
    from serving.accounts.sample import sample_users
    from serving.database import open_database
    from serving.directory.refreshing import refresh_directory

    with open_database(office.home, office.settings) as engine:
        refresh_directory(office.home, office.settings, engine)
    with _writing(office, "users sample") as connection:
        people = sample_users(connection, datetime.now(UTC))
    told = [f"{one['login']:<10} {one['password']}   {one['role']} of {one['unit']}" for one in people]
    return Result(people, "\n".join(told))


@group("tokens")
def tokens() -> None:
    """Tokens of machines that ask the API."""


@command("add")
@click.argument("machine")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may; repeatable.")
@click.option("--unit", help="The one unit whose pupils it may see, as school:A.")
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True, help="How long it lives.")
def add_token(office: Office, machine: str, scopes: tuple[str, ...], unit: str | None, days: int) -> Result:
    """A token for MACHINE with scopes lists:read, students:read, score, care:write or monitoring:read."""
    from serving.accounts.tokens import create_token

    now = datetime.now(UTC)
    ends = now + timedelta(days=days)
    with _writing(office, f"tokens add {machine} {' '.join(scopes)} {unit or ''}") as connection:
        secret = create_token(connection, machine, frozenset(scopes), unit, ends, now)
    document = {
        "machine": machine,
        "token": secret,
        "scopes": sorted(scopes),
        "unit": unit,
        "expires_at": ends,
    }
    return Result(document, f"{secret}\nIt is shown this once and ends on {ends.date()}.")


@command("list")
def list_tokens(office: Office) -> Result:
    """All tokens: of whom, for what, until when; never the token itself."""
    from serving.accounts.tokens import tokens as kept
    from serving.database import open_database

    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        rows = kept(connection)
    return Result(rows, "\n".join(_token_line(row) for row in rows) or "There are no tokens.")


@command("revoke")
@click.argument("number", type=int)
def revoke_one_token(office: Office, number: int) -> Result:
    """End token NUMBER at once."""
    from serving.accounts.tokens import revoke_token

    with _writing(office, f"tokens revoke {number}") as connection:
        revoke_token(connection, number, datetime.now(UTC))
    return Result({"id": number, "state": "revoked"}, f"Token {number} is worth nothing any more.")


def _staff_of(account: Any) -> str:
    if account.staff_id is None:
        raise UsageError(f"{account.login} is no member of staff and holds no posts.")
    return str(account.staff_id)


def _token_line(row: dict[str, Any]) -> str:
    state = "revoked" if row["revoked_at"] else f"until {row['expires_at']:%Y-%m-%d}"
    return f"{row['id']:>4}  {row['login']:<20} {row['scopes']:<30} {row['unit'] or '':<24} {state}"


for one in (
    add_user,
    add_all_staff,
    list_users,
    assign_post,
    seal_user,
    unseal_user,
    new_user_password,
    revoke_user,
    sample,
):
    users.add_command(one)
for one in (add_token, list_tokens, revoke_one_token):
    tokens.add_command(one)
