"""Who was drawn by lot for the last places of a list, for those who read that list."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.access.second_wall import guard

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

IDENTIFIER = sa.String(128)


def upgrade() -> None:
    op.create_table(
        "lots",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("school_id", IDENTIFIER, primary_key=True),
        sa.Column("student_id", IDENTIFIER, primary_key=True),
        sa.Column("offered", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "postgresql":
        for statement in guard("lots"):
            op.execute(sa.text(statement.replace(":", r"\:")))


def downgrade() -> None:
    op.drop_table("lots")
