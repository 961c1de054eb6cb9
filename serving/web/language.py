"""The language of an answer: the one chosen, else what the browser asks for, else the office's."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from risk_model.explanation.words import Language

COOKIE = "language"
"""Holds ``en`` or ``zh`` and nothing else, so that it needs no protection."""


def language_of(request: HTTPConnection) -> Language:
    """``en`` or ``zh``."""
    for asked in (request.cookies.get(COOKIE), _accepted(request.headers.get("accept-language", ""))):
        if asked == "en" or asked == "zh":
            return asked
    office: Language = request.app.state.service.settings.list.language
    return office


def _accepted(header: str) -> Language | None:
    """The first of ours a browser names; weights are in falling order in all of them.

    >>> _accepted("fr, zh-CN;q=0.9, en;q=0.8"), _accepted("*")
    ('zh', None)
    """
    for part in header[:200].split(","):
        tag = part.split(";")[0].strip().lower().split("-")[0]
        if tag in ("en", "zh"):
            return "zh" if tag == "zh" else "en"
    return None
