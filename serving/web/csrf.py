"""A change asked for by cookie must come from a page of ours: the browser says so, and the form proves it.

What else the guard asks of a form before its route runs is read here, too.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from serving.web.cookies import form_token
from serving.web.policy import Policy
from serving.web.problems import ProblemError

FIELD = "csrf"
HEADER = "x-csrf"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def token_sent(request: Request) -> str | None:
    """The token of the form, or of the header where scripts send JSON."""
    sent = request.headers.get(HEADER)
    if sent is None and request.headers.get("content-type", "").lower().startswith(FORMS):
        sent = (await request.form()).get(FIELD)
    return sent if isinstance(sent, str) else None


async def named_in_form(request: Request, policy: Policy | None) -> str | None:
    """The pupil a form names for whom the glass is to be broken, where the address does not."""
    if policy is None or policy.kind != "glass" or policy.parameter in request.path_params:
        return None
    named = (await request.form()).get(policy.parameter)
    return named.strip() if isinstance(named, str) else None


def demand_own_page(request: Request, secret: str | None, token: str | None) -> None:
    """Raise ProblemError unless the request comes from our own origin with the token of cookie ``secret``."""
    if not (_same_origin(request) and secret and token and _equal(token, form_token(secret))):
        raise ProblemError("cross_origin")


def _same_origin(request: Request) -> bool:
    """By Sec-Fetch-Site and Origin: what is there must agree, and one of them must be there."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None:
        return False
    return site in (None, "same-origin") and (origin is None or _is_ours(request, origin))


def _is_ours(request: Request, origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:  # brackets of an address that is none
        return False
    host = request.headers.get("host", "")
    return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == host.lower()


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
