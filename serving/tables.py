"""The service database: runs with their scores, and for each school the run that is published.

Scores are written under a run that nobody reads yet; readers reach them only through ``published``
(now) or ``flips`` (as it stood), so a half-written run is never seen.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STAGED = "staged"
"""Being written, or left by a run that was killed; swept by the next run."""
STORED = "stored"
"""Complete, but older than the published list when it was made."""
REFUSED = "refused"
"""Complete, but empty or too small to replace the published list."""
PUBLISHED = "published"
"""Complete, and at least once the list of some school."""
PRUNING = "pruning"
"""Thinned away, and being emptied."""
PRUNED = "pruned"
"""Thinned away: only rows are left that were some school's list at the end of the run's week."""

Identifier = String(128)
Digest = String(64)


class Base(DeclarativeBase):
    """All tables of the service database."""


class Run(Base):
    """One night's scoring of everybody; ``key`` is the digest of all that decides its result.

    Of a pruned run it is followed by its number, and the same run may be made anew.
    """

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(Digest, unique=True)
    as_of: Mapped[date] = mapped_column(index=True)
    model_version: Mapped[str] = mapped_column(String(64))
    model_digest: Mapped[str] = mapped_column(Digest)
    lake_snapshot: Mapped[int] = mapped_column(BigInteger)
    settings_digest: Mapped[str] = mapped_column(Digest)
    base: Mapped[float | None] = mapped_column()
    """Calibrated log-odds before anything is known of a pupil."""
    features: Mapped[str] = mapped_column(Text)
    """JSON array: the columns of the archive's values and contributions."""
    state: Mapped[str] = mapped_column(String(16))
    checksum: Mapped[str] = mapped_column(Digest)
    """Digest of the checksums of its schools; empty while it is staged."""
    document: Mapped[str] = mapped_column(Text)
    """What ``score --json`` answered."""
    finished_at: Mapped[datetime | None] = mapped_column()


class RunSchool(Base):
    """A school in one run: where it lies, how many pupils, and why it was held back if it was."""

    __tablename__ = "run_schools"

    run: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    school_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    county_id: Mapped[str | None] = mapped_column(Identifier)
    township_id: Mapped[str | None] = mapped_column(Identifier)
    province_id: Mapped[str | None] = mapped_column(Identifier)
    name: Mapped[str | None] = mapped_column(String(256))
    pupils: Mapped[int] = mapped_column()
    held_back: Mapped[str | None] = mapped_column(Text)
    checksum: Mapped[str | None] = mapped_column(Digest)
    """Of the school's rows as they were computed; null in runs before there was one."""


class Score(Base):
    """One pupil in one run: a row of the list. No names; reasons as ``explanation.packing`` keeps them.

    From a pupil to his rows: :mod:`serving.seats`.
    """

    __tablename__ = "scores"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it so

    run: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    school_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    student_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    class_id: Mapped[str | None] = mapped_column(Identifier)
    class_key: Mapped[str] = mapped_column(String(300))
    """School, class and school year: what follows ``class:`` in the name of the unit."""
    grade: Mapped[int | None] = mapped_column()
    status: Mapped[str] = mapped_column(String(32))
    risk: Mapped[float | None] = mapped_column()
    rank: Mapped[int | None] = mapped_column()
    rank_in_school: Mapped[int | None] = mapped_column()
    rank_in_class: Mapped[int | None] = mapped_column()
    listed: Mapped[bool] = mapped_column()
    reasons: Mapped[str] = mapped_column(Text)


class ClassFigure(Base):
    """A figure of a class in a run: see :mod:`serving.figures`. Counts and sums, nobody's row."""

    __tablename__ = "class_figures"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it so

    run: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    school_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    class_key: Mapped[str] = mapped_column(String(300), primary_key=True)
    figure: Mapped[str] = mapped_column(String(32), primary_key=True)
    pupils: Mapped[int] = mapped_column()
    """Of whom it is known."""
    total: Mapped[float] = mapped_column(Float(53))
    """The sum of their shares."""
    many: Mapped[int] = mapped_column()
    """How many of them have much of it."""


class Lot(Base):
    """A pupil drawn by lot for one of the last places of a school's list: see :mod:`serving.lots`."""

    __tablename__ = "lots"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it so

    run: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    school_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    student_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    offered: Mapped[bool] = mapped_column()
    """Whether the lot gave the place."""


class Seat(Base):
    """A school at which a pupil was in some run."""

    __tablename__ = "seats"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it so

    student_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    school_id: Mapped[str] = mapped_column(Identifier, primary_key=True)


class Publication(Base):
    """A moment at which lists went live; append-only."""

    __tablename__ = "publications"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    run: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    published_at: Mapped[datetime] = mapped_column()


class Flip(Base):
    """The schools whose list a publication replaced; append-only."""

    __tablename__ = "flips"
    __table_args__ = (Index("flips_of_school", "school_id", "publication"),)

    publication: Mapped[int] = mapped_column(ForeignKey("publications.id"), primary_key=True)
    school_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    run: Mapped[int] = mapped_column(ForeignKey("runs.id"))


class Published(Base):
    """The pointer: which run is the list of a school now."""

    __tablename__ = "published"

    school_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    run: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    publication: Mapped[int] = mapped_column(ForeignKey("publications.id"))
