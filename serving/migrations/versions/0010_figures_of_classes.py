"""Attendance and exams of each class of a run, for the pages of its units."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IDENTIFIER = sa.String(128)


def upgrade() -> None:
    op.create_table(
        "class_figures",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("school_id", IDENTIFIER, primary_key=True),
        sa.Column("class_key", sa.String(300), primary_key=True),
        sa.Column("figure", sa.String(32), primary_key=True),
        sa.Column("pupils", sa.Integer, nullable=False),
        sa.Column("total", sa.Float(53), nullable=False),
        sa.Column("many", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("class_figures")
