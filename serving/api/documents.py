"""What the API answers, described for ``/docs`` and for those who generate clients.

Answers are made by the functions that make those of the commands; these models describe them.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Document(BaseModel):
    """Keys may be added; those described stay."""

    model_config = ConfigDict(extra="allow")


class Reason(Document):
    """One reason in words; a restricted one tells its family only."""

    feature: str
    family: str
    text: str
    contribution: float | None = Field(description="In log-odds; null for a pupil without a score.")


class ListRow(Document):
    """A pupil of the list, as ``dropout-risk lists --json`` has it."""

    student_id: str
    as_of: str
    county_id: str | None
    school_id: str
    class_id: str | None
    grade: int | None
    status: str = Field(description="scored, absent_long, home_teaching, no_register or between_spells.")
    risk: float | None = Field(description="Calibrated, 0–1; null for an open case.")
    rank: int | None
    rank_in_school: int | None
    rank_in_class: int | None
    listed: bool
    stale: bool
    model_version: str
    reasons: list[Reason]


class ListPage(Document):
    """A part of a unit's published list."""

    unit: str
    title: str | None
    as_of: str
    model_version: str
    stale: bool
    capacity: int = Field(description="How many pupils the staff of the unit can look at.")
    expected_precision: float | None = Field(description="Mean risk of the listed.")
    listed: int
    open_cases: int
    older: list[dict[str, Any]] = Field(description="Schools left out because their list is older.")
    students: list[ListRow]
    next_cursor: str | None = Field(description="Send it as cursor for the following part.")


class Student(Document):
    """All about one pupil."""

    identity: dict[str, Any]
    score: dict[str, Any] | None = Field(
        description="With lot: whether one of the last places, drawn among near-equals, is the pupil's; "
        "null where no lot was drawn."
    )
    history: list[dict[str, Any]] = Field(description="Earlier scores, newest first.")
    reasons: list[Reason]
    changes: list[dict[str, Any]]
    registers: dict[str, list[dict[str, Any]]] = Field(
        description="What the model was told out of the registers, by family, beside the class."
    )
    register_summary: dict[str, Any] | None = Field(
        description="What the registers say: attendance and results, the way, care; family and aid "
        "for those who teach, lead the school, care or broke the glass. Null where they are not kept."
    )
    care: dict[str, Any]
    access: list[dict[str, Any]] = Field(description="Who may see this pupil, and why.")
    because: str = Field(description="Why you may.")


class Explanation(Document):
    """As ``dropout-risk explain --json``: base and contributions add up to the log-odds of the risk."""

    student_id: str
    as_of: str
    risk: float | None
    base: float | None
    contributions: list[dict[str, Any]]
    changes: list[dict[str, Any]]


class WhatIfAnswer(Document):
    """The model's view of other values; no promise."""

    risk: float
    risk_then: float
    reasons_moved: list[dict[str, Any]]
    says: str


class Scored(Document):
    """One row's answer; base and contributions add up to the log-odds of the risk."""

    risk: float
    contributions: dict[str, float]
    reasons: list[Reason]


class ScoreAnswer(Document):
    """Answers in the order of the rows."""

    model_version: str
    base: float
    rows: list[Scored]


class Cell(Document):
    """A count, or null where it, or a smaller one, could be told from it."""

    name: str
    pupils: int | None


class MeanShare(Document):
    """Attendance, failed or missed exams of a unit, 0 to 1; null over few, or where few could be told."""

    name: str
    share: float | None


class UnitSummary(Document):
    """Counts of a unit without names; small cells are suppressed, and as many others as protect them."""

    unit: str
    as_of: str
    pupils: int
    bands: list[Cell]
    indicators: list[dict[str, Any]]
    shares: list[MeanShare] = Field(description="Means over pupils, to a thousandth.")
    smallest_cell: int


class CareAnswer(Document):
    """The care case as it stands after the change."""

    id: int
    version: int


class Versions(Document):
    """The models of this office."""

    champion: dict[str, Any] | None
    challenger: dict[str, Any] | None
    previous: dict[str, Any] | None
    promotions: list[dict[str, Any]]
    serving: dict[str, Any] | None


class Monitoring(Document):
    """The latest report."""

    decision: str
    alerts: list[dict[str, Any]]
