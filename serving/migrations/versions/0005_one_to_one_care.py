"""One-to-one care: cases and their steps, notes, nominations, objections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.access import second_wall

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IDENTIFIER = sa.String(128)
WORD = sa.String(32)
ONE_OPEN = sa.text("state = 'open'")
OF_PUPILS = ("care_cases", "care_notes", "care_nominations", "care_objections")
OF_CASE = "exists (select from care_cases c where c.id = care_steps.case_id)"
"""A step is seen by whoever the wall lets see its case."""


def upgrade() -> None:
    op.create_table(
        "care_cases",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("student_id", IDENTIFIER, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("assigned_to", IDENTIFIER, nullable=False),
        sa.Column("opened_on", sa.Date, nullable=False),
        sa.Column("due_on", sa.Date),
        sa.Column("last_contact", sa.Date),
        sa.Column("judgement", WORD),
        sa.Column("outcome", WORD),
        sa.Column("closed_on", sa.Date),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("care_cases_of_student", "care_cases", ["student_id"])
    op.create_index("care_cases_assigned", "care_cases", ["assigned_to", "state"])
    op.create_index(
        "care_cases_one_open",
        "care_cases",
        ["student_id"],
        unique=True,
        sqlite_where=ONE_OPEN,
        postgresql_where=ONE_OPEN,
    )
    op.create_table(
        "care_steps",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.Integer, sa.ForeignKey("care_cases.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        *_by(),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("restricted", sa.Boolean, nullable=False),
        sa.Column("contact_kind", WORD),
        sa.Column("with_whom", sa.String(200)),
        sa.Column("next_on", sa.Date),
        sa.Column("family", WORD),
        sa.Column("word", IDENTIFIER),
        sa.UniqueConstraint("case_id", "version", name="care_steps_once"),
    )
    _about_a_pupil("care_notes", sa.Column("restricted", sa.Boolean, nullable=False), *_by())
    _about_a_pupil("care_nominations", sa.Column("withdrawn_at", sa.DateTime), *_by())
    _about_a_pupil(
        "care_objections",
        sa.Column("fact", IDENTIFIER, nullable=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("run_before", sa.Integer),
        sa.Column("risk_before", sa.Double),
        sa.Column("state", WORD, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("answered_at", sa.DateTime),
        sa.Column("answered_by", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        _put_behind_the_wall()


def _put_behind_the_wall() -> None:
    for table in OF_PUPILS:
        for statement in second_wall.guard(table):
            op.execute(statement)
    op.execute("alter table care_steps enable row level security")
    op.execute("alter table care_steps force row level security")
    op.execute(f"create policy viewers on care_steps to {second_wall.ROLE} using ({OF_CASE})")
    op.execute(f"create policy keepers on care_steps to current_user using ({OF_CASE})")


def _by() -> tuple[sa.Column[int], sa.Column[str]]:
    return sa.Column("account_id", sa.BigInteger, nullable=False), sa.Column("staff_id", IDENTIFIER)


def _about_a_pupil(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("student_id", IDENTIFIER, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        *columns,
    )
    op.create_index(f"{name}_of_student", name, ["student_id"])


def downgrade() -> None:
    for name in ("care_objections", "care_nominations", "care_notes", "care_steps", "care_cases"):
        op.drop_table(name)
