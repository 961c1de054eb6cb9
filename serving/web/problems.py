"""Errors as ``application/problem+json`` (RFC 9457), in English and Chinese; none echoes what was sent.

A foreign object and an absent one are :func:`not_found`, byte for byte.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError, OperationalError
from starlette.exceptions import HTTPException

from risk_model.errors import RiskModelError, UsageError
from risk_model.explanation.words import Language
from serving.refusing import RefusedError
from serving.web.cookies import SESSION, read_cookie
from serving.web.policy import policy_of

MEDIA_TYPE = "application/problem+json"
LOG = logging.getLogger(__name__)
Code = Literal[
    "not_found", "sign_in", "forbidden", "not_allowed", "too_large", "too_many", "invalid", "cross_origin",
    "not_ready", "wrong", "changed", "moved_on", "unreadable", "change_password",
]  # fmt: skip
STATUS: Mapping[Code, int] = {
    "not_found": 404,
    "sign_in": 401,
    "forbidden": 403,
    "not_allowed": 405,
    "too_large": 413,
    "too_many": 429,
    "invalid": 422,
    "cross_origin": 403,
    "not_ready": 503,
    "wrong": 500,
    "changed": 409,
    "moved_on": 409,
    "unreadable": 400,
    "change_password": 403,
}
SAID: Mapping[Code, Mapping[Language, tuple[str, str]]] = {
    "not_found": {
        "en": ("Not found", "There is nothing here that you may see. Look the identifier up in a list."),
        "zh": ("未找到", "此处没有您可以查看的内容。请在名单中核对编号。"),
    },
    "sign_in": {
        "en": ("Not signed in", "Sign in, or send a token as 'Authorization: Bearer …'."),
        "zh": ("未登录", "请登录，或以 'Authorization: Bearer …' 发送令牌。"),
    },
    "forbidden": {
        "en": ("Not allowed", "Your account or token is not good for this. Ask the administrator for it."),
        "zh": ("无权限", "您的账号或令牌无此权限。请联系管理员。"),
    },
    "not_allowed": {
        "en": ("Method not allowed", "This address does not take this method. See /docs."),
        "zh": ("方法不允许", "此地址不接受该方法。请参阅 /docs。"),
    },
    "too_large": {
        "en": ("Too large", "The request is larger than this service takes. Send less at a time."),
        "zh": ("内容过大", "请求超过本服务的上限。请分批发送。"),
    },
    "too_many": {
        "en": ("Too many requests", "Wait for the seconds said in Retry-After, then try again."),
        "zh": ("请求过多", "请等待 Retry-After 所示的秒数后再试。"),
    },
    "invalid": {
        "en": ("Invalid request", "Correct what is named in errors and send again."),
        "zh": ("请求无效", "请更正 errors 中列出的内容后重新发送。"),
    },
    "cross_origin": {
        "en": ("Refused", "This form was not sent from its own page. Open the page anew and send it again."),
        "zh": ("已拒绝", "该表单并非从本站页面提交。请重新打开页面后再提交。"),
    },
    "not_ready": {
        "en": ("Not ready", "The service cannot answer this now. Try again in a minute."),
        "zh": ("暂不可用", "服务暂时无法回答。请一分钟后再试。"),
    },
    "wrong": {
        "en": (
            "Something went wrong",
            "Nothing was changed. Tell whoever runs the service when it happened.",
        ),
        "zh": ("发生错误", "没有任何更改。请将发生时间告知系统管理人员。"),
    },
    "changed": {
        "en": (
            "Changed meanwhile",
            "Somebody else changed this. Look at their change, then send yours again.",
        ),
        "zh": ("已被他人更改", "其他人已更改此内容。请查看其更改后重新提交。"),
    },
    "moved_on": {
        "en": ("List replaced", "A newer list was published meanwhile. Start again without the cursor."),
        "zh": ("名单已更新", "期间已发布新的名单。请去掉 cursor 重新开始。"),
    },
    "unreadable": {
        "en": ("Unreadable request", "The body cannot be read as what its Content-Type says."),
        "zh": ("无法读取请求", "请求内容与其 Content-Type 不符。"),
    },
    "change_password": {
        "en": (
            "Choose a password first",
            "Somebody else made your password. Choose one at /password.",
        ),
        "zh": ("请先修改密码", "您的密码由他人设置，请先在 /password 修改。"),
    },
}


CHALLENGE = {"WWW-Authenticate": "Bearer"}


class ProblemError(Exception):
    """An error answer; ``more`` are members beside those of the RFC, ``detail`` replaces the usual one."""

    def __init__(
        self, code: Code, *, detail: str | None = None, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(code)
        self.code: Code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more


def not_found() -> ProblemError:
    """The one answer for what is foreign, absent or malformed."""
    return ProblemError("not_found")


def answer(request: Request, problem: ProblemError) -> Response:
    """The problem in the language of who asks."""
    from serving.web.language import language_of

    title, detail = SAID[problem.code][language_of(request)]
    body = {
        "type": "about:blank",
        "code": problem.code,
        "title": title,
        "status": STATUS[problem.code],
        "detail": problem.detail or detail,
        **problem.more,
    }
    content = json.dumps(body, ensure_ascii=True, allow_nan=False)
    return Response(content, STATUS[problem.code], problem.headers, MEDIA_TYPE)


def problem_of(error: Exception, language: Language) -> ProblemError:
    """What an error of ours means to who asks; anything unknown is ``wrong`` and tells nothing."""
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            return ProblemError("invalid", errors=[_place_of(one) for one in error.errors()[:20]])
        case HTTPException():
            return _of_framework(error)
        case RefusedError():
            return ProblemError("invalid", detail=error.said(language), errors=[])
        case UsageError():
            return ProblemError("invalid", detail=str(error), errors=[])
        case RiskModelError():  # a model, a record, a provider that is not there, or a lock that is held
            return ProblemError("not_ready", headers={"Retry-After": "60"})
        case OperationalError():  # the database is locked, restarting or gone: nothing of the request's
            return ProblemError("not_ready", headers={"Retry-After": "5"})
        case _:
            return ProblemError("wrong")


def install_problems(app: FastAPI) -> None:
    """Answer every error of ``app`` as a problem."""
    for kind in (ProblemError, RequestValidationError, HTTPException, RiskModelError, DBAPIError):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    problem = (
        ProblemError("sign_in", headers=CHALLENGE)
        if _of_stranger(request)
        else problem_of(error, _language(request))
    )
    if STATUS[problem.code] >= 500:
        log_error(error, request.scope)
    return await _page_or_problem(request, problem)


def _of_stranger(request: Request) -> bool:
    """Whether the guard was never reached, because the body is unreadable, and nobody says who sent it."""
    route = request.scope.get("route")
    policy = policy_of(getattr(route, "endpoint", None))
    met = hasattr(request.state, "viewer") or policy is None or policy.is_open
    return not met and "authorization" not in request.headers and read_cookie(request, SESSION) is None


async def _page_or_problem(request: Request, problem: ProblemError) -> Response:
    """Pages may say a problem in their own way: ``app.state.problem_page``."""
    page = getattr(request.app.state, "problem_page", None)
    if page is not None and not request.url.path.startswith("/api/") and _wants_page(request):
        title, detail = SAID[problem.code][_language(request)]
        found: Response = page(request, problem.code, title, problem.detail or detail)
        found.headers.update(problem.headers)
        return found
    return answer(request, problem)


def _language(request: Request) -> Language:
    from serving.web.language import language_of

    return language_of(request)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def log_error(error: Exception, scope: Mapping[str, Any]) -> None:
    """Say what happened and where in our code; neither message, address nor parameters: they name pupils."""
    route = getattr(scope.get("route"), "path", "no route")
    where = "".join(traceback.format_tb(error.__traceback__)[-3:])
    LOG.error("%s of %s\n%s", type(error).__name__, route, where)


def _of_framework(error: HTTPException) -> ProblemError:
    """Errors the framework raises itself."""
    by_status: dict[int, Code] = {404: "not_found", 405: "not_allowed", 413: "too_large", 400: "unreadable"}
    code = by_status.get(error.status_code, "unreadable" if error.status_code < 500 else "wrong")
    return ProblemError(code, headers=error.headers or {})


def _place_of(error: Mapping[str, Any]) -> dict[str, str]:
    """Where the fault is and what is expected there; never what was sent (it may be NaN, or a name)."""
    place = "/".join(str(part) if isinstance(part, int) else _plain(part) for part in error["loc"])
    return {"in": place, "message": _plain(error["msg"])}


def _plain(text: Any) -> str:
    """Printable text of bounded length: keys of a body are the sender's own."""
    kept = str(text)[:200].encode("ascii", "replace").decode("ascii")
    return "".join(letter if letter.isprintable() else "?" for letter in kept)
