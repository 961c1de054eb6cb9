"""What the registers told last, by digest: the directory compares no more than what differs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "directory_digests",
        sa.Column("ending", sa.String(16), primary_key=True),
        sa.Column("digest", sa.String(32), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("directory_digests")
