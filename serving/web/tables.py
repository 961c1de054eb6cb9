"""The table behind limits that all workers share."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from serving.tables import Base, Digest


class CallCount(Base):
    """How often something was called in one minute; rows of past minutes are swept."""

    __tablename__ = "call_counts"

    key: Mapped[str] = mapped_column(Digest, primary_key=True)
    """Digest of what is limited and whom: neither logins nor addresses are kept."""
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """Minutes since 1970, UTC."""
    calls: Mapped[int] = mapped_column()
