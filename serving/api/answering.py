"""How the API answers: JSON, and an ETag that means something to its own caller only."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from serving.web.policy import policy_of


def reply(request: Request, document: Any, status: int = 200) -> Response:
    """The document; 304 without it if the caller holds the same already.

    The ETag is keyed by the caller's own cookie or token: two callers cannot compare theirs, and whoever
    finds one learns nothing from it. It is looked at after the guard has let the caller pass.
    """
    content = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    headers = {}
    if request.method == "GET" and request.state.secret:
        headers["etag"] = tag = _tag(request.state.secret, content)
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    return Response(content, status, headers, "application/json")


def _tag(secret: str, content: bytes) -> str:
    return f'"{hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()[:32]}"'


def errors(endpoint: Any) -> dict[int | str, dict[str, Any]]:
    """The error answers a route may give, by its policy, for its description."""
    policy = policy_of(endpoint)
    told = {401: "Not signed in", 403: FORBIDDEN, 422: "Invalid", 503: "Not ready"}
    if policy is not None and policy.kind in ("pupil", "case", "unit"):
        told[404] = "Foreign or absent: the same answer, byte for byte"
    return {status: _problem(said) for status, said in told.items()}


def _problem(said: str) -> dict[str, Any]:
    return {"description": said, "content": {"application/problem+json": {"schema": PROBLEM}}}


FORBIDDEN = "Not allowed, a forged form, or (code change_password) a first password not changed yet"
PROBLEM = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "code", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "code": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
"""RFC 9457."""
