"""Alembic's entry; called by serving.database with an open connection, never from a shell."""

from __future__ import annotations

from alembic import context

from serving.schema import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
