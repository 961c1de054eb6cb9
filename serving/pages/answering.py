"""How a page is answered: what the guard left in the request goes in, HTML for one reader comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import HTTPException, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from serving.pages import rendering
from serving.pages.desk import Desk
from serving.pages.pupil_page import Pupil, pupil_page
from serving.pages.translations import LANGUAGES
from serving.web.language import language_of
from serving.web.problems import STATUS, Code

StudentId = Annotated[str, Path(min_length=1, max_length=128)]


PRIVATE = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class Shell:
    """What stands around every page."""

    csrf: str
    path: str
    signed_in: bool = True
    sees_pupils: bool = True
    examines: bool = False
    administers: bool = False
    message: str | None = None


def desk_of(request: Request) -> Desk:
    """What the guard left in the request, for the pages."""
    state, service = request.state, request.app.state.service
    return Desk(
        request=request,
        connection=state.connection,
        language=state.language,
        at=state.at,
        home=service.home,
        settings=service.settings,
        viewer=state.viewer,
        reason=state.reason,
    )


def shown(desk: Desk, template: str, *, status: int = 200, **content: Any) -> Response:
    """A page for this reader alone: no cache keeps it."""
    page = rendering.render(template, desk.language, shell=shell_of(desk), **content)
    return HTMLResponse(page, status, PRIVATE)


def shell_of(desk: Desk) -> Shell:
    """Who reads, and the form token of the session."""
    request, viewer = desk.request, desk.request.state.viewer
    return Shell(
        csrf=request.state.csrf or "",
        path=request.url.path,
        sees_pupils=not viewer.data_scientist and not viewer.administrator,
        examines=viewer.data_scientist or viewer.administrator,
        administers=viewer.administrator,
    )


def back_to(student_id: str, part: str = "care") -> Response:
    """After a change the page is read anew at ``part``, so that "reload" does not send the form again."""
    return RedirectResponse(f"/pupils/{quote(student_id, safe='')}#{part}", 303)


def pupil_or_absent(desk: Desk, student_id: str) -> Pupil:
    """The pupil's page; the answer to an absent pupil without a published score."""
    found = pupil_page(desk, student_id)
    if found is None:
        raise HTTPException(404)
    return found


def problem_page(request: Request, code: Code, title: str, detail: str) -> Response:
    """An error for people; it says nothing of what was asked for.

    Who is not signed in goes to sign in, and who has a password of somebody else's making to choose another.
    """
    if code == "sign_in":
        return RedirectResponse(f"/sign-in?{urlencode({'next': _where(request)})}", 303)
    if code == "change_password":
        return RedirectResponse("/password", 303)
    language = language_of(request)
    shell = Shell(csrf="", path="/", signed_in=False)
    page = rendering.render("problem", language, shell=shell, problem={"title": title, "detail": detail})
    return HTMLResponse(page, STATUS[code], PRIVATE)


def form_page(request: Request, name: str, *, status: int = 200, csrf: str, **content: Any) -> Response:
    """Sign-in and password; ``serving/web/signing_in.py`` asks for them by way of ``app.state``."""
    shell = Shell(csrf=csrf, path="/", signed_in=name != "sign_in", sees_pupils=name != "sign_in")
    told = {"next": "/", "oidc": False, "refused": None, "demanded": False, **content}
    asked = request.query_params.get("language")  # nobody is signed in yet to choose one
    language = asked if asked in LANGUAGES else language_of(request)
    page = rendering.render(name, language, shell=shell, **told)
    return HTMLResponse(page, status, PRIVATE)


def _where(request: Request) -> str:
    """The page that was asked for, to come back to after signing in; a form is not sent again."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return asked if request.method == "GET" else "/"
