"""The history of a school's list is found by its school."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("flips_of_school", "flips", ["school_id", "publication"])


def downgrade() -> None:
    op.drop_index("flips_of_school", "flips")
