"""Row-level security of PostgreSQL: the rules of ``deciding`` once more, where no Python can forget them.

A request runs as the role ``dropout_risk_web``, which owns nothing, with its viewer in settings of its
transaction. A policy on each table of pupils lets it see the rows of those in the view ``reach`` alone;
without a viewer that is nobody. The owner, whose commands write the lists, is under the policies too
(``force``): once a transaction has named a viewer, he sees no scores and names but that viewer's. On
SQLite, where the file is the service's own, all this is nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from serving.access.deciding import Viewer
from serving.access.posts import local_day

ROLE = "dropout_risk_web"
_NAMED = """
select set_config('app.account', :account, true), set_config('app.unit', :unit, true),
    set_config('app.day', :day, true), set_config('app.at', :at, true)
"""
_ACCOUNT = "nullif(current_setting('app.account', true), '')::integer"
_DAY = "nullif(current_setting('app.day', true), '')::date"
_AT = "nullif(current_setting('app.at', true), '')::timestamp"
_PLACED = f"p.from_day <= {_DAY} and coalesce(p.to_day >= {_DAY}, true)"
_PERSON = f"a.id = {_ACCOUNT} and a.kind = 'person' and a.state = 'active' and not a.administrator"
REACH = f"""
create view reach as
select p.student_id
from accounts a
    join staff s on s.staff_id = a.staff_id and not s.has_left
    join posts o on o.staff_id = a.staff_id
    join unit_places u on u.within = o.unit
    join placements p on p.unit = u.unit
where {_PERSON} and o.sees and o.revoked_at is null
    and o.from_day <= {_DAY} and coalesce(o.to_day >= {_DAY}, true) and {_PLACED}
union all
select g.student_id
from accounts a
    join staff s on s.staff_id = a.staff_id and not s.has_left
    join access_grants g on g.staff_id = a.staff_id
where {_PERSON} and g.from_at <= {_AT} and coalesce(g.until_at > {_AT}, true)
union all
select p.student_id
from unit_places u join placements p on p.unit = u.unit
where u.within = current_setting('app.unit', true) and {_PLACED} and exists (
    select from tokens t join accounts a on a.id = t.account
    where a.id = {_ACCOUNT} and a.kind = 'machine' and a.state = 'active' and t.unit = u.within
        and t.revoked_at is null and t.expires_at > {_AT}
        and t.scopes ~ '(lists:read|students:read|care:write)')
"""
READER = "dropout_risk_reach"
"""Owns the view, so that what the view reads is not filtered by the view; nobody ever is this role."""
READ = ("accounts", "staff", "posts", "unit_places", "placements", "access_grants", "tokens")
"""Tables the view reads."""
_MAKE_ROLE = """
do $$ begin
    if not exists (select from pg_roles where rolname = '{role}') then
        create role {role} nologin;
    end if;
    if not pg_has_role(current_user, '{role}', 'member') then
        grant {role} to current_user;
    end if;
exception
    when duplicate_object or unique_violation then grant {role} to current_user;
    when insufficient_privilege then
        raise exception 'a role is missing; let an administrator of the database run: '
            'create role {role} nologin; grant {role} to %', current_user;
end $$"""


def database_identity(connection: Connection, viewer: Viewer, at: datetime | None = None) -> None:
    """From here to the end of its transaction the connection is ``viewer``'s; nothing on SQLite.

    ``at``: the moment of the request, if it is not now.
    """
    if connection.dialect.name != "postgresql":
        return
    at = at or datetime.now(UTC)
    named = {
        "account": str(viewer.account_id),
        "unit": viewer.unit or "",
        "day": local_day(at).isoformat(),
        "at": at.astimezone(UTC).replace(tzinfo=None).isoformat(),
    }
    connection.execute(text(_NAMED), named)
    connection.exec_driver_sql(f"set local role {ROLE}")


def prepare(connection: Connection) -> Iterator[str]:
    """Statements that make the roles and the view; for the migration that adds them."""
    for role in (ROLE, READER):
        yield _MAKE_ROLE.format(role=role)
    schema = connection.exec_driver_sql("select quote_ident(current_schema())").scalar_one()
    yield f"grant usage on schema {schema} to {ROLE}, {READER}"
    yield f"grant select on all tables in schema {schema} to {ROLE}"
    yield f"grant insert, update on sessions, access_grants, accounts, tokens to {ROLE}"
    yield f"grant usage on all sequences in schema {schema} to {ROLE}"
    yield f"alter default privileges in schema {schema} grant select, insert, update on tables to {ROLE}"
    yield f"alter default privileges in schema {schema} grant usage on sequences to {ROLE}"
    yield f"grant select on {', '.join(READ)} to {READER}"
    yield REACH
    yield f"grant select on reach to {ROLE}, current_user"
    yield f"grant create on schema {schema} to {READER}"
    yield f"alter view reach owner to {READER}"
    yield f"revoke create on schema {schema} from {READER}"


def guard(table: str) -> Iterator[str]:
    """Statements that put a table with a ``student_id`` behind the wall; for migrations."""
    reached = f"exists (select from reach where reach.student_id = {table}.student_id)"
    nobody_named = "coalesce(current_setting('app.account', true), '') = ''"
    yield f"alter table {table} enable row level security"
    yield f"alter table {table} force row level security"
    yield f"create policy viewers on {table} to {ROLE} using ({reached})"
    yield f"create policy keepers on {table} to current_user using ({nobody_named} or {reached})"
    if table in READ:
        yield f"create policy reading on {table} to {READER} using (true)"
