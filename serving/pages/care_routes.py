"""Changes pages ask for: care from assignment to closing, notes, worries, objections to a fact."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import select

from risk_model.errors import MissingError
from serving.access.granting import end_care, grant_care
from serving.access.tables import Staff
from serving.care import steps, voices
from serving.care.cases import CareCase, ChangedMeanwhileError, case_of, pupil_of_case
from serving.pages.answering import StudentId, back_to, desk_of, pupil_or_absent, shown
from serving.pages.desk import Desk
from serving.pages.pupil_page import refused_of
from serving.refusing import RefusedError
from serving.web.policy import sees_pupil
from serving.web.problems import ProblemError, not_found

Text = Annotated[str, Form(min_length=1, max_length=4000)]
Free = Annotated[str, Form(max_length=4000)]
Word = Annotated[str, Form(min_length=1, max_length=128)]
Line = Annotated[str, Form(min_length=1, max_length=200)]
Version = Annotated[int, Form(ge=1, le=1_000_000)]
Number = Annotated[int, Form(ge=1, le=2**62)]
Day = Annotated[date, Form()]
MaybeDay = Annotated[date | None, Form()]
Flag = Annotated[bool, Form()]
PER_MINUTE = 120
router = APIRouter(include_in_schema=False)


def _cares(path: str) -> Callable[[Callable[..., Response]], Any]:
    """A form about a pupil; whoever may see the pupil may send it, and it is written down first."""
    policy = sees_pupil("student_id", scope=None, action="care", per_minute=PER_MINUTE)

    def added(endpoint: Callable[..., Response]) -> Any:
        return router.post(f"/pupils/{{student_id}}/{path}")(policy(endpoint))

    return added


@_cares("care/open")
def open_case(request: Request, student_id: StudentId, assigned_to: Word) -> Response:
    """Care begins: the pupil is given to a member of staff, who sees the pupil as long as it lasts."""
    desk = desk_of(request)
    _demand_staff(desk, assigned_to)

    def opened() -> CareCase:
        case = steps.open_case(
            desk.connection, desk.viewer, student_id, assigned_to, desk.at, rules=desk.settings.care
        )
        grant_care(desk.connection, assigned_to, student_id, desk.at)
        return case

    return _changed(desk, student_id, "open", {"assigned_to": assigned_to}, opened)


@_cares("care/assign")
def assign(
    request: Request, student_id: StudentId, case: Number, version: Version, assigned_to: Word
) -> Response:
    """The case is given to somebody else, and with it the sight of the pupil."""
    desk = _of_case(request, student_id, case)
    _demand_staff(desk, assigned_to)

    def assigned() -> CareCase:
        before = case_of(desk.connection, student_id)
        after = steps.assign(desk.connection, desk.viewer, case, version, assigned_to, desk.at)
        if before is not None:
            end_care(desk.connection, before.assigned_to, student_id, desk.at)
        grant_care(desk.connection, assigned_to, student_id, desk.at)
        return after

    return _changed(desk, student_id, "assign", {"assigned_to": assigned_to}, assigned)


@_cares("care/plan")
def plan(
    request: Request,
    student_id: StudentId,
    case: Number,
    version: Version,
    family: Word,
    text: Text,
    next_on: MaybeDay = None,
) -> Response:
    """What is to be done about a family of reasons."""
    desk = _of_case(request, student_id, case)
    typed = {"family": family, "text": text, "next_on": next_on}
    return _changed(desk, student_id, "plan", typed, lambda: steps.plan(
        desk.connection, desk.viewer, case, version, family, text, desk.at, next_on=next_on
    ))  # fmt: skip


@_cares("care/contact")
def contact(
    request: Request,
    student_id: StudentId,
    case: Number,
    version: Version,
    day: Day,
    how: Word,
    with_whom: Line,
    text: Text,
    next_on: MaybeDay = None,
    restricted: Flag = False,
) -> Response:
    """A contact: when, how, with whom, what was agreed, and when the next one is due."""
    desk = _of_case(request, student_id, case)
    typed = {"day": day, "how": how, "with_whom": with_whom, "text": text}
    typed |= {"next_on": next_on, "restricted": restricted}
    return _changed(desk, student_id, "contact", typed, lambda: steps.contact(
        desk.connection, desk.viewer, case, version, day, how, with_whom, text, desk.at,
        next_on=next_on, restricted=restricted, rules=desk.settings.care,
    ))  # fmt: skip


@_cares("care/review")
def review(
    request: Request, student_id: StudentId, case: Number, version: Version, judgement: Word, text: Free = ""
) -> Response:
    """Whether who knows the child agrees with the reasons."""
    desk = _of_case(request, student_id, case)
    typed = {"judgement": judgement, "text": text}
    return _changed(desk, student_id, "review", typed, lambda: steps.review(
        desk.connection, desk.viewer, case, version, judgement, text, desk.at
    ))  # fmt: skip


@_cares("care/close")
def close(
    request: Request, student_id: StudentId, case: Number, version: Version, outcome: Word, text: Free = ""
) -> Response:
    """What came of it; who had the case sees the pupil by it no longer."""
    desk = _of_case(request, student_id, case)

    def closed() -> CareCase:
        after = steps.close(desk.connection, desk.viewer, case, version, outcome, text, desk.at)
        end_care(desk.connection, after.assigned_to, student_id, desk.at)
        return after

    return _changed(desk, student_id, "close", {"outcome": outcome, "text": text}, closed)


@_cares("note")
def note(request: Request, student_id: StudentId, text: Text, restricted: Flag = False) -> Response:
    """What somebody noticed; it counts as follow-up."""
    desk = desk_of(request)
    voices.note(desk.connection, desk.viewer, student_id, text, desk.at, restricted=restricted)
    return back_to(student_id)


@_cares("nomination")
def nominate(request: Request, student_id: StudentId, why: Text) -> Response:
    """A teacher's own worry."""
    desk = desk_of(request)
    voices.nominate(desk.connection, desk.viewer, student_id, why, desk.at)
    return back_to(student_id, "voices")


@_cares("objection")
def object_to(request: Request, student_id: StudentId, fact: Word, text: Text) -> Response:
    """A fact is contested."""
    desk = desk_of(request)
    voices.object_to(desk.connection, desk.viewer, student_id, fact, text, desk.at)
    return back_to(student_id, "voices")


@_cares("nomination/withdraw")
def withdraw_nomination(request: Request, student_id: StudentId, nomination: Number, why: Text) -> Response:
    """A worry is taken back by who said it, or by the class teacher; the reason is kept."""
    desk = desk_of(request)
    theirs = desk.connection, desk.viewer, student_id, nomination, why, desk.at
    try:
        voices.withdraw_nomination(*theirs, reason=desk.reason_kind)
    except MissingError:
        raise not_found() from None
    return back_to(student_id, "voices")


@_cares("objection/answer")
def answer_objection(
    request: Request, student_id: StudentId, objection: Number, version: Version, state: Word, text: Text
) -> Response:
    """An objection is upheld or not, by the principal or an office above, once."""
    desk = desk_of(request)
    if not voices.may_answer(desk.reason_kind):
        raise ProblemError("forbidden")
    if voices.pupil_of_objection(desk.connection, objection) != student_id:
        raise not_found()
    try:
        voices.answer_objection(desk.connection, desk.viewer, objection, version, state, text, desk.at)
    except voices.AnsweredMeanwhileError:
        refused = refused_of(pupil_or_absent(desk, student_id), "answer", {"text": text})
        return shown(desk, "pupil", status=409, pupil=refused)
    return back_to(student_id, "voices")


def _of_case(request: Request, student_id: str, case: int) -> Desk:
    """The case must be the pupil's: the guard asked about the pupil alone."""
    desk = desk_of(request)
    if pupil_of_case(desk.connection, case) != student_id:
        raise not_found()
    return desk


def _changed(
    desk: Desk, student_id: str, form: str, typed: dict[str, Any], change: Callable[[], CareCase]
) -> Response:
    """Make the change; if somebody was faster their change is shown and what was typed stays in its form."""
    try:
        change()
    except ChangedMeanwhileError:
        told = {name: "" if value is None else str(value) for name, value in typed.items()}
        refused = refused_of(pupil_or_absent(desk, student_id), form, told)
        return shown(desk, "pupil", status=409, pupil=refused)
    return back_to(student_id)


def _demand_staff(desk: Desk, staff_id: str) -> None:
    serves = select(Staff.staff_id).where(Staff.staff_id == staff_id, ~Staff.has_left)
    if desk.connection.execute(serves).first() is None:
        raise RefusedError("There is no such member of staff. Choose one from the list.")
