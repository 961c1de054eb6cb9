"""Accounts and tokens for the administrator: sealing, ending sessions; no pupil.

Opening accounts, posts and first passwords stay commands (``dropout-risk users``): they come in bulk,
and a first password is handed over by whoever keeps the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection, func, select

from risk_model.errors import MissingError, UsageError
from serving.access.reasons import SAID, AccessReason, Kind
from serving.accounts.keeping import end_sessions, seal, unseal
from serving.accounts.listing import listed_accounts
from serving.accounts.tables import ACTIVE, SEALED, Account, SignedIn
from serving.accounts.tokens import revoke_token, tokens
from serving.audit.entries import Entry
from serving.pages.answering import desk_of, shown
from serving.pages.desk import Desk
from serving.web.policy import administers
from serving.web.problems import ProblemError, not_found
from serving.web.service import service_of
from serving.web.shapes import MOST_OF_INTEGER

ADDRESS = "/accounts"
AT_A_TIME = 40
Number = Annotated[int, Path(ge=1, le=MOST_OF_INTEGER)]
router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)


@dataclass(frozen=True)
class AccountShown:
    """An account; ``sessions`` are those open now."""

    id: int
    login: str
    name: str
    state: str
    kind: str
    posts: list[str]
    used_at: datetime | None
    sessions: int
    may: list[tuple[str, str]]
    """Steps that may be taken, with their words."""


@dataclass(frozen=True)
class Accounts:
    """The page."""

    rows: list[AccountShown]
    tokens: list[dict[str, Any]]
    asked: str
    first: int
    total: int
    previous: int | None
    next: int | None


@router.get(ADDRESS)
@administers
def accounts(
    request: Request,
    q: Annotated[str, Query(max_length=80)] = "",
    start: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """All accounts in parts, or those whose login or name holds ``q``; and the tokens in use."""
    desk = desk_of(request)
    return shown(desk, "accounts", accounts=_accounts(desk, q, start))


@router.post(ADDRESS + "/{account}/{step}")
@administers
def change_account(
    request: Request, account: Number, step: Literal["seal", "unseal", "end-sessions"]
) -> Response:
    """Seal an account of somebody else, open it again, or end its sessions; written down with its number."""
    desk = desk_of(request)
    found = desk.connection.execute(select(Account.id, Account.state).where(Account.id == account)).first()
    if found is None:
        raise not_found()
    if step == "seal" and account == desk.viewer.account_id:
        raise ProblemError("forbidden")  # nobody would be left to open it again
    _write_down(desk, f"{step} account {account}")
    try:
        STEPS[step](desk.connection, account, desk.at)
    except UsageError:  # closed for good
        raise not_found() from None
    return RedirectResponse(ADDRESS, 303)


@router.post("/tokens/{token}/revoke")
@administers
def end_token(request: Request, token: Number) -> Response:
    """End a machine's token at once."""
    desk = desk_of(request)
    if token not in {one["id"] for one in tokens(desk.connection) if one["revoked_at"] is None}:
        raise not_found()
    _write_down(desk, f"revoke token {token}")
    try:
        revoke_token(desk.connection, token, desk.at)
    except MissingError:  # another administrator was faster
        raise not_found() from None
    return RedirectResponse(ADDRESS + "#tokens", 303)


STEPS: dict[str, Callable[[Connection, int, datetime], None]] = {
    "seal": seal,
    "unseal": unseal,
    "end-sessions": end_sessions,
}


def _write_down(desk: Desk, what: str) -> None:
    """Beside the guard's record of the route: whose account or which token it was."""
    entry = Entry(desk.viewer.account_id, "account", None, None, None, what)
    service_of(desk.request).audit.record([entry])


def _accounts(desk: Desk, asked: str, start: int) -> Accounts:
    rows = [row for row in listed_accounts(desk.connection, desk.at) if _holds(row, asked)]
    part = rows[start : start + AT_A_TIME]
    open_now = _sessions(desk.connection)
    in_use = [
        one for one in tokens(desk.connection) if one["revoked_at"] is None and one["expires_at"] > desk.at
    ]
    return Accounts(
        rows=[_shown(desk, row, open_now.get(row["id"], 0)) for row in part],
        tokens=in_use[:AT_A_TIME],
        asked=asked,
        first=start + 1,
        total=len(rows),
        previous=max(start - AT_A_TIME, 0) if start else None,
        next=start + AT_A_TIME if start + AT_A_TIME < len(rows) else None,
    )


def _holds(row: dict[str, Any], asked: str) -> bool:
    return asked.casefold() in f"{row['login']} {row['name'] or ''}".casefold()


def _sessions(connection: Connection) -> dict[int, int]:
    """Sessions that nobody has ended, by account; some may have run out."""
    query = select(SignedIn.account, func.count().label("open")).where(SignedIn.ended_at.is_(None))
    return {row.account: row.open for row in connection.execute(query.group_by(SignedIn.account))}


def _post(desk: Desk, post: str) -> str:
    """``class_teacher of class:A:7A:2025`` in the reader's words."""
    role, _, unit = post.partition(" of ")
    return AccessReason(cast(Kind, role), unit).said(desk.language) if role in SAID else post


def _shown(desk: Desk, row: dict[str, Any], sessions: int) -> AccountShown:
    words = {
        "seal": desk.say("Seal"),
        "unseal": desk.say("Open again"),
        "end-sessions": desk.say("End sessions"),
    }
    may = {ACTIVE: ["seal"], SEALED: ["unseal"]}.get(row["state"], [])
    if row["id"] == desk.viewer.account_id:
        may = []
    if sessions:
        may = [*may, "end-sessions"]
    states = {"active": desk.say("in use"), "sealed": desk.say("sealed"), "revoked": desk.say("closed")}
    return AccountShown(
        row["id"],
        row["login"],
        row["name"] or "",
        states.get(row["state"], row["state"]),
        desk.say("administrator") if row["administrator"] else "",
        [_post(desk, post) for post in row["posts"]],
        row["used_at"],
        sessions,
        [(step, words[step]) for step in may],
    )
