"""Signing in at a provider that runs on loopback: who it vouches for, and every way it might lie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import time
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from sqlalchemy import update
from starlette.testclient import TestClient

from risk_model.settings import ServiceSettings
from serving.accounts.tables import Account
from serving.app import create_app
from serving.web import oidc
from tests.provider import CLIENT, SECRET, Provider, running_provider
from tests.service_rig import ORIGIN, Caller, Rig, rig_on_sqlite  # noqa: F401


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def client(sqlite_rig: Rig, provider: Provider, tmp_path) -> Iterator[TestClient]:
    """The service with the provider configured; Chen's account is tied to its subject ``chen-17``."""
    with client_of(sqlite_rig, provider, tmp_path) as client:
        yield client


@contextmanager
def client_of(sqlite_rig: Rig, provider: Provider, tmp_path, **more: Any) -> Iterator[TestClient]:
    """The service with the provider and other settings besides."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    told = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "public_url": ORIGIN, **more}
    service = sqlite_rig.settings.service.model_copy(update={**told, "oidc_client_secret_file": str(secret)})
    settings = sqlite_rig.settings.model_copy(update={"service": service})
    with sqlite_rig.app.state.service.engine.begin() as connection:
        tied = f"{provider.issuer} chen-17"
        connection.execute(update(Account).where(Account.login == "t-chen").values(external=tied))
    sqlite_rig.clock.at += sqlite_rig.clock.step * 120
    app = create_app(sqlite_rig.home, settings, sqlite_rig.audit, sqlite_rig.clock)
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False) as client:
        yield client


def begun(client: TestClient, place: str = "/pupils/S-MEI") -> tuple[str, str]:
    """The cookie of a sign-in that began, and the address the provider sends the browser back to."""
    client.cookies.clear()
    start = client.get("/sign-in", params={"provider": "oidc", "next": place}, follow_redirects=False)
    assert start.status_code == 303
    cookie = start.headers["set-cookie"].split(";")[0]
    back = httpx.get(start.headers["location"]).headers["location"]
    assert back.startswith(f"{ORIGIN}/sign-in?")
    client.cookies.clear()
    return cookie, back.removeprefix(ORIGIN)


def finished(client: TestClient, cookie: str, back: str) -> Any:
    client.cookies.clear()
    return client.get(back, headers={"cookie": cookie} if cookie else {}, follow_redirects=False)


def session_of(response: Any) -> str | None:
    lines = [line for line in response.headers.get_list("set-cookie") if line.startswith("__Host-session=")]
    return lines[0].split("=", 1)[1].split(";")[0] if lines else None


def test_whom_the_provider_vouches_for_is_signed_in(client: TestClient) -> None:
    """With the account that is tied to the subject, and on to the page that was asked for."""
    got = finished(client, *begun(client))
    assert (got.status_code, got.headers["location"]) == (303, "/pupils/S-MEI")
    session = session_of(got)
    assert session is not None
    assert Caller(client, cookie=session).get("/api/v1/students/S-MEI").status_code == 200
    assert Caller(client, cookie=session).get("/api/v1/students/S-LAN").status_code == 404


def test_the_form_shows_the_way_to_the_provider(client: TestClient) -> None:
    """Beside the password."""
    page = client.get("/sign-in", headers={"accept": "text/html"}).text
    assert "provider=oidc" in page


def test_an_unknown_subject_gets_no_account(client: TestClient, provider: Provider) -> None:
    """Signing in never makes an account."""
    provider.subject = "somebody-else"
    got = finished(client, *begun(client))
    assert (got.status_code, session_of(got)) == (403, None)


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"aud": "another-client"},
        {"iss": "https://id.example.org"},
        {"exp": int(time()) - 3600},
        {"iat": "yesterday"},
        {"sub": None},
    ],
)
def test_an_identity_that_does_not_hold_signs_nobody_in(
    client: TestClient, provider: Provider, lie: dict[str, Any]
) -> None:
    """Made for another sign-in, client or issuer, or run out."""
    provider.lies = lie
    got = finished(client, *begun(client))
    assert (got.status_code, session_of(got)) == (403, None)


def test_a_signature_of_another_key_signs_nobody_in(client: TestClient, provider: Provider) -> None:
    """Whoever answers must hold the provider's key."""
    provider.signed_by = RSAKey.generate_key(2048, {"kid": "k1"})
    got = finished(client, *begun(client))
    assert (got.status_code, session_of(got)) == (403, None)


def test_a_code_serves_once_and_its_own_browser_only(client: TestClient) -> None:
    """Without the cookie of the browser that began, with another's, or a second time: refused."""
    cookie, back = begun(client)
    other, _ = begun(client)
    assert finished(client, "", back).status_code == 403
    assert finished(client, other, back).status_code == 403
    assert finished(client, cookie, back.replace("state=", "state=x")).status_code == 403
    assert finished(client, cookie, back).status_code == 303
    assert finished(client, cookie, back).status_code == 403


def test_a_provider_that_is_somebody_else_is_not_asked(
    client: TestClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its metadata must name the configured issuer, and endpoints on its own host."""
    monkeypatch.setattr(oidc, "_KEPT", {})
    asked = ServiceSettings(oidc_issuer=provider.issuer)
    told = {"issuer": "https://id.example.org"}
    with pytest.raises(oidc.ProviderError, match="otherwise"):
        oidc._demand_sound(asked, told)
    elsewhere = dict.fromkeys(
        ("authorization_endpoint", "token_endpoint", "jwks_uri"), "https://evil.example/x"
    )
    with pytest.raises(oidc.ProviderError, match="another host"):
        oidc._demand_sound(asked, {"issuer": provider.issuer, **elsewhere})


def test_a_provider_that_is_away_is_said_and_the_password_still_works(
    client: TestClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 as a problem, not a crash."""
    monkeypatch.setattr(oidc, "METADATA", "/nowhere-at-all")
    monkeypatch.setattr(oidc, "_KEPT", {})
    monkeypatch.setattr("httpx.get", _refused)
    client.cookies.clear()
    assert client.get("/sign-in?provider=oidc", follow_redirects=False).status_code == 503
    assert client.get("/sign-in").status_code == 200


def _refused(*_: Any, **__: Any) -> None:
    raise httpx.ConnectError("refused")


def test_endpoints_lie_on_other_hosts_if_the_office_named_them(sqlite_rig: Rig, provider: Provider, tmp_path):
    """A provider that answers at two hosts: refused as long as the other one is not in the configuration."""
    provider.endpoints = provider.issuer.replace("127.0.0.1", "localhost")
    other = provider.endpoints.partition("//")[2]
    for hosts in ((), ("localhost",), ("id.example.org",)):
        with client_of(sqlite_rig, provider, tmp_path, oidc_endpoint_hosts=hosts) as client:
            refused = client.get("/sign-in", params={"provider": "oidc"}, follow_redirects=False)
            assert refused.status_code == 503
    with client_of(sqlite_rig, provider, tmp_path, oidc_endpoint_hosts=(other,)) as client:
        got = finished(client, *begun(client))
        assert (got.status_code, got.headers["location"]) == (303, "/pupils/S-MEI")


@pytest.mark.parametrize("host", ["https://id.example.org", "id.example.org/keys", "", "a b", "x@y"])
def test_a_host_is_a_host(host: str) -> None:
    """With its port if it has one, and nothing else."""
    assert ServiceSettings(oidc_endpoint_hosts=("id.example.org:8443",))
    with pytest.raises(ValidationError, match="oidc_endpoint_hosts"):
        ServiceSettings(oidc_endpoint_hosts=(host,))


def test_an_endpoint_is_not_less_safe_than_its_issuer() -> None:
    """Of an https issuer no endpoint is asked in the clear, wherever it lies."""
    issuer = "https://id.example.org"
    ends = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), "http://id.example.org/x")
    with pytest.raises(oidc.ProviderError, match="not https"):
        oidc._demand_sound(ServiceSettings(oidc_issuer=issuer), {"issuer": issuer, **ends})
