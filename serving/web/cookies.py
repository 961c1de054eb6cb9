"""Cookies: ``__Host-`` ones that neither scripts nor other hosts reach, and their plain twins on loopback.

A browser keeps ``__Host-`` cookies only when they came over https. For trying things out on one machine
``[service] plain_http = true`` takes the prefix and ``Secure`` away; ``serve`` allows that on loopback only.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from starlette.requests import HTTPConnection
from starlette.responses import Response

from serving.web.service import service_of

SESSION = "session"
FORM = "form"
"""Ties the sign-in form to the browser it was shown to; holds nothing about anybody."""
OIDC = "oidc"
"""State, nonce and verifier of a sign-in at the provider that is under way."""
OPAQUE = re.compile(r"[A-Za-z0-9_.~-]{16,256}")
"""What an opaque value may look like; anything else is not even looked up."""


def cookie_name(request: HTTPConnection, name: str) -> str:
    """The full name of the cookie here."""
    return name if service_of(request).settings.service.plain_http else f"__Host-{name}"


def read_cookie(request: HTTPConnection, name: str) -> str | None:
    """The cookie's value if it looks like one of ours."""
    found = request.cookies.get(cookie_name(request, name))
    return found if found and OPAQUE.fullmatch(found) else None


def set_cookie(request: HTTPConnection, response: Response, name: str, value: str) -> None:
    """A cookie that ends with the browser; sent with a link in a letter, not with another's form."""
    response.set_cookie(
        cookie_name(request, name),
        value,
        path="/",
        secure=not service_of(request).settings.service.plain_http,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: HTTPConnection, response: Response, name: str) -> None:
    """Ask the browser to forget the cookie."""
    response.delete_cookie(
        cookie_name(request, name),
        path="/",
        secure=not service_of(request).settings.service.plain_http,
        httponly=True,
        samesite="lax",
    )


def new_secret() -> str:
    """256 random bits, as text for a cookie."""
    return secrets.token_urlsafe(32)


def form_token(secret: str) -> str:
    """What forms shown to the holder of the cookie ``secret`` carry; tells nothing of the cookie.

    >>> form_token("one") == form_token("one"), form_token("one") == form_token("two")
    (True, False)
    """
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()
