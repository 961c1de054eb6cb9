"""Signing in and out, and another password: by form, or at the provider of ``serving/web/oidc.py``."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from serving.accounts.keeping import account_of, set_password
from serving.accounts.passwords import matches, place_to_hash
from serving.accounts.sessions import Session, sign_in, sign_out
from serving.audit.entries import Entry
from serving.refusing import RefusedError
from serving.web import oidc
from serving.web.cookies import FORM, SESSION, drop_cookie, form_token, new_secret, read_cookie, set_cookie
from serving.web.language import COOKIE, language_of
from serving.web.limits import demand_within
from serving.web.policy import public, signed_in
from serving.web.service import service_of, transaction_as
from serving.web.shapes import PRINTABLE

router = APIRouter(include_in_schema=False)
Login = Annotated[str, Form(min_length=1, max_length=200)]
Password = Annotated[str, Form(min_length=1, max_length=256)]
Place = Annotated[str, Form(max_length=1000)]
WRONG = RefusedError("Login or password are wrong, or the account is closed.")
"""The same whatever was wrong."""
PASSWORDS_PER_MINUTE = 5
PER_ADDRESS = 3
"""A school's staff share one address: so many times the attempts of one login."""


@router.get("/sign-in")
@public
def sign_in_form(
    request: Request,
    next: Annotated[str, Query(max_length=1000)] = "/",
    provider: Annotated[Literal["oidc"] | None, Query()] = None,
    code: Annotated[str | None, Query(max_length=4000)] = None,
    state: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The form; with ``provider`` the way to the office's provider, with ``code`` the way back from it."""
    settings = service_of(request).settings.service
    if provider is not None and settings.oidc_issuer:
        return oidc.begin(request, own_place(next))
    if code is not None and state is not None and settings.oidc_issuer:
        _demand_attempts(request, "oidc")
        session, place = oidc.finish(request, code, state)
        if session is None:
            return _refused(request, place)
        return _signed_in(request, session, place)
    return _form(request, next)


@router.post("/sign-in")
@public
def sign_in_with_password(request: Request, login: Login, password: Password, next: Place = "/") -> Response:
    """A new session for whoever knows the password; one and the same refusal for everybody else."""
    _demand_attempts(request, login)
    session = None
    if PRINTABLE.fullmatch(login):
        # It takes the write lock itself, once it has its turn to hash: nobody waits for both.
        with transaction_as(service_of(request), None, request.state.at) as connection:
            session = sign_in(connection, login, password, request.state.at, _client(request))
    return _signed_in(request, session, next) if session else _refused(request, next)


@router.post("/sign-out")
@signed_in(before_own_password=True)
def sign_out_here(request: Request) -> Response:
    """End the session for good: its cookie opens nothing any more, wherever it was copied to."""
    sign_out(request.state.connection, request.state.secret, request.state.at)
    response = RedirectResponse("/sign-in", 303)
    drop_cookie(request, response, SESSION)
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


@router.get("/password")
@signed_in(before_own_password=True)
def password_form(request: Request) -> Response:
    """The form for another password."""
    return _password_form(request)


@router.post("/password")
@signed_in(per_minute=PASSWORDS_PER_MINUTE, before_own_password=True)
def change_password(request: Request, password: Password, new: Password, again: Password) -> Response:
    """Another password for whoever knows the one so far; all sessions end, and one begins anew."""
    state = request.state
    connection = state.connection
    with place_to_hash():
        right = matches(account_of(connection, state.viewer.login).password, password)
    if not right:
        return _password_form(request, 403, WRONG.said(state.language))
    try:
        _demand_another(password, new, again)
        set_password(connection, state.viewer.account_id, new, state.at)
    except RefusedError as error:
        return _password_form(request, 422, error.said(state.language))
    service_of(request).audit.record([Entry(state.viewer.account_id, "password")])
    session = sign_in(connection, state.viewer.login, new, state.at, _client(request))
    return _signed_in(request, session, "/") if session else RedirectResponse("/sign-in", 303)


@router.post("/language")
@signed_in(before_own_password=True)
def choose_language(
    request: Request, language: Annotated[Literal["en", "zh"], Form()], next: Place = "/"
) -> Response:
    """Answer in this language from now on."""
    response = RedirectResponse(own_place(next), 303)
    secure = not service_of(request).settings.service.plain_http
    response.set_cookie(COOKIE, language, max_age=31536000, path="/", secure=secure, samesite="lax")
    return response


def own_place(text: str) -> str:
    """A place of ours to go on to; anything that could lead elsewhere is the start page.

    >>> own_place("/units/school:A?start=50"), own_place("//evil.example"), own_place("/\\\\evil.example")
    ('/units/school:A?start=50', '/', '/')
    """
    ours = text.startswith("/") and not text.startswith(("//", "/\\")) and PRINTABLE.fullmatch(text)
    return text if ours and "\\" not in text else "/"


def _form(request: Request, place: str, status: int = 200, refused: str | None = None) -> Response:
    """The form, tied to this browser by a cookie."""
    secret = read_cookie(request, FORM) or new_secret()
    with_provider = bool(service_of(request).settings.service.oidc_issuer)
    content = {
        "csrf": form_token(secret),
        "next": own_place(place),
        "oidc": with_provider,
        "refused": refused,
    }
    response: Response = request.app.state.form_page(request, "sign_in", status=status, **content)
    set_cookie(request, response, FORM, secret)
    return response


def _password_form(request: Request, status: int = 200, refused: str | None = None) -> Response:
    state = request.state
    told = {"csrf": state.csrf, "refused": refused, "demanded": state.viewer.must_change}
    page: Response = request.app.state.form_page(request, "password", status=status, **told)
    return page


def _demand_another(password: str, new: str, again: str) -> None:
    """Raise RefusedError if the new password was mistyped, or is the one so far."""
    if new != again:
        raise RefusedError("The new password was not typed the same twice; type it again.")
    if new == password:
        raise RefusedError("This is the password so far; choose another.")


def _signed_in(request: Request, session: Session, place: str) -> Response:
    """Always a new cookie, so that one planted before is worth nothing."""
    service_of(request).audit.record([Entry(session.account_id, "sign_in")])
    response = RedirectResponse("/password" if session.must_change else own_place(place), 303)
    set_cookie(request, response, SESSION, session.opaque)
    drop_cookie(request, response, FORM)
    return response


def _refused(request: Request, place: str) -> Response:
    service_of(request).audit.record([Entry(None, "sign_in_refused", system_user="service")])
    return _form(request, place, 403, WRONG.said(language_of(request)))


def _demand_attempts(request: Request, login: str) -> None:
    service = service_of(request)
    most = service.settings.service.sign_ins_per_minute
    limits = {
        f"sign-in login {login.casefold()}": most,
        f"sign-in address {_client(request)}": most * PER_ADDRESS,
    }
    demand_within(service.engine, limits, request.state.at)


def _client(request: Request) -> str:
    return request.client.host if request.client else "unknown"
