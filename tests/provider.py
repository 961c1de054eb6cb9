"""A small OpenID Connect provider on loopback: real HTTP, real signatures, and ways to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "dropout-risk", "a-secret-of-the-office"


@dataclass
class Provider:
    """Who signs in there, and how it lies; codes work once."""

    issuer: str
    subject: str = "chen-17"
    lies: dict[str, Any] = field(default_factory=dict)
    """Claims put in place of the true ones."""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}))
    signed_by: RSAKey | None = None
    """Another key than the one that is told."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    endpoints: str | None = None
    """Where they lie, if on another host than the issuer."""

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to, signed in."""
        assert query["client_id"] == CLIENT
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return f"{query['redirect_uri']}?code={code}&state={query['state']}"

    def token(self, form: dict[str, str], basic: str) -> dict[str, Any] | None:
        """An identity for a code, if client and verifier are those it was made for."""
        begun = self.codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        right = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if begun is None or challenge.decode().rstrip("=") != begun["code_challenge"] or basic != right:
            return None
        now = int(time())
        claims = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT, "iat": now, "exp": now + 60}
        claims = {**claims, "nonce": begun["nonce"], **self.lies}
        signed = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.signed_by or self.key)
        return {"access_token": "x", "token_type": "Bearer", "id_token": signed}


@contextmanager
def running_provider() -> Iterator[Provider]:
    """The provider, on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    server.provider = provider  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        provider: Provider = self.server.provider  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            base = provider.endpoints or provider.issuer
            ends = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/keys"}
            self._answer({"issuer": provider.issuer, **{name: base + end for name, end in ends.items()}})
        elif parts.path == "/keys":
            self._answer({"keys": [provider.key.as_dict(private=False)]})
        else:
            self.send_response(302)
            self.send_header("location", provider.authorize(_plain(parts.query)))
            self.end_headers()

    def do_POST(self) -> None:
        provider: Provider = self.server.provider  # type: ignore[attr-defined]
        form = _plain(self.rfile.read(int(self.headers["content-length"])).decode())
        basic = self.headers.get("authorization", "").removeprefix("Basic ")
        told = provider.token(form, basic)
        self._answer(told or {"error": "invalid_grant"}, 200 if told else 400)

    def _answer(self, document: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: Any) -> None:
        return None


def _plain(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}
