"""``/api/v1/students/{id}``: one pupil, the explanation, what if."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select

from serving.access.deciding import who_may_see
from serving.api import API
from serving.api.answering import errors, reply
from serving.api.care import care_of
from serving.api.documents import Explanation, Student, WhatIfAnswer
from serving.api.registers import register_summary
from serving.directory.naming import names_of
from serving.explaining import KEPT, explain
from serving.lots import lots_of
from serving.seats import of_pupils
from serving.tables import Run, Score
from serving.web.policy import sees_pupil
from serving.web.problems import not_found
from serving.web.service import service_of
from serving.web.shapes import FeatureName, Value

router = APIRouter(prefix=f"{API}/students/{{student_id}}", tags=["students"])
StudentId = Annotated[str, Path(max_length=128, examples=["G520121116505807483"])]
MOST_CHANGES = 20
SHOWN_RUNS = 400
QUESTIONS_PER_MINUTE = 60
SCORE_KEYS = (
    "as_of", "status", "risk", "rank", "rank_in_school", "rank_in_class", "listed", "model_version",
    "changed_since", "risk_before", "model_changed",
)  # fmt: skip


class WhatIfQuestion(BaseModel):
    """Values to put in place of the pupil's; only what school and county can change may be asked."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"changes": {"boarding": True}}]}
    )

    changes: Annotated[dict[FeatureName, Value], Field(min_length=1, max_length=MOST_CHANGES)]


@sees_pupil("student_id")
def read_student(request: Request, student_id: StudentId) -> Response:
    """Identity, score, history, reasons, what changed, what the registers say, care, and who has access."""
    state, service = request.state, service_of(request)
    told = _explained(request, student_id)
    kept = state.connection, service.registers
    return reply(
        request,
        {
            "identity": _identity(state.connection, student_id, told),
            "score": _score(state.connection, student_id, told),
            "history": _history(state.connection, student_id),
            "reasons": told["reasons"] if told else [],
            "protective": told["protective"] if told else [],
            "changes": told["changes"] if told else [],
            "registers": _registers(told),
            "register_summary": register_summary(*kept, student_id, state.reason.kind),
            "care": care_of(state.connection, state.viewer, student_id, state.reason.kind, state.at),
            "access": [
                {
                    "staff_id": onlooker.staff_id,
                    "name": onlooker.name,
                    "kind": onlooker.reason.kind,
                    "unit": onlooker.reason.unit,
                    "until": onlooker.reason.until.isoformat() if onlooker.reason.until else None,
                    "because": onlooker.reason.said(state.language),
                }
                for onlooker in who_may_see(state.connection, student_id, state.at)
            ],
            "because": state.reason.said(state.language),
        },
    )


@sees_pupil("student_id")
def read_explanation(request: Request, student_id: StudentId) -> Response:
    """As `dropout-risk explain --json`; restricted features are one entry for each family."""
    told = _explained(request, student_id)
    if told is None:
        raise not_found()
    return reply(request, told)


@sees_pupil("student_id", action="what_if", per_minute=QUESTIONS_PER_MINUTE)
def ask_what_if(request: Request, student_id: StudentId, question: WhatIfQuestion) -> Response:
    """The risk now and with other values, and which reasons moved; the model's view, and no promise.

    A value outside what was seen, a restricted feature, or one that follows from others is refused with 422.
    """
    told = _explained(request, student_id, dict(question.changes))
    if told is None:
        raise not_found()
    return reply(request, told["what_if"])


def _explained(
    request: Request, student_id: str, asked: dict[str, float] | None = None
) -> dict[str, Any] | None:
    """The document of ``explain`` in the caller's language; None for a pupil no list knows."""
    service, state = service_of(request), request.state
    if not _has_score(state.connection, student_id):
        return None
    spoken = service.settings.list.model_copy(update={"language": state.language})
    settings = service.settings.model_copy(update={"list": spoken})
    return explain(state.connection, service.home, settings, student_id, None, asked)


def _has_score(connection: Connection, student_id: str) -> bool:
    from serving.tables import Published

    query = select(Score.run).join(
        Published, (Published.school_id == Score.school_id) & (Published.run == Score.run)
    )
    return connection.execute(of_pupils(query, [student_id]).limit(1)).first() is not None


def _identity(connection: Connection, student_id: str, told: dict[str, Any] | None) -> dict[str, Any]:
    place = ("school_id", "class_id", "grade")
    return {
        "student_id": student_id,
        "name": names_of(connection, [student_id]).get(student_id),
        **{key: told[key] if told else None for key in place},
    }


def _score(connection: Connection, student_id: str, told: dict[str, Any] | None) -> dict[str, Any] | None:
    """With ``lot``: whether a lot among near-equals gave a place on the list; null where none was drawn."""
    if told is None:
        return None
    return {
        **{key: told[key] for key in SCORE_KEYS},
        "lot": lots_of(connection, [student_id]).get(student_id),
    }


def _history(connection: Connection, student_id: str) -> list[dict[str, Any]]:
    columns = (Run.as_of, Score.risk, Score.rank, Score.listed, Score.status, Run.model_version)
    query = (
        of_pupils(select(*columns).join(Run, Run.id == Score.run), [student_id])
        .where(Run.state.in_(KEPT))
        .order_by(Run.as_of.desc(), Run.id.desc())
        .limit(SHOWN_RUNS)
    )
    rows = connection.execute(query).mappings()
    return [{**row, "as_of": row["as_of"].isoformat()} for row in rows]


def _registers(told: dict[str, Any] | None) -> dict[str, list[dict[str, Any]]]:
    """What the registers said on the day of the list, by family, beside the class."""
    families: dict[str, list[dict[str, Any]]] = {}
    for entry in told["contributions"] if told else ():
        kept = {key: entry.get(key) for key in ("feature", "text", "value", "class_value")}
        families.setdefault(entry["family"], []).append(kept)
    return families


router.get("", summary="One pupil", responses={200: {"model": Student}} | errors(read_student))(read_student)
router.get(
    "/explanation",
    summary="Why this risk",
    responses={200: {"model": Explanation}} | errors(read_explanation),
)(read_explanation)
router.post("/what-if", summary="What if", responses={200: {"model": WhatIfAnswer}} | errors(ask_what_if))(
    ask_what_if
)
