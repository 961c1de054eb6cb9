"""Tables of care. Cases and objections carry a version; steps, notes and nominations are only added."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.tables import Base, Identifier

OPEN = "open"
CLOSED = "closed"
Word = String(32)
ONE_OPEN = text("state = 'open'")


class CaseRow(Base):
    """A pupil in somebody's care, as it stands now; how it came to stand so is told by its steps."""

    __tablename__ = "care_cases"
    __table_args__ = (
        Index("care_cases_of_student", "student_id"),
        Index("care_cases_assigned", "assigned_to", "state"),
        Index(
            "care_cases_one_open",
            "student_id",
            unique=True,
            sqlite_where=ONE_OPEN,
            postgresql_where=ONE_OPEN,
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    student_id: Mapped[str] = mapped_column(Identifier)
    state: Mapped[str] = mapped_column(Word)
    assigned_to: Mapped[str] = mapped_column(Identifier)
    """``staff_id`` of who looks after the pupil."""
    opened_on: Mapped[date] = mapped_column()
    due_on: Mapped[date | None] = mapped_column()
    """The day by which the next contact is due; null once closed."""
    last_contact: Mapped[date | None] = mapped_column()
    judgement: Mapped[str | None] = mapped_column(Word)
    """``agree``, ``disagree`` or ``unsure`` about the reasons, of the latest review."""
    outcome: Mapped[str | None] = mapped_column(Word)
    closed_on: Mapped[date | None] = mapped_column()
    version: Mapped[int] = mapped_column()
    """Number of the case's steps; a change names the version it saw."""


class StepRow(Base):
    """What was done in a case: the step that made version ``version`` of it. Only ever added."""

    __tablename__ = "care_steps"
    __table_args__ = (UniqueConstraint("case_id", "version", name="care_steps_once"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("care_cases.id"))
    version: Mapped[int] = mapped_column()
    kind: Mapped[str] = mapped_column(Word)
    """``opened``, ``assigned``, ``plan``, ``contact``, ``review``, ``closed``."""
    at: Mapped[datetime] = mapped_column()
    """UTC, when it was written down."""
    day: Mapped[date] = mapped_column()
    """When it happened."""
    account_id: Mapped[int] = mapped_column(BigInteger)
    staff_id: Mapped[str | None] = mapped_column(Identifier)
    text: Mapped[str] = mapped_column(Text)
    """Plan, agreement or ground."""
    restricted: Mapped[bool] = mapped_column()
    contact_kind: Mapped[str | None] = mapped_column(Word)
    with_whom: Mapped[str | None] = mapped_column(String(200))
    next_on: Mapped[date | None] = mapped_column()
    family: Mapped[str | None] = mapped_column(Word)
    """Of a plan: the family of reasons it answers."""
    word: Mapped[str | None] = mapped_column(Identifier)
    """Of an opening or assignment the ``staff_id``, of a review the judgement, of a closing the outcome."""


class NoteRow(Base):
    """A note about a pupil, in care or not; only ever added, so that two never stand in each other's way."""

    __tablename__ = "care_notes"
    __table_args__ = (Index("care_notes_of_student", "student_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    student_id: Mapped[str] = mapped_column(Identifier)
    at: Mapped[datetime] = mapped_column()
    account_id: Mapped[int] = mapped_column(BigInteger)
    staff_id: Mapped[str | None] = mapped_column(Identifier)
    text: Mapped[str] = mapped_column(Text)
    restricted: Mapped[bool] = mapped_column()


class NominationRow(Base):
    """A member of staff is worried about a pupil; stands beside the rank and never goes into the model."""

    __tablename__ = "care_nominations"
    __table_args__ = (Index("care_nominations_of_student", "student_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    student_id: Mapped[str] = mapped_column(Identifier)
    at: Mapped[datetime] = mapped_column()
    account_id: Mapped[int] = mapped_column(BigInteger)
    staff_id: Mapped[str | None] = mapped_column(Identifier)
    text: Mapped[str] = mapped_column(Text)
    withdrawn_at: Mapped[datetime | None] = mapped_column()
    withdrawn_by: Mapped[int | None] = mapped_column(BigInteger)
    """Account that took it back: who made it, or the class teacher."""
    withdrawn_why: Mapped[str | None] = mapped_column(Text)


class ObjectionRow(Base):
    """A fact about a pupil is said to be wrong; answered once, and what came of it."""

    __tablename__ = "care_objections"
    __table_args__ = (Index("care_objections_of_student", "student_id"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    student_id: Mapped[str] = mapped_column(Identifier)
    fact: Mapped[str] = mapped_column(Identifier)
    """Name of the feature or the register's column."""
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column()
    account_id: Mapped[int] = mapped_column(BigInteger)
    run_before: Mapped[int | None] = mapped_column(Integer)
    risk_before: Mapped[float | None] = mapped_column()
    """Of the pupil's published score when the objection was made."""
    state: Mapped[str] = mapped_column(Word)
    """``open``, ``corrected`` or ``refused``."""
    answer: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None] = mapped_column()
    answered_by: Mapped[int | None] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column()
