"""Signing in at the office's OpenID Connect provider: authorization code with PKCE, state and nonce.

State, nonce and verifier lie in a cookie of the browser that began, so that nobody else can finish. Only the
provider named in the configuration is asked, and no account is ever made by it: an administrator ties the
provider's subject to an account first (``dropout-risk users``).
"""

from __future__ import annotations

import base64
import hmac
import logging
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from risk_model.errors import MissingError, RiskModelError
from risk_model.settings import ServiceSettings
from serving.accounts.sessions import Session, sign_in_external
from serving.web.cookies import OIDC, new_secret, read_cookie, set_cookie
from serving.web.service import service_of, transaction_as

LOG = logging.getLogger(__name__)
METADATA = "/.well-known/openid-configuration"
KEPT_SECONDS = 3600.0
PATIENCE = 10.0
"""Seconds the provider has for each answer."""
LONGEST_PLACE = 60
"""Bytes of the place to go on to that fit into the cookie; a longer one is the start page."""
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signatures by a key only the provider holds; none by a shared secret, and never none."""
_KEPT: dict[str, tuple[float, dict[str, Any]]] = {}
_ASKING = Lock()


class ProviderError(RiskModelError):
    """The provider cannot be reached, or answers what it must not."""


@dataclass(frozen=True)
class _Begun:
    """What the browser that began holds."""

    state: str
    nonce: str
    verifier: str
    place: str

    def written(self) -> str:
        place = self.place.encode()
        kept = place if len(place) <= LONGEST_PLACE else b"/"
        parts = (self.state, self.nonce, self.verifier, base64.urlsafe_b64encode(kept).decode().rstrip("="))
        return ".".join(parts)

    @staticmethod
    def read(text: str | None) -> _Begun | None:
        parts = (text or "").split(".")
        if len(parts) != 4:
            return None
        try:
            place = base64.urlsafe_b64decode(parts[3] + "=" * (-len(parts[3]) % 4)).decode()
        except ValueError:
            return None
        return _Begun(*parts[:3], place)


def begin(request: Request, place: str) -> Response:
    """Send the browser to the provider."""
    settings = service_of(request).settings.service
    begun = _Begun(new_secret(), new_secret(), new_secret(), place)
    with _client(settings) as client:
        url, _ = client.create_authorization_url(
            _metadata(settings)["authorization_endpoint"],
            state=begun.state,
            nonce=begun.nonce,
            code_verifier=begun.verifier,
        )
    response = RedirectResponse(url, 303)
    set_cookie(request, response, OIDC, begun.written())
    return response


def finish(request: Request, code: str, state: str) -> tuple[Session | None, str]:
    """A session for whom the provider vouches, and the place to go on to; none for everybody else."""
    begun = _Begun.read(read_cookie(request, OIDC))
    if begun is None or not hmac.compare_digest(begun.state, state):
        return None, "/"
    service = service_of(request)
    try:
        subject = _subject(service.settings.service, code, begun)
    except ProviderError as error:
        LOG.warning("No sign-in by the provider: %s", error)
        return None, begun.place
    issuer = str(service.settings.service.oidc_issuer)
    client = request.client.host if request.client else "unknown"
    with transaction_as(service, None, request.state.at, writes=True) as connection:
        return sign_in_external(connection, issuer, subject, request.state.at, client), begun.place


def _subject(settings: ServiceSettings, code: str, begun: _Begun) -> str:
    """Whom the provider says it is, after its signature, audience, times and nonce were checked."""
    import httpx
    from authlib.common.errors import AuthlibBaseError
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    told = _metadata(settings)
    try:
        with _client(settings) as client:
            token = client.fetch_token(told["token_endpoint"], code=code, code_verifier=begun.verifier)
        keys = KeySet.import_key_set(httpx.get(told["jwks_uri"], timeout=PATIENCE).json())
        read = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS)
        wanted = {
            "iss": {"essential": True, "value": settings.oidc_issuer},
            "aud": {"essential": True, "value": settings.oidc_client_id},
        }
        params = {"nonce": begun.nonce, "client_id": settings.oidc_client_id}
        claims = CodeIDToken(read.claims, read.header, wanted, params)
        claims.validate(leeway=60)
    except (AuthlibBaseError, JoseError, httpx.HTTPError, KeyError, ValueError) as error:
        raise ProviderError(f"its answer does not hold ({type(error).__name__}).") from error
    return str(claims["sub"])


def _client(settings: ServiceSettings) -> Any:
    from authlib.integrations.httpx_client import OAuth2Client

    return OAuth2Client(
        settings.oidc_client_id,
        _secret(settings),
        scope="openid",
        redirect_uri=f"{str(settings.public_url).rstrip('/')}/sign-in",
        code_challenge_method="S256",
        timeout=PATIENCE,
        follow_redirects=False,
    )


def _secret(settings: ServiceSettings) -> str:
    try:
        return Path(str(settings.oidc_client_secret_file)).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise MissingError(
            "[service] oidc_client_secret_file cannot be read. Write the secret there."
        ) from error


def _metadata(settings: ServiceSettings) -> dict[str, Any]:
    """What the provider says of itself; asked once an hour."""
    import httpx

    issuer = str(settings.oidc_issuer)
    with _ASKING:
        at, told = _KEPT.get(issuer, (float("-inf"), {}))
        if monotonic() - at < KEPT_SECONDS:
            return told
        try:
            told = httpx.get(issuer.rstrip("/") + METADATA, timeout=PATIENCE).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderError("it cannot be reached; is oidc_issuer right?") from error
        _demand_sound(settings, told)
        _KEPT[issuer] = (monotonic(), told)
        return told


def _demand_sound(settings: ServiceSettings, told: Any) -> None:
    """The provider is who it should be, and its endpoints lie on its own host or one the office named."""
    issuer = str(settings.oidc_issuer)
    endpoints = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if not isinstance(told, dict) or told.get("issuer") != issuer:
        raise ProviderError("it calls itself otherwise than oidc_issuer.")
    own = urlsplit(issuer)
    allowed = {own.netloc.lower(), *(host.lower() for host in settings.oidc_endpoint_hosts)}
    for name in endpoints:
        found = urlsplit(str(told.get(name)))
        if found.netloc.lower() not in allowed or found.scheme not in ("https", own.scheme):
            raise ProviderError(
                f"its {name} lies on another host or is not https. If the host is the provider's, name it in "
                "[service] oidc_endpoint_hosts."
            )


def demand_configured(settings: ServiceSettings) -> None:
    """Raise MissingError if a provider is named and what belongs to it is not, before anybody signs in."""
    if settings.oidc_issuer is None:
        return
    for name in ("oidc_client_id", "oidc_client_secret_file", "public_url"):
        if getattr(settings, name) is None:
            raise MissingError(f"[service] oidc_issuer is set, {name} is not. Set it, or take both away.")
    _secret(settings)
