"""Breaking the glass: staff see one pupil of another unit for three hours, with a reason that is kept."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from risk_model.errors import MissingError
from serving.access.deciding import why as why_seen
from serving.access.granting import BREAK_GLASS, LONGEST_WHY, SHORTEST_WHY, may_break_glass, open_break_glass
from serving.pages.answering import desk_of, shown
from serving.pages.desk import Desk
from serving.refusing import RefusedError
from serving.web.policy import breaks_glass, signed_in
from serving.web.problems import ProblemError
from serving.web.shapes import is_identifier

PER_MINUTE = 5
ADDRESS = "/break-glass"
router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)


@router.get(ADDRESS)
@signed_in
def glass_form(request: Request) -> Response:
    """The form, for whom it may lead anywhere."""
    desk = _desk_of_staff(request)
    return _form(desk)


@router.post(ADDRESS)
@breaks_glass("student_id", per_minute=PER_MINUTE)
def break_glass_here(
    request: Request,
    student_id: Annotated[str, Form(max_length=128)],
    why: Annotated[str, Form(max_length=4000)],
) -> Response:
    """On to the pupil; one answer for a pupil that does not exist and for whatever cannot be one.

    Who sees the pupil anyway is led there, and no glass is broken.
    """
    desk = _desk_of_staff(request)
    pupil = student_id.strip()
    if not is_identifier(pupil):
        pupil = ""  # which nobody is called
    if why_seen(desk.connection, desk.viewer, pupil, desk.at) is None:
        try:
            open_break_glass(desk.connection, desk.viewer, pupil, why, desk.at)
        except RefusedError as error:
            return _form(desk, 422, error.said(desk.language), why)
        except MissingError:
            return _form(desk, 404, desk.say("There is no pupil of this number. Type it exactly."), why)
    return RedirectResponse(f"/pupils/{quote(pupil, safe='')}", 303)


def _desk_of_staff(request: Request) -> Desk:
    desk = desk_of(request)
    if not may_break_glass(desk.connection, desk.viewer, desk.at):
        raise ProblemError("forbidden")
    return desk


def _form(desk: Desk, status: int = 200, refused: str | None = None, why: str = "") -> Response:
    glass = {
        "refused": refused,
        "why": why,
        "hours": int(BREAK_GLASS.total_seconds()) // 3600,
        "least": SHORTEST_WHY,
        "most": LONGEST_WHY,
    }
    return shown(desk, "glass", status=status, glass=glass)
