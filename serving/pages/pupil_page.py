"""The page of a pupil: everything issue by issue, from one score and the registers it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from risk_model.explanation.families import FAMILIES
from serving.care.texts import CONTACT_KINDS, JUDGEMENTS, OUTCOMES, PLANS, guidance, plan_template
from serving.care.voices import may_answer
from serving.changes import bundle_of
from serving.directory.naming import names_of
from serving.explaining import explain
from serving.lots import lots_of
from serving.pages.care_shown import (
    CaseShown,
    Contested,
    StepShown,
    Worry,
    answers,
    case_shown,
    choices,
    notes_shown,
    objections,
    worries,
)  # fmt: skip
from serving.pages.charts.attendance import Attendance, draw_attendance
from serving.pages.charts.contributions import Contributions
from serving.pages.charts.distance import Distance, Way, draw_distance
from serving.pages.charts.results import Results, draw_results
from serving.pages.desk import Desk
from serving.pages.family import family_facts, programme_name
from serving.pages.offices import Look, Onlooker, glasses, looks, onlookers, staff_near, why_said
from serving.pages.published import classmates, published_score, risk_on
from serving.pages.pupil_facts import Fact, Moved, facts_of, moved_of, sum_of, way_of
from serving.pages.pupil_registers import PupilRegisters, SinceCare, read_registers
from serving.pages.questions import Asked, Question, questions
from serving.pages.shown import History, histories
from serving.web.service import service_of

SEES_FAMILY = ("class_teacher", "principal", "care", "break_glass")
"""Who works with the pupil; offices above see the family of a restricted reason and no more."""
NO_WEIGHT = 0.02
"""Contributions (log-odds) below this are not worth a line."""
ONLOOKERS = 12


@dataclass(frozen=True)
class Pupil:
    """The page; everything is there or None, so that "no data" is said and never blank."""

    student_id: str
    name: str
    school_name: str
    class_id: str | None
    class_name: str
    class_unit: str
    as_of: str
    model_version: str
    why: str
    status: str
    risk: float | None
    listed: bool
    horizon: int
    rank_in_class: int | None
    rank_in_school: int | None
    history: History
    for_: Sequence[Mapping[str, Any]]
    against: Sequence[Mapping[str, Any]]
    guidance: Sequence[tuple[str, list[str]]]
    sum: Contributions | None
    facts: Sequence[Fact]
    facts_more: int
    changed_since: str | None
    risk_before: float | None
    changes: Sequence[Moved]
    changes_note: str | None
    since_care: SinceCare | None
    risk_at_care: float | None
    """When care began; none if no list was made since."""
    registers: PupilRegisters | None
    attendance: Attendance | None
    results: Results | None
    distance: Distance | None
    way: Way
    sees_family: bool
    family: Sequence[tuple[str, str]]
    aid: Sequence[tuple[str, date, float | None]]
    case: CaseShown | None
    notes: Sequence[StepShown]
    words: Mapping[str, Sequence[tuple[str, str]]]
    """Choices of the forms of care."""
    staff: Sequence[tuple[str, str]]
    plan_family: str
    plan_template: str
    today: str
    due_on: str
    questions: Sequence[Question]
    worries: Sequence[Worry]
    objections: Sequence[Contested]
    contested: Mapping[str, str]
    """By name of the fact what became of the newest objection to it."""
    fact_texts: Mapping[str, str]
    may_answer: bool
    answers: Sequence[tuple[str, str]]
    onlookers: Sequence[Onlooker]
    looks: Sequence[Look]
    glasses: Sequence[Look]
    glass_until: datetime | None
    """When the page closes for a reader who sees it by a broken glass alone."""
    lot: bool | None = None
    """Whether a lot among near-equals gave a place on the list; none: no lot was drawn."""
    right_of: str | None = None
    asked: Asked | None = None
    form: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    conflict: bool = False


def pupil_page(desk: Desk, student_id: str) -> Pupil | None:
    """The page of a pupil with a published score; None without one."""
    score = published_score(desk.connection, student_id)
    if score is None:
        return None
    told = explain(desk.connection, desk.home, desk.own_settings, student_id)
    day = date.fromisoformat(told["as_of"])
    case = case_shown(desk, student_id)
    mates = classmates(desk.connection, score)
    began = case.opened_on if case else None
    registers = read_registers(service_of(desk.request).registers, student_id, day, mates, began)
    way = way_of(told, registers)
    sees_family = desk.reason_kind in SEES_FAMILY
    values = {entry["feature"]: entry["value"] for entry in told["contributions"]}
    facts = facts_of(desk, told)
    contested = objections(desk, student_id)
    changed = told["changes"] or []
    today = desk.at.astimezone().date()
    families = [reason["family"] for reason in told["reasons"] if reason["family"] in PLANS]
    return Pupil(
        student_id=student_id,
        name=names_of(desk.connection, [student_id]).get(student_id) or student_id,
        school_name=score.school_name or score.school_id,
        class_id=score.class_id,
        class_name=score.class_id or score.school_name or score.school_id,
        class_unit=f"class:{score.class_key}" if score.class_id else f"school:{score.school_id}",
        as_of=told["as_of"],
        model_version=told["model_version"],
        why=why_said(desk, desk.reason),
        status=told["status"],
        risk=told["risk"],
        listed=told["listed"],
        horizon=desk.settings.labels.horizon_days,
        rank_in_class=told["rank_in_class"],
        rank_in_school=told["rank_in_school"],
        history=histories(desk.connection, [told]).get(student_id, History()),
        for_=told["reasons"],
        against=told["protective"],
        guidance=_guidance(desk, families),
        sum=sum_of(desk, told),
        facts=[fact for fact, weight in facts if weight >= NO_WEIGHT],
        facts_more=sum(weight < NO_WEIGHT for _, weight in facts),
        changed_since=told["changed_since"],
        risk_before=told["risk_before"],
        changes=moved_of(desk, changed),
        changes_note=told["changes_note"],
        since_care=registers.since_care if registers else None,
        risk_at_care=_risk_at_care(desk, student_id, day, registers),
        registers=registers,
        attendance=draw_attendance(registers.months, _care_days(case, registers)) if registers else None,
        results=draw_results(registers.terms) if registers else None,
        distance=draw_distance(way),
        way=way,
        sees_family=sees_family,
        family=family_facts(desk, registers.family) if registers and sees_family else (),
        aid=[(programme_name(desk, name), day, sum_) for name, day, sum_ in registers.aid]
        if registers and sees_family
        else (),
        case=case,
        notes=notes_shown(desk, student_id),
        words=_words(desk),
        staff=staff_near(desk, student_id),
        plan_family=families[0] if families else "attendance",
        plan_template=plan_template(families[0], desk.language) if families else "",
        today=today.isoformat(),
        due_on=(today + timedelta(days=desk.settings.care.contact_every_days)).isoformat(),
        questions=questions(desk, bundle_of(desk.home)(score.model_digest), values),
        worries=worries(desk, [student_id], withdrawn=True).get(student_id, ()),
        objections=contested,
        contested={one.fact: one.state for one in reversed(contested)},
        fact_texts={fact.name: fact.text for fact, _ in facts},
        may_answer=may_answer(desk.reason_kind),
        answers=list(answers(desk).items()),
        onlookers=onlookers(desk, student_id)[:ONLOOKERS],
        looks=looks(desk, student_id),
        glasses=glasses(desk, student_id),
        lot=lots_of(desk.connection, [student_id]).get(student_id),
        glass_until=desk.reason.until if desk.reason and desk.reason.kind == "break_glass" else None,
    )


def asked_of(pupil: Pupil, asked: Asked) -> Pupil:
    """The page with an answer of the model."""
    return replace(pupil, asked=asked)


def refused_of(pupil: Pupil, form: str, typed: Mapping[str, str]) -> Pupil:
    """The page after somebody else changed the case first: what was typed stays in its form."""
    return replace(pupil, form=form, conflict=True, typed=typed)


def _guidance(desk: Desk, families: Sequence[str]) -> list[tuple[str, list[str]]]:
    """What teachers do about the families of the reasons, in their order."""
    names = FAMILIES[desk.language]
    return [(names[family], guidance(family, desk.language)) for family in dict.fromkeys(families)]


def _words(desk: Desk) -> dict[str, list[tuple[str, str]]]:
    names = FAMILIES[desk.language]
    return {
        "contact": choices(CONTACT_KINDS, desk),
        "judgement": choices(JUDGEMENTS, desk),
        "outcome": choices(OUTCOMES, desk),
        "family": [(family, names[family]) for family in PLANS],
    }


def _care_days(case: CaseShown | None, registers: PupilRegisters | None) -> list[tuple[date, str]]:
    """Steps of care by the registers and by the case, each day and kind once."""
    steps = [(step.day, step.kind) for step in case.steps if step.kind != "assigned"] if case else []
    return sorted({*steps, *(registers.care if registers else ())})


def _risk_at_care(desk: Desk, student_id: str, day: date, registers: PupilRegisters | None) -> float | None:
    since = registers.since_care if registers else None
    return risk_on(desk.connection, student_id, since.began) if since and since.began < day else None
