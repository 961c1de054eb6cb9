"""Units, placements, staff, posts, accounts; on PostgreSQL the second wall around rows of pupils."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.access.second_wall import guard, prepare

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

IDENTIFIER = sa.String(128)
UNIT = sa.String(300)
DIGEST = sa.String(64)
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
IN_USE = sa.text("state <> 'revoked'")
GUARDED = ("scores", "placements", "pupil_names", "access_grants")


def upgrade() -> None:
    _directory()
    _posts()
    _accounts()
    if op.get_context().dialect.name == "postgresql":
        for statement in prepare(op.get_bind()):
            op.execute(sa.text(statement.replace(":", r"\:")))
        for table in GUARDED:
            for statement in guard(table):
                op.execute(sa.text(statement.replace(":", r"\:")))


def _directory() -> None:
    op.create_table(
        "unit_places",
        sa.Column("unit", UNIT, primary_key=True),
        sa.Column("within", UNIT, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("unit_places_within", "unit_places", ["within"])
    op.create_table(
        "unit_titles",
        sa.Column("unit", UNIT, primary_key=True),
        sa.Column("name", sa.String(256), nullable=False),
    )
    op.create_table(
        "placements",
        sa.Column("student_id", IDENTIFIER, primary_key=True),
        sa.Column("unit", UNIT, primary_key=True),
        sa.Column("from_day", sa.Date, primary_key=True),
        sa.Column("to_day", sa.Date),
        sqlite_with_rowid=False,
    )
    op.create_index("placements_in", "placements", ["unit"])
    op.create_table(
        "pupil_names",
        sa.Column("student_id", IDENTIFIER, primary_key=True),
        sa.Column("name", sa.String(256), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "directory_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("lake_snapshot", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("refreshed_at", sa.DateTime, nullable=False),
    )


def _posts() -> None:
    op.create_table(
        "staff",
        sa.Column("staff_id", IDENTIFIER, primary_key=True),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("email", sa.String(256)),
        sa.Column("phone", sa.String(64)),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("has_left", sa.Boolean, nullable=False),
    )
    op.create_table(
        "posts",
        sa.Column("staff_id", IDENTIFIER, primary_key=True),
        sa.Column("unit", UNIT, primary_key=True),
        sa.Column("role", sa.String(32), primary_key=True),
        sa.Column("from_day", sa.Date, primary_key=True),
        sa.Column("to_day", sa.Date),
        sa.Column("sees", sa.Boolean, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("revoked_at", sa.DateTime),
    )
    op.create_index("posts_in", "posts", ["unit"])
    op.create_table(
        "access_grants",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("staff_id", IDENTIFIER, nullable=False),
        sa.Column("student_id", IDENTIFIER, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("from_at", sa.DateTime, nullable=False),
        sa.Column("until_at", sa.DateTime),
    )
    op.create_index("access_grants_of", "access_grants", ["staff_id", "student_id"])
    op.create_index("ix_access_grants_student_id", "access_grants", ["student_id"])


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("login", IDENTIFIER, nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("staff_id", IDENTIFIER),
        sa.Column("administrator", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("must_change", sa.Boolean, nullable=False),
        sa.Column("external", sa.String(512), unique=True),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("used_at", sa.DateTime),
    )
    op.create_index(
        "one_account_of_a_person",
        "accounts",
        ["staff_id"],
        unique=True,
        sqlite_where=IN_USE,
        postgresql_where=IN_USE,
    )
    op.create_table(
        "sessions",
        sa.Column("digest", DIGEST, primary_key=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False, index=True),
        sa.Column("began_at", sa.DateTime, nullable=False),
        sa.Column("used_at", sa.DateTime, nullable=False),
        sa.Column("client", sa.String(256), nullable=False),
        sa.Column("ended_at", sa.DateTime),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", DIGEST, nullable=False, unique=True),
        sa.Column("account", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False, index=True),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("unit", UNIT),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("used_at", sa.DateTime),
        sa.Column("revoked_at", sa.DateTime),
    )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        for table in GUARDED:
            op.execute(f"drop policy viewers on {table}")
            op.execute(f"drop policy keepers on {table}")
            op.execute(f"drop policy if exists reading on {table}")
            op.execute(f"alter table {table} no force row level security")
            op.execute(f"alter table {table} disable row level security")
        op.execute("drop view reach")
    for table in (
        "tokens",
        "sessions",
        "accounts",
        "access_grants",
        "posts",
        "staff",
        "directory_state",
        "pupil_names",
        "placements",
        "unit_titles",
        "unit_places",
    ):
        op.drop_table(table)
