"""The routes of the pages; each declares its policy, and the guard alone knows what that means."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from risk_model.errors import UsageError
from serving.exports import EXPORTS
from serving.lists import Page
from serving.pages import accounts_page, care_routes, glass, rendering
from serving.pages.answering import PRIVATE, StudentId, desk_of, pupil_or_absent, shown
from serving.pages.desk import Desk
from serving.pages.home import home_page
from serving.pages.list_page import Asked, list_page
from serving.pages.models_page import models_page
from serving.pages.pack import pack_page
from serving.pages.pupil_page import asked_of
from serving.pages.questions import answer
from serving.pages.shown import page_of
from serving.pages.unit_figures import figures_page
from serving.pages.unit_page import unit_page
from serving.units import Unit, parse_unit
from serving.web.policy import examines_models, sees_pupil, sees_unit, signed_in, static

UnitId = Annotated[str, Path(min_length=3, max_length=310)]
Start = Annotated[int, Query(ge=0, le=1_000_000)]
Short = Annotated[str, Query(max_length=40)]
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
A_YEAR = "public, max-age=31536000, immutable"

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
router.include_router(care_routes.router)
router.include_router(glass.router)
router.include_router(accounts_page.router)


@router.get("/static/style.{version}.css")
@static
def style_sheet(version: str) -> Response:
    """The style sheet, kept by browsers for a year; its address changes when it does."""
    if version != rendering.style_version():
        raise HTTPException(404)
    return Response(rendering.STYLE.read_bytes(), media_type="text/css", headers={"Cache-Control": A_YEAR})


@router.get("/static/icon.svg")
@static
def icon() -> Response:
    """The icon in the browser's tab."""
    return Response(
        rendering.ICON.read_bytes(), media_type="image/svg+xml", headers={"Cache-Control": A_YEAR}
    )


@router.get("/")
@signed_in
def home(request: Request) -> Response:
    """Who needs the reader today; a data scientist begins at the models, an administrator at the accounts."""
    desk = desk_of(request)
    if desk.viewer.administrator:
        return RedirectResponse(accounts_page.ADDRESS, 303)
    if desk.viewer.data_scientist:
        return RedirectResponse("/models", 303)
    return shown(desk, "home", home=home_page(desk))


@router.get("/models")
@examines_models
def models(request: Request) -> Response:
    """Registry, card and latest report: no pupil."""
    desk = desk_of(request)
    return shown(desk, "models", models=models_page(desk))


@router.get("/units/{unit}")
@sees_unit("unit", scope=None)
def overview(request: Request, unit: UnitId) -> Response:
    """The unit at a glance."""
    desk, asked, page = _list_of(request, unit)
    return shown(desk, "unit", unit=unit_page(desk, asked, page))


@router.get("/units/{unit}/figures")
@sees_unit("unit", scope=None, names=False)
def figures(request: Request, unit: UnitId) -> Response:
    """Counts and means of the unit, for whoever sees aggregates and no pupil."""
    desk = desk_of(request)
    told = figures_page(desk, parse_unit(unit))
    if told is None:
        raise HTTPException(404)
    return shown(desk, "figures", told=told)


@router.get("/units/{unit}/list")
@sees_unit("unit", scope=None)
def unit_list(
    request: Request,
    unit: UnitId,
    family: Short = "",
    grade: Short = "",
    care: Short = "",
    start: Start = 0,
) -> Response:
    """The published list, filtered and in pages."""
    desk, asked, page = _list_of(request, unit)
    return shown(desk, "list", list=list_page(desk, asked, page, Asked(family, grade, care, start)))


@router.get("/units/{unit}/list.{layout}")
@sees_unit("unit", scope=None, action="export")
def export(request: Request, unit: UnitId, layout: str) -> Response:
    """The whole list as a file; restricted reasons only as their family, no cell a formula."""
    _, _, page = _list_of(request, unit)
    if layout not in MEDIA:
        raise HTTPException(404)
    kept = {"Content-Disposition": f'attachment; filename="list-{page.as_of}.{layout}"'}
    return Response(EXPORTS[layout](page.rows), media_type=MEDIA[layout], headers=kept | PRIVATE)


@router.get("/units/{unit}/pack")
@sees_unit("unit", scope=None, action="export")
def pack(request: Request, unit: UnitId, start: Start = 0) -> Response:
    """The list to print for a day without network."""
    desk, asked, page = _list_of(request, unit)
    return shown(desk, "pack", pack=pack_page(desk, asked, page, start))


@router.get("/pupils/{student_id}")
@sees_pupil("student_id", scope=None)
def pupil(request: Request, student_id: StudentId) -> Response:
    """Everything of one pupil."""
    desk = desk_of(request)
    return shown(desk, "pupil", pupil=pupil_or_absent(desk, student_id))


@router.get("/pupils/{student_id}/what-if")
@sees_pupil("student_id", scope=None)
def what_if(
    request: Request,
    student_id: StudentId,
    feature: Annotated[str, Query(max_length=80)],
    value: Annotated[str, Query(max_length=12)],
) -> Response:
    """The pupil's page with the model's answer to a question."""
    desk = desk_of(request)
    told = asked_of(pupil_or_absent(desk, student_id), answer(desk, student_id, feature, value))
    return shown(desk, "pupil", pupil=told)


@router.get("/pupils/{student_id}/print")
@sees_pupil("student_id", scope=None, action="export")
def guardian_print(request: Request, student_id: StudentId) -> Response:
    """What a guardian takes home: reasons, of restricted ones the family only."""
    desk = desk_of(request)
    return shown(desk, "print", pupil=pupil_or_absent(desk, student_id))


def _list_of(request: Request, text: str) -> tuple[Desk, Unit, Page]:
    desk = desk_of(request)
    try:
        unit = parse_unit(text)
    except UsageError:
        raise HTTPException(404) from None
    page = page_of(desk, unit)
    if page is None:
        raise HTTPException(404)
    return desk, unit, page
