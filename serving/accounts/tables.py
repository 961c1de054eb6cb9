"""Tables of accounts: who signs in, with what, and since when it is in use."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.access.tables import UnitName, UtcDateTime
from serving.tables import Base, Digest, Identifier

ACTIVE = "active"
SEALED = "sealed"
"""Unused for half a year, or by hand; an administrator opens it again."""
REVOKED = "revoked"
"""Closed for good; the row stays, for the audit names it."""


class Account(Base):
    """A person or a machine; a member of staff has at most one."""

    __tablename__ = "accounts"
    __table_args__ = (
        Index(
            "one_account_of_a_person",
            "staff_id",
            unique=True,
            sqlite_where=text(f"state <> '{REVOKED}'"),
            postgresql_where=text(f"state <> '{REVOKED}'"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    login: Mapped[str] = mapped_column(Identifier, unique=True)
    """In the form :func:`serving.accounts.keeping.plain_login` gives it."""
    kind: Mapped[str] = mapped_column(String(16))
    staff_id: Mapped[str | None] = mapped_column(Identifier)
    administrator: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(16), default=ACTIVE)
    password: Mapped[str | None] = mapped_column(Text)
    """Argon2id, with its parameters and salt; null: signs in by OpenID Connect alone, or is a machine."""
    must_change: Mapped[bool] = mapped_column(default=False)
    """The password was made by somebody else."""
    external: Mapped[str | None] = mapped_column(String(512), unique=True)
    """Issuer and subject of OpenID Connect, parted by a space."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SignedIn(Base):
    """A session; the cookie's value is known here by its digest only."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    client: Mapped[str] = mapped_column(String(256))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Token(Base):
    """A machine's token, known by its digest only."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    scopes: Mapped[str] = mapped_column(Text)
    """Separated by blanks."""
    unit: Mapped[str | None] = mapped_column(UnitName)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
