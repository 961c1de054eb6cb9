"""Tables that say who may see whom: units, placements of pupils, staff, their posts, single grants."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Index, Integer, String, Text, TypeDecorator
from sqlalchemy.orm import Mapped, mapped_column

from serving.tables import Base, Identifier

UnitName = String(300)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: stored in UTC without its zone, as both databases keep it, and given back with it."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """A moment without a zone is refused: nobody knows which was meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; give it one, as datetime.now(UTC) has.")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """In UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class UnitPlace(Base):
    """A unit lies within itself and each unit above it: one row each, so that a post is found by equality."""

    __tablename__ = "unit_places"
    __table_args__ = (Index("unit_places_within", "within"), {"sqlite_with_rowid": False})

    unit: Mapped[str] = mapped_column(UnitName, primary_key=True)
    within: Mapped[str] = mapped_column(UnitName, primary_key=True)


class UnitTitle(Base):
    """What people call a unit; a unit without a row is called by its id."""

    __tablename__ = "unit_titles"

    unit: Mapped[str] = mapped_column(UnitName, primary_key=True)
    name: Mapped[str] = mapped_column(String(256))


class Placement(Base):
    """A pupil in a class from one day to another, both included; of two open ones both count."""

    __tablename__ = "placements"
    __table_args__ = (Index("placements_in", "unit"), {"sqlite_with_rowid": False})

    student_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    unit: Mapped[str] = mapped_column(UnitName, primary_key=True)
    """``class:A:7A:2025``."""
    from_day: Mapped[date] = mapped_column(primary_key=True)
    to_day: Mapped[date | None] = mapped_column()
    """Last day the class's staff may see the pupil: of a promoted one, until he must have come back."""


class PupilName(Base):
    """A pupil's one name, from the identity register."""

    __tablename__ = "pupil_names"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it so

    student_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    name: Mapped[str] = mapped_column(String(256))


class Staff(Base):
    """A person who works with the lists, from the register or added by the office."""

    __tablename__ = "staff"

    staff_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    name: Mapped[str] = mapped_column(String(256))
    email: Mapped[str | None] = mapped_column(String(256))
    phone: Mapped[str | None] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(16))
    """``register`` or ``office``."""
    has_left: Mapped[bool] = mapped_column(default=False)
    """The register no longer names the person, who sees nothing any more; the name stays for the audit."""


class Post(Base):
    """A role of a member of staff in a unit, from one day to another, both included."""

    __tablename__ = "posts"
    __table_args__ = (Index("posts_in", "unit"),)

    staff_id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    unit: Mapped[str] = mapped_column(UnitName, primary_key=True)
    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    from_day: Mapped[date] = mapped_column(primary_key=True)
    to_day: Mapped[date | None] = mapped_column()
    sees: Mapped[bool] = mapped_column()
    """Whether the role, in a unit of this kind, sees the pupils in it."""
    source: Mapped[str] = mapped_column(String(16))
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Taken away by the office, whatever the register says."""


class Grant(Base):
    """One member of staff, one pupil, for a time: a care case, or a broken glass; append-only but its end."""

    __tablename__ = "access_grants"
    __table_args__ = (Index("access_grants_of", "staff_id", "student_id"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    staff_id: Mapped[str] = mapped_column(Identifier)
    student_id: Mapped[str] = mapped_column(Identifier, index=True)
    kind: Mapped[str] = mapped_column(String(16))
    """``care`` or ``break_glass``."""
    why: Mapped[str | None] = mapped_column(Text)
    from_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DirectoryDigest(Base):
    """What the registers told last of all pupils whose identifiers end alike."""

    __tablename__ = "directory_digests"

    ending: Mapped[str] = mapped_column(String(16), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32))


class DirectoryState(Base):
    """What the directory was last made from."""

    __tablename__ = "directory_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    lake_snapshot: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[date] = mapped_column()
    refreshed_at: Mapped[datetime] = mapped_column(UtcDateTime)
