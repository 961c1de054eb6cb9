"""A nomination that is taken back keeps by whom and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("care_nominations", sa.Column("withdrawn_by", sa.BigInteger))
    op.add_column("care_nominations", sa.Column("withdrawn_why", sa.Text))


def downgrade() -> None:
    op.drop_column("care_nominations", "withdrawn_why")
    op.drop_column("care_nominations", "withdrawn_by")
