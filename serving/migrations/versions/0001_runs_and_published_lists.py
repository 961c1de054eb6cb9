"""Runs, scores and published lists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

IDENTIFIER = sa.String(128)
DIGEST = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", DIGEST, nullable=False, unique=True),
        sa.Column("as_of", sa.Date, nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("model_digest", DIGEST, nullable=False),
        sa.Column("lake_snapshot", sa.BigInteger, nullable=False),
        sa.Column("settings_digest", DIGEST, nullable=False),
        sa.Column("base", sa.Double),
        sa.Column("features", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("checksum", DIGEST, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("finished_at", sa.DateTime),
    )
    op.create_index("ix_runs_as_of", "runs", ["as_of"])
    op.create_table(
        "run_schools",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("school_id", IDENTIFIER, primary_key=True),
        sa.Column("county_id", IDENTIFIER),
        sa.Column("township_id", IDENTIFIER),
        sa.Column("province_id", IDENTIFIER),
        sa.Column("name", sa.String(256)),
        sa.Column("pupils", sa.Integer, nullable=False),
        sa.Column("held_back", sa.Text),
    )
    op.create_table(
        "scores",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("school_id", IDENTIFIER, primary_key=True),
        sa.Column("student_id", IDENTIFIER, primary_key=True),
        sa.Column("class_id", IDENTIFIER),
        sa.Column("class_key", sa.String(300), nullable=False),
        sa.Column("grade", sa.Integer),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("risk", sa.Double),
        sa.Column("rank", sa.Integer),
        sa.Column("rank_in_school", sa.Integer),
        sa.Column("rank_in_class", sa.Integer),
        sa.Column("listed", sa.Boolean, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("scores_of_student", "scores", ["student_id", "run"])
    op.create_table(
        "publications",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("published_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "flips",
        sa.Column("publication", sa.Integer, sa.ForeignKey("publications.id"), primary_key=True),
        sa.Column("school_id", IDENTIFIER, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
    )
    op.create_table(
        "published",
        sa.Column("school_id", IDENTIFIER, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("publication", sa.Integer, sa.ForeignKey("publications.id"), nullable=False),
    )


def downgrade() -> None:
    for table in ("published", "flips", "publications", "scores", "run_schools", "runs"):
        op.drop_table(table)
