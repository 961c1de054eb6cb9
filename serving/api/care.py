"""One-to-one care (``POST …/students/{id}/care``, ``PATCH …/care/{id}``), and breaking the glass."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select

from risk_model.errors import MissingError
from serving.access.deciding import Viewer
from serving.access.granting import end_care, grant_care, open_break_glass
from serving.access.tables import Staff
from serving.api import API
from serving.api.answering import errors, reply
from serving.api.documents import CareAnswer
from serving.care import steps
from serving.care.cases import CareCase, ChangedMeanwhileError, Step, case_of, case_with, steps_of
from serving.care.overview import follow_up
from serving.care.voices import nominations_of, notes_of, objections_of
from serving.web.policy import breaks_glass, sees_case, sees_pupil
from serving.web.problems import ProblemError, not_found
from serving.web.shapes import Identifier, Line, Number, Text, is_identifier

router = APIRouter(prefix=API, tags=["care"])
CHANGES_PER_MINUTE = 120
GLASSES_PER_MINUTE = 5
ACCOUNTS = frozenset({"account_id", "answered_by", "withdrawn_by"})
Word = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z_]+$")]
Day = Annotated[date, Field(ge=date(1990, 1, 1), le=date(2200, 1, 1))]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Opening(_Body):
    """Give a pupil into the care of a member of staff, who sees the pupil as long as the case is open."""

    assigned_to: Identifier = Field(examples=["T0815"], description="The staff_id of who is to care.")
    text: Text = ""


class _Change(_Body):
    version: Number = Field(description="The version of the case that was seen; 409 if somebody changed it.")
    text: Text = ""
    restricted: bool = Field(False, description="Read by who has the case and those above only.")


class Assigning(_Change):
    """Give the case to somebody else."""

    step: Literal["assign"]
    assigned_to: Identifier


class Planning(_Change):
    """What is to be done about a family of reasons."""

    step: Literal["plan"]
    family: Word = Field(examples=["attendance"])
    next_on: Day | None = None


class Contacting(_Change):
    """A contact: when, how, with whom, what was agreed (`text`), and when the next one is due."""

    step: Literal["contact"]
    day: Day
    kind: Word = Field(examples=["home_visit"])
    with_whom: Line
    next_on: Day | None = None


class Reviewing(_Change):
    """Whether who knows the child agrees with the reasons; needed before a case closes."""

    step: Literal["review"]
    judgement: Word = Field(examples=["agree"])


class Closing(_Change):
    """What came of it."""

    step: Literal["close"]
    outcome: Word = Field(examples=["attends"])


Change = Annotated[
    Assigning | Planning | Contacting | Reviewing | Closing,
    Field(discriminator="step"),
]


class Breaking(_Body):
    """Why the pupil must be seen without a post; kept for good."""

    why: Text


@sees_pupil("student_id", scope="care:write", action="care", per_minute=CHANGES_PER_MINUTE)
def open_care(
    request: Request, student_id: Annotated[str, Path(max_length=128)], opening: Opening
) -> Response:
    """Open a case. 409 with the open one if the pupil has one already."""
    state = request.state
    _demand_staff(state.connection, opening.assigned_to)
    try:
        case = steps.open_case(
            state.connection, state.viewer, student_id, opening.assigned_to, state.at, text=opening.text
        )
    except ChangedMeanwhileError as error:
        raise _changed(error, state) from None
    grant_care(state.connection, case.assigned_to, student_id, state.at)
    return reply(request, _case(case), 201)


@sees_case("case", per_minute=CHANGES_PER_MINUTE)
def change_care(request: Request, case: Annotated[int, Path(ge=1, le=2**63 - 1)], change: Change) -> Response:
    """Assign, plan, contact, review or close. Nothing is lost: 409 shows what somebody else did meanwhile."""
    state = request.state
    before = case_with(state.connection, case)
    try:
        after = _apply(state.connection, state.viewer, case, change, state.at)
    except ChangedMeanwhileError as error:
        raise _changed(error, state) from None
    _move_access(state.connection, before, after, state.at)
    return reply(request, _case(after))


@breaks_glass("student_id", per_minute=GLASSES_PER_MINUTE)
def break_glass(
    request: Request, student_id: Annotated[str, Path(max_length=128)], breaking: Breaking
) -> Response:
    """See one pupil for three hours without a post for it, with a reason; it is written down first."""
    state = request.state
    pupil = student_id if is_identifier(student_id) else ""  # which nobody is called
    try:
        until = open_break_glass(state.connection, state.viewer, pupil, breaking.why, state.at)
    except MissingError:
        raise not_found() from None
    return reply(request, {"until": until.isoformat()}, 201)


def care_of(
    connection: Connection, viewer: Viewer, student_id: str, reason: str, at: datetime
) -> dict[str, Any]:
    """What was done about a pupil, as far as this viewer may read it."""
    case = case_of(connection, student_id)
    followed = follow_up(connection, [student_id], at)[student_id]
    return {
        "follow_up": _plain(asdict(followed)),
        "case": None if case is None else _case(case),
        "steps": [] if case is None else [_step(one) for one in steps_of(connection, case, viewer, reason)],
        "notes": [_plain(asdict(one)) for one in notes_of(connection, student_id, viewer, reason)],
        "nominations": [
            _plain(asdict(one)) for one in nominations_of(connection, [student_id]).get(student_id, [])
        ],
        "objections": [_plain(asdict(one)) for one in objections_of(connection, student_id)],
    }


def _apply(connection: Connection, viewer: Viewer, case: int, change: Any, at: datetime) -> CareCase:
    head = (connection, viewer, case, change.version)
    match change:
        case Assigning():
            _demand_staff(connection, change.assigned_to)
            return steps.assign(*head, change.assigned_to, at, text=change.text)
        case Planning():
            more = {"next_on": change.next_on, "restricted": change.restricted}
            return steps.plan(*head, change.family, change.text, at, **more)
        case Contacting():
            more = {"next_on": change.next_on, "restricted": change.restricted}
            told = (change.day, change.kind, change.with_whom, change.text)
            return steps.contact(*head, *told, at, **more)
        case Reviewing():
            return steps.review(*head, change.judgement, change.text, at, restricted=change.restricted)
        case Closing():
            return steps.close(*head, change.outcome, change.text, at, restricted=change.restricted)
    raise AssertionError(change)


def _move_access(connection: Connection, before: CareCase, after: CareCase, at: datetime) -> None:
    """Who has the case sees the pupil, and nobody by it any longer."""
    if after.state != before.state or after.assigned_to != before.assigned_to:
        end_care(connection, before.assigned_to, before.student_id, at)
    if after.state == before.state and after.assigned_to != before.assigned_to:
        grant_care(connection, after.assigned_to, after.student_id, at)


def _demand_staff(connection: Connection, staff_id: str) -> None:
    serves = select(Staff.staff_id).where(Staff.staff_id == staff_id, ~Staff.has_left)
    if connection.execute(serves).first() is None:
        raise ProblemError(
            "invalid", errors=[{"in": "body/assigned_to", "message": "No member of staff of this name"}]
        )


def _changed(error: ChangedMeanwhileError, state: Any) -> ProblemError:
    """The case as it stands, and what the other one did, as far as this one may read it."""
    reason = state.reason.kind if state.reason else None
    readable = steps_of(state.connection, error.case, state.viewer, reason)
    versions = {one.version for one in error.theirs}
    theirs = [_step(one) for one in readable if one.version in versions]
    return ProblemError("changed", case=_case(error.case), theirs=theirs)


def _case(case: CareCase) -> dict[str, Any]:
    return _plain(asdict(case))


def _step(step: Step) -> dict[str, Any]:
    return _plain(asdict(step))


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Days and times as text; account numbers mean nothing outside."""
    kept = {name: value for name, value in record.items() if name not in ACCOUNTS}
    return {
        name: value.isoformat() if isinstance(value, date | datetime) else value
        for name, value in kept.items()
    }


CONFLICT = {409: {"description": "Somebody else changed it; the answer holds their change as theirs"}}
router.post(
    "/students/{student_id}/care",
    summary="Open a care case",
    status_code=201,
    responses={201: {"model": CareAnswer}, **CONFLICT} | errors(open_care),
)(open_care)
router.patch(
    "/care/{case}",
    summary="Assign, plan, contact, review, close",
    responses={200: {"model": CareAnswer}, **CONFLICT} | errors(change_care),
)(change_care)
router.post(
    "/students/{student_id}/break-glass",
    summary="See a pupil for three hours, with a reason",
    status_code=201,
    responses=errors(break_glass),
)(break_glass)
