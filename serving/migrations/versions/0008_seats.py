"""The way from a pupil to his scores is one row a school, no entry of an index for every night."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.access.second_wall import guard

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

IDENTIFIER = sa.String(128)
FILL = "insert into seats (student_id, school_id) select distinct student_id, school_id from scores"


def upgrade() -> None:
    op.create_table(
        "seats",
        sa.Column("student_id", IDENTIFIER, primary_key=True),
        sa.Column("school_id", IDENTIFIER, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.execute(FILL)
    op.drop_index("scores_of_student", "scores")
    op.execute("analyze seats")
    if op.get_context().dialect.name == "postgresql":
        for statement in guard("seats"):
            op.execute(sa.text(statement.replace(":", r"\:")))


def downgrade() -> None:
    op.create_index("scores_of_student", "scores", ["student_id", "run"])
    op.drop_table("seats")
