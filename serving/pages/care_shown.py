"""Care as pages show it: who is followed up, the case as far as one may read it, worries, objections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from serving.care import overview, voices
from serving.care.cases import CareCase, Step, case_of, steps_of
from serving.care.overview import FollowUp
from serving.care.tables import OPEN
from serving.care.texts import CONTACT_KINDS, JUDGEMENTS, OUTCOMES, STEP_KINDS, Words, word
from serving.pages.desk import Desk
from serving.pages.offices import account_names, staff_names
from serving.units import Unit


@dataclass(frozen=True)
class StepShown:
    """One entry of a case or a note beside it; ``text`` is none where it is not for the reader's eyes."""

    day: date
    kind: str
    said: str
    text: str | None
    by: str
    restricted: bool


@dataclass(frozen=True)
class CaseShown:
    """A case with its history."""

    id: int
    version: int
    open: bool
    assigned_to: str
    assigned_name: str
    opened_on: date
    due_on: date | None
    overdue: bool
    reviewed: bool
    steps: tuple[StepShown, ...]


@dataclass(frozen=True)
class Worry:
    """A nomination, kept apart from the model."""

    id: int
    student_id: str
    day: date
    by: str
    why: str
    may_take_back: bool
    taken_back_by: str | None = None
    taken_back_why: str | None = None


@dataclass(frozen=True)
class Contested:
    """An objection to a fact (``fact`` is its name) and what came of it."""

    id: int
    version: int
    day: date
    fact: str
    text: str
    open: bool
    state: str
    answer: str | None
    answered_by: str | None


def follow_up(desk: Desk, student_ids: Sequence[str]) -> Mapping[str, FollowUp]:
    """By pupil."""
    return overview.follow_up(desk.connection, student_ids, desk.at, desk.settings.care)


def cases_of_unit(desk: Desk, unit: Unit) -> list[CareCase]:
    """Open cases of the unit's pupils."""
    return overview.cases_of_unit(desk.connection, unit, desk.at)


def overdue_of(desk: Desk, unit: Unit) -> list[CareCase]:
    """Those of them so long overdue that the unit's level is shown them."""
    return overview.overdue_of(desk.connection, unit, desk.at, desk.settings.care)


def is_overdue(desk: Desk, case: CareCase) -> bool:
    """Whether a contact was due before today."""
    return case.overdue_days(desk.at.astimezone().date()) > 0


def case_shown(desk: Desk, student_id: str) -> CaseShown | None:
    """The pupil's open case, or else the one closed last."""
    case = case_of(desk.connection, student_id)
    if case is None:
        return None
    told = steps_of(desk.connection, case, desk.viewer, desk.reason_kind)
    names = account_names(desk, [step.account_id for step in told])
    staff = staff_names(desk, {case.assigned_to, *(step.word for step in told if step.word)})
    steps = tuple(
        StepShown(
            step.day,
            step.kind,
            _said(desk, step, staff),
            step.text,
            names.get(step.account_id, ""),
            step.restricted,
        )
        for step in told
    )
    return CaseShown(
        case.id,
        case.version,
        case.state == "open",
        case.assigned_to,
        staff.get(case.assigned_to, case.assigned_to),
        case.opened_on,
        case.due_on,
        is_overdue(desk, case),
        case.judgement is not None,
        steps,
    )


def _said(desk: Desk, step: Step, staff: Mapping[str, str]) -> str:
    """The kind and what it does not tell alone: how and with whom, to whom, the judgement, the outcome."""
    if step.kind == "contact":
        how = _of(CONTACT_KINDS, step.contact_kind, desk)
        more = ", ".join(part for part in (how, step.with_whom) if part)
    elif step.kind in ("opened", "assigned"):
        more = staff.get(step.word or "", "")
    else:
        more = _of({"review": JUDGEMENTS, "closed": OUTCOMES}.get(step.kind, {}), step.word, desk)
    kind = word(STEP_KINDS, step.kind, desk.language)
    return f"{kind} – {more}" if more else kind


def _of(words: Words, key: str | None, desk: Desk) -> str:
    return word(words, key, desk.language) if key is not None and key in words else ""


def choices(words: Words, desk: Desk) -> list[tuple[str, str]]:
    """Code and text of each, for a form."""
    return [(key, word(words, key, desk.language)) for key in words]


def notes_shown(desk: Desk, student_id: str) -> list[StepShown]:
    """Notes beside the case, newest first."""
    told = voices.notes_of(desk.connection, student_id, desk.viewer, desk.reason_kind)
    names = account_names(desk, [one.account_id for one in told])
    return [
        StepShown(
            _day(one.at), "note", desk.say("note"), one.text, names.get(one.account_id, ""), one.restricted
        )
        for one in told
    ]


def worries(desk: Desk, student_ids: Sequence[str], *, withdrawn: bool = False) -> dict[str, list[Worry]]:
    """Nominations by pupil, oldest first; with ``withdrawn`` those taken back, too."""
    told = voices.nominations_of(desk.connection, student_ids, withdrawn=withdrawn)
    everybody = sorted((one for found in told.values() for one in found), key=lambda one: one.id)
    names = account_names(
        desk, sorted({number for one in everybody for number in (one.account_id, one.withdrawn_by) if number})
    )
    found: dict[str, list[Worry]] = {}
    for one in everybody:
        found.setdefault(one.student_id, []).append(_worry(desk, one, names))
    return found


def _worry(desk: Desk, one: voices.Nomination, names: Mapping[int | None, str]) -> Worry:
    theirs = one.account_id == desk.viewer.account_id or desk.reason_kind == voices.CLASS_TEACHER
    return Worry(
        one.id,
        one.student_id,
        _day(one.at),
        names.get(one.account_id, ""),
        one.text,
        theirs and one.withdrawn_at is None,
        names.get(one.withdrawn_by, "") if one.withdrawn_at is not None else None,
        one.withdrawn_why,
    )


def objections(desk: Desk, student_id: str) -> list[Contested]:
    """Objections about the pupil, newest first."""
    told = voices.objections_of(desk.connection, student_id)
    names = account_names(desk, [one.answered_by for one in told if one.answered_by is not None])
    states = answers(desk) | {OPEN: desk.say("open")}
    return [
        Contested(
            one.id,
            one.version,
            _day(one.at),
            one.fact,
            one.text,
            one.state == OPEN,
            states.get(one.state, one.state),
            one.answer,
            names.get(one.answered_by),
        )
        for one in told
    ]


def answers(desk: Desk) -> dict[str, str]:
    """What may come of an objection."""
    return {voices.CORRECTED: desk.say("upheld and put right"), voices.REFUSED: desk.say("not upheld")}


def _day(at: datetime) -> date:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone().date()
