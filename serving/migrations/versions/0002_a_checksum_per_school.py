"""A checksum for each school of a run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_schools", sa.Column("checksum", sa.String(64)))


def downgrade() -> None:
    op.drop_column("run_schools", "checksum")
