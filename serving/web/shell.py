"""Around everything, errors included: secure headers, a bound on bodies, counts for Prometheus."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from risk_model.settings import Settings
from serving.web.metering import count_request
from serving.web.policy import policy_of
from serving.web.problems import ProblemError, answer, log_error


class Shell:
    """ASGI middleware; the outermost, so that no answer leaves without its headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._most = settings.service.max_body_kb * 1024
        self._headers = headers_of(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = perf_counter(), 500
        started = False

        async def sending(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                self._dress(scope, message)
            await send(message)

        try:
            await self._answer(scope, receive, sending, lambda: started)
        finally:
            count_request(scope, status, perf_counter() - begun)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, started: Any) -> None:
        request = Request(scope)
        try:
            if _declared_length(request) > self._most:
                await answer(request, ProblemError("too_large"))(scope, receive, send)
                return
            await self._app(scope, _bounded(receive, self._most), send)
        except Exception as error:  # the edge: whatever it is, no trace of it leaves
            log_error(error, scope)
            if not started():
                await answer(request, ProblemError("wrong"))(scope, receive, send)

    def _dress(self, scope: Scope, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        policy = policy_of(scope.get("endpoint"))
        static = policy is not None and policy.kind == "static"
        headers.setdefault("cache-control", "public, max-age=3600" if static else "no-store")


def headers_of(settings: Settings) -> dict[str, str]:
    """What every answer carries: nothing from elsewhere is loaded, framed or told."""
    found = {
        "content-security-policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        ),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        # Not no-referrer: under it browsers send 'Origin: null' with our own forms.
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "vary": "Accept, Accept-Language, Authorization, Cookie",
    }
    if not settings.service.plain_http:
        found["strict-transport-security"] = "max-age=31536000"
    return found


def _declared_length(request: Request) -> int:
    sent = request.headers.get("content-length", "0")
    return int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 20 else 0


def _bounded(receive: Receive, most: int) -> Receive:
    """Bodies without a length, or with a false one, end here."""
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413)
        return message

    return receiving
