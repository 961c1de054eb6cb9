"""Which model is champion, since when, by whom and why: an append-only table in ``mlruns/registry.db``.

MLflow's aliases have no history and no compare-and-swap, so this table is the truth and the aliases
follow it. Reading it takes milliseconds and does not import mlflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

CHAMPION = "champion"
CHALLENGER = "challenger"
"""Role of the version that scores every night beside the champion, unseen."""
PREVIOUS = "previous"
"""Not a role of its own: the champion before this one."""
IMPORTED = "imported"
"""Role of a row that says where a version came from; ``why`` is its name there."""

_METADATA = sa.MetaData()
_TABLE = sa.Table(
    "promotions",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("promoted_at", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("from_version", sa.Text),
    sa.Column("report_digest", sa.Text),
    sa.Column("lake_snapshot", sa.Integer, nullable=False),
    sqlite_autoincrement=True,
)
_APPEND_ONLY = (
    """CREATE TRIGGER IF NOT EXISTS promotions_no_update BEFORE UPDATE ON promotions
       BEGIN SELECT RAISE(ABORT, 'promotions are append-only'); END""",
    """CREATE TRIGGER IF NOT EXISTS promotions_no_delete BEFORE DELETE ON promotions
       BEGIN SELECT RAISE(ABORT, 'promotions are append-only'); END""",
    # INSERT OR REPLACE deletes without asking the trigger above.
    """CREATE TRIGGER IF NOT EXISTS promotions_no_replace BEFORE INSERT ON promotions
       WHEN EXISTS (SELECT 1 FROM promotions WHERE id = NEW.id)
       BEGIN SELECT RAISE(ABORT, 'promotions are append-only'); END""",
)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One row: from ``promoted_at`` on, ``version`` has the ``role``."""

    role: str
    """``champion``, ``challenger``, or ``imported`` for the origin of a version; roles do not disturb each
    other."""
    version: str
    """Empty where a challenger was withdrawn and none took its place."""
    digest: str
    """SHA-256 of the bundle's manifest, which pins every byte of the model."""
    folder: str
    """Folder of the bundle, relative to the home, so that a moved home still scores."""
    who: str
    promoted_at: datetime
    why: str
    from_version: str | None
    report_digest: str | None
    """SHA-256 of the gate's report."""
    lake_snapshot: int


class Promotions:
    """The table; appending needs the home's ``registry`` lock, which the registry holds."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, promotion: Promotion) -> None:
        """Add a row, durably. The caller holds the ``registry`` lock."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        values = {**vars(promotion), "promoted_at": promotion.promoted_at.isoformat()}
        with self._connect() as connection:
            _METADATA.create_all(connection, checkfirst=True)
            for trigger in _APPEND_ONLY:
                connection.execute(sa.text(trigger))
            connection.execute(sa.insert(_TABLE).values(values))

    def history(self, role: str = CHAMPION) -> tuple[Promotion, ...]:
        """All promotions to ``role``, oldest first; none before the first."""
        if not self.path.is_file():
            return ()
        with self._connect() as connection:
            if not sa.inspect(connection).has_table(_TABLE.name):
                return ()
            query = sa.select(_TABLE).where(_TABLE.c.role == role).order_by(_TABLE.c.id)
            return tuple(_promotion(row._mapping) for row in connection.execute(query))

    @contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        url = sa.URL.create("sqlite", database=str(self.path))
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()


def holder(history: tuple[Promotion, ...]) -> Promotion | None:
    """Who has the role now."""
    return history[-1] if history else None


def predecessor(history: tuple[Promotion, ...]) -> Promotion | None:
    """The version that had the role before the one that has it now."""
    others = [promotion for promotion in history if promotion.version != history[-1].version]
    return others[-1] if others else None


def _promotion(row: sa.RowMapping) -> Promotion:
    values = {name: row[name] for name in row if name != "id"}
    values["promoted_at"] = datetime.fromisoformat(values["promoted_at"])
    return Promotion(**values)
