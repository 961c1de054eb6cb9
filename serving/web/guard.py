"""The one guard: every request passes it before its route runs.

It finds out who asks, refuses forged forms, evaluates the route's policy, has the look written down, and
only then lets the route work. What the route finds in ``request.state``:

``viewer``, ``reason``, ``connection`` (one transaction, committed if the route answers without an error;
none for strangers),
``language``, ``at`` (UTC), ``secret`` (the caller's own cookie or token), ``csrf`` (for the forms of its
pages).

The decision and the route's work are two transactions with the audit between them: on SQLite the audit's
writer would otherwise wait for the reader who waits for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from sqlalchemy import Connection

from serving.access.deciding import AccessReason, Viewer, why, why_unit
from serving.accounts.sessions import note_use, session_viewer
from serving.accounts.tokens import token_viewer
from serving.audit.entries import Entry
from serving.care.cases import pupil_of_case
from serving.web.cookies import FORM, OPAQUE, SESSION, form_token, read_cookie
from serving.web.csrf import SAFE, demand_own_page, named_in_form, token_sent
from serving.web.first_password import demand_own_password
from serving.web.language import language_of
from serving.web.limits import demand_within
from serving.web.policy import Policy, policy_of
from serving.web.problems import CHALLENGE, ProblemError, not_found
from serving.web.service import Service, service_of, steadily, transaction_as
from serving.web.shapes import MOST_OF_INTEGER, is_identifier, unit_of

AGGREGATES_ONLY = frozenset({"data_scientist", "administrator"})
"""Reasons that open counts of a unit, and none of its pupils."""


@dataclass(frozen=True)
class Caller:
    """Who asks, and the secret by which they are known; ``by_cookie`` needs forms of our own pages."""

    viewer: Viewer | None
    secret: str | None
    by_cookie: bool


@dataclass(frozen=True)
class Passed:
    """What the policy found: why, and whom or what it is about."""

    reason: AccessReason | None = None
    student_id: str | None = None
    unit: str | None = None


async def guard(request: Request) -> AsyncIterator[None]:
    """The dependency of the whole app."""
    token = None if request.method in SAFE else await token_sent(request)
    request.state.named = await named_in_form(request, policy_of(request.scope["route"].endpoint))
    reads = request.method in SAFE and service_of(request).engine.dialect.name == "sqlite"
    within = _left_at_once if reads else contextmanager_in_threadpool
    async with within(_guarded(request, token)):
        yield


@asynccontextmanager
async def _left_at_once(guarded: AbstractContextManager[None]) -> AsyncIterator[None]:
    """Entered in a thread and left where it is: a reading transaction of SQLite ends without waiting."""
    await run_in_threadpool(guarded.__enter__)
    try:
        yield
    except BaseException as error:
        if not guarded.__exit__(type(error), error, error.__traceback__):
            raise
    else:
        guarded.__exit__(None, None, None)


@contextmanager
def _guarded(request: Request, token: str | None) -> Iterator[None]:
    service, policy = service_of(request), policy_of(request.scope["route"].endpoint)
    state = request.state
    state.at, state.language = service.clock(), language_of(request)
    caller = _caller(request, service, state.at)
    state.viewer, state.secret = caller.viewer, caller.secret
    state.csrf = form_token(caller.secret) if caller.secret and caller.by_cookie else None
    if not policy.is_open:
        _demand_known(caller, policy)
    demand_own_password(caller.viewer, policy)
    if caller.by_cookie and request.method not in SAFE:
        demand_own_page(request, caller.secret, token)
    state.reason = _passed(request, service, policy, caller.viewer)
    if policy.is_open:
        yield
        return
    # A score changes nothing: it need not stand in line for SQLite's one write lock.
    writes = request.method not in SAFE and policy.kind != "scores"
    # A glass is broken for a pupil its breaker cannot see yet, behind PostgreSQL's wall neither.
    behind = None if policy.kind == "glass" else caller.viewer
    with transaction_as(service, behind, state.at, writes=writes) as connection:
        state.connection = connection
        yield


def _caller(request: Request, service: Service, at: datetime) -> Caller:
    """By token where one is sent, even a bad one; else by the session's cookie; else by the form's."""
    header = request.headers.get("authorization")
    if header is not None:
        kind, _, opaque = header.partition(" ")
        if kind.lower() != "bearer" or not OPAQUE.fullmatch(opaque):
            return Caller(None, None, by_cookie=False)
        machine = steadily(service, at, lambda connection: token_viewer(connection, opaque, at))
        if machine is not None:
            note_use(service.engine, opaque, at)
        return Caller(machine, opaque, by_cookie=False)
    opaque = read_cookie(request, SESSION)
    if opaque is not None:
        viewer = steadily(service, at, lambda connection: session_viewer(connection, opaque, at))
        if viewer is not None:
            note_use(service.engine, opaque, at)
            return Caller(viewer, opaque, by_cookie=True)
    return Caller(None, read_cookie(request, FORM), by_cookie=True)


def _demand_known(caller: Caller, policy: Policy) -> None:
    if caller.viewer is None:
        raise ProblemError("sign_in", headers=CHALLENGE)
    if caller.viewer.kind == "machine" and (policy.scope is None or policy.scope not in caller.viewer.scopes):
        raise ProblemError("forbidden")


def _passed(request: Request, service: Service, policy: Policy, viewer: Viewer | None) -> AccessReason | None:
    """Evaluate the policy and have the look written down; the reason of access."""
    if viewer is None:
        return None
    at = request.state.at
    if policy.per_minute is not None:
        route = request.scope["route"].path
        demand_within(service.engine, {f"{route} {viewer.account_id}": policy.per_minute}, at)
    with transaction_as(service, viewer, at) as connection:
        passed = CHECKS[policy.kind](connection, request, policy, viewer)
    if not policy.is_open and policy.kind != "signed_in":
        _write_down(request, service, policy, viewer, passed)
    return passed.reason


def _write_down(request: Request, service: Service, policy: Policy, viewer: Viewer, passed: Passed) -> None:
    """Returns once the entry is durable, so that nothing is shown that was not written down."""
    kind = passed.reason.kind if passed.reason else None
    unit = passed.unit or (passed.reason.unit if passed.reason else None)
    detail = f"{request.method} {request.scope['route'].path}"
    service.audit.record([Entry(viewer.account_id, policy.action, passed.student_id, unit, kind, detail)])


def _anybody(connection: Connection, request: Request, policy: Policy, viewer: Viewer) -> Passed:
    return Passed()


def _pupil(connection: Connection, request: Request, policy: Policy, viewer: Viewer) -> Passed:
    return _of_pupil(connection, request, viewer, request.path_params[policy.parameter])


def _case(connection: Connection, request: Request, policy: Policy, viewer: Viewer) -> Passed:
    text = str(request.path_params[policy.parameter])
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MOST_OF_INTEGER):
        raise not_found()
    return _of_pupil(connection, request, viewer, pupil_of_case(connection, int(text)))


def _of_pupil(connection: Connection, request: Request, viewer: Viewer, student_id: object) -> Passed:
    if not is_identifier(student_id):
        raise not_found()
    reason = why(connection, viewer, student_id, request.state.at)
    if reason is None:
        raise not_found()
    return Passed(reason, student_id)


def _glass(connection: Connection, request: Request, policy: Policy, viewer: Viewer) -> Passed:
    """Written down whoever it is about; the route finds out whether there is such a pupil."""
    return Passed(student_id=request.path_params.get(policy.parameter, request.state.named))


def _unit(connection: Connection, request: Request, policy: Policy, viewer: Viewer) -> Passed:
    sent = request.path_params.get(policy.parameter, request.query_params.get(policy.parameter))
    if sent is None:
        raise ProblemError(
            "invalid", errors=[{"in": f"query/{policy.parameter}", "message": "Field required"}]
        )
    unit = unit_of(sent)
    reason = None if unit is None else why_unit(connection, viewer, unit, request.state.at)
    if reason is None or (policy.names and reason.kind in AGGREGATES_ONLY):
        raise not_found()
    return Passed(reason, unit=str(unit))


def _scores(connection: Connection, request: Request, policy: Policy, viewer: Viewer) -> Passed:
    return _demand(viewer.kind == "machine" or viewer.data_scientist)


def _administers(connection: Connection, request: Request, policy: Policy, viewer: Viewer) -> Passed:
    return _demand(viewer.administrator)


def _examines_models(connection: Connection, request: Request, policy: Policy, viewer: Viewer) -> Passed:
    return _demand(viewer.kind == "machine" or viewer.data_scientist or viewer.administrator)


def _demand(may: bool) -> Passed:
    if not may:
        raise ProblemError("forbidden")
    return Passed()


CHECKS = {
    "public": _anybody,
    "static": _anybody,
    "signed_in": _anybody,
    "pupil": _pupil,
    "case": _case,
    "unit": _unit,
    "glass": _glass,
    "scores": _scores,
    "administers": _administers,
    "examines_models": _examines_models,
}
"""How each kind of policy is evaluated; machines have shown their scope before."""
