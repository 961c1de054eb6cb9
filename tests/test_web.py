"""What holds for every answer: a policy on each route, headers, bounds, problems that echo nothing."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from risk_model.errors import MissingError
from serving.app import create_app
from serving.web.oidc import demand_configured
from serving.web.policy import (
    PolicyError,
    demand_policies,
    policy_of,
    public,
    routes_of,
    sees_pupil,
    signed_in,
)
from serving.web.problems import SAID, STATUS
from tests.service_rig import Rig, rig_on_sqlite  # noqa: F401


def app_with(path: str, endpoint) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    router = APIRouter(prefix="/part")
    router.get(path)(endpoint)
    app.include_router(router)
    return app


def test_a_route_without_a_policy_keeps_the_service_from_starting() -> None:
    """Whoever forgets to say who may call is told so before anybody calls."""

    def bare() -> None: ...

    with pytest.raises(PolicyError, match="No policy is declared for /part/new"):
        demand_policies(app_with("/new", bare))


def test_a_policy_that_asks_about_nothing_is_refused() -> None:
    """A policy about a pupil needs the pupil in the route's path."""

    @sees_pupil("student_id")
    def wrong() -> None: ...

    with pytest.raises(PolicyError, match="has no parameter 'student_id'"):
        demand_policies(app_with("/pupils/{pupil}", wrong))


def test_two_policies_are_one_too_many() -> None:
    """Of two policies nobody knows which one holds."""
    with pytest.raises(PolicyError, match="two policies"):

        @public
        @signed_in
        def both() -> None: ...


def test_what_the_guard_cannot_stand_before_is_refused() -> None:
    """A route past FastAPI's dependencies, or a mounted application, would be open to all."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.router.routes.append(Route("/past", lambda request: PlainTextResponse("hello")))
    with pytest.raises(PolicyError, match="is no route of FastAPI"):
        demand_policies(app)


def test_few_routes_are_open(sqlite_rig: Rig) -> None:
    """Five, and the texts that describe the API."""
    policies = {(route.path, policy_of(route.endpoint).kind) for route in routes_of(sqlite_rig.app)}
    assert {path for path, kind in policies if kind == "public"} == {
        "/livez",
        "/readyz",
        "/metrics",
        "/sign-in",
    }
    texts = {path for path, kind in policies if kind == "static" and not path.startswith("/static/")}
    assert texts == {"/docs", "/openapi.json"}


@pytest.mark.parametrize(
    "path",
    ["/livez", "/sign-in", "/docs", "/nothing", "/api/v1/models", "/api/v1/students/S-MEI", "/metrics"],
)
def test_every_answer_carries_the_headers(sqlite_rig: Rig, path: str) -> None:
    """Errors too: nothing is loaded from elsewhere, framed, kept or sent on."""
    for caller in (sqlite_rig.nobody, sqlite_rig.by_role("T-CHEN")):
        headers = caller.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["strict-transport-security"]
        assert headers["cache-control"] == ("public, max-age=3600" if path == "/docs" else "no-store")
        assert "server" not in headers


def test_an_error_nobody_foresaw_is_a_problem_and_is_logged_without_a_pupil(
    sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with all headers; neither answer nor log name the pupil the error was about."""

    def breaks(request: object, pupil: str) -> None:
        raise KeyError(pupil)

    monkeypatch.setattr("serving.api.students._explained", breaks)
    with caplog.at_level(logging.ERROR):
        got = sqlite_rig.by_role("T-CHEN").get("/api/v1/students/S-MEI")
    assert (got.status_code, got.headers["content-type"]) == (500, "application/problem+json")
    assert got.headers["x-frame-options"] == "DENY"
    assert "KeyError of /api/v1/students/{student_id}" in caplog.text
    assert "S-MEI" not in caplog.text + got.text


HOSTILE = (
    '{"rows": [{"absence_30": NaN}]}',
    '{"rows": [{"absence_30": Infinity}]}',
    '{"rows": [{"absence_30": -Infinity}]}',
    '{"rows": [{"absence_30": 1e999}]}',
    '{"rows": [{"absence_30": ' + "9" * 5000 + "}]}",
    '{"rows": [{"\\ud800": 1}]}',
    '{"rows": "\\udfff"}',
    '{"\\ud800": []}',
    '{"rows": [' + "[" * 3000 + "]" * 3000 + "]}",
    '{"rows": []}',
    '{"rows": [{}],',
    "\x00",
    "",
    "null",
)


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_bodies_are_refused_and_not_echoed(sqlite_rig: Rig, body: str) -> None:
    """NaN, infinities, lone surrogates, deep nests: a problem, never a crash."""
    scientist = sqlite_rig.by_role("D-K")
    got = scientist.post("/api/v1/score", content=body, headers={"content-type": "application/json"})
    assert got.status_code in (400, 422)
    assert got.headers["content-type"] == "application/problem+json"
    told = json.loads(got.content)
    assert told["status"] == got.status_code
    assert "input" not in got.text


@pytest.mark.parametrize("case", [2**63, 2**64, -1, 0, "1e3", "１", "9" * 400, "%00", "é"])
def test_numbers_no_database_can_hold_are_nobodys(sqlite_rig: Rig, case: object) -> None:
    """Answered as a case that does not exist."""
    body = {"step": "review", "version": 1, "judgement": "agree"}
    got = sqlite_rig.by_role("T-CHEN").ask("PATCH", f"/api/v1/care/{case}", json=body)
    assert got.status_code == 404


def test_bodies_are_bounded(sqlite_rig: Rig) -> None:
    """30 MB are refused before they are read, whether or not their length is told, and nobody waits."""
    scientist = sqlite_rig.by_role("D-K")
    headers = {"content-type": "application/json"}
    told = scientist.post("/api/v1/score", content=b"[" * 30_000_000, headers=headers)
    assert told.status_code == 413
    seen = []

    def parts():
        for number in range(3000):
            seen.append(number)
            yield b" " * 10_000

    untold = scientist.post("/api/v1/score", content=parts(), headers=headers)
    assert untold.status_code == 413


def test_a_stranger_with_an_unreadable_body_is_told_to_sign_in(sqlite_rig: Rig) -> None:
    """Nobody learns what a body must look like before saying who they are."""
    for path in ("/api/v1/score", "/api/v1/students/S-MEI/what-if"):
        got = sqlite_rig.nobody.post(path, content=b"{", headers={"content-type": "application/json"})
        assert got.status_code == 401


def test_questions_of_one_account_are_limited(sqlite_rig: Rig) -> None:
    """Over all workers: the count lies in the database."""
    caller, clock = sqlite_rig.by_role("O-K"), sqlite_rig.clock
    clock.step = clock.step * 0
    path, question = "/api/v1/students/S-MEI/what-if", {"changes": {"absence_30": 0.05}}
    answers = [caller.post(path, json=question).status_code for _ in range(61)]
    assert answers == [200] * 60 + [429]
    assert 0 < int(caller.post(path, json=question).headers["retry-after"]) <= 60
    assert sqlite_rig.by_role("P-A").post(path, json=question).status_code == 200


def test_problems_are_said_in_both_languages() -> None:
    """Every problem has a status, a title and what to do, in English and Chinese."""
    assert set(SAID) == set(STATUS)
    for words in SAID.values():
        assert set(words) == {"en", "zh"}
        assert all(text.strip() for said in words.values() for text in said)
        assert words["zh"][1].isascii() is False


def test_docs_describe_every_route_and_load_nothing(sqlite_rig: Rig) -> None:
    """Each route has a summary, a text and its error answers; no script, style or image from elsewhere."""
    told = sqlite_rig.client.get("/openapi.json").json()
    page = sqlite_rig.client.get("/docs").text
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            assert one["summary"], path
            assert one["description"], path
            assert f"{method.upper()} {path}" in page
            if path.startswith("/api/"):
                assert {"401", "403", "422"} <= set(one["responses"]), path
                assert one["security"] == [{"token": []}, {"session": []}], path
    assert not any(mark in page for mark in ("<script", "<link", "<img", "src=", "http://", "https://"))
    examples = json.dumps(told)
    assert "absence_30" in examples
    assert "class:A:7A:2025" in examples


def test_metrics_name_routes_and_no_pupil(sqlite_rig: Rig) -> None:
    """Counts by declared route."""
    sqlite_rig.by_role("T-CHEN").get("/api/v1/students/S-MEI")
    text = sqlite_rig.client.get("/metrics").text
    assert 'route="/api/v1/students/{student_id}"' in text
    assert "S-MEI" not in text


def test_a_provider_half_configured_keeps_the_service_from_starting(sqlite_rig: Rig) -> None:
    """No placeholder secret: what is missing is named."""
    service = sqlite_rig.settings.service.model_copy(update={"oidc_issuer": "https://id.example.org"})
    with pytest.raises(MissingError, match="oidc_client_id is not"):
        demand_configured(service)


@pytest.mark.parametrize(
    ("error", "status", "after"), [(OperationalError, 503, "5"), (IntegrityError, 500, None)]
)
def test_a_database_that_cannot_answer_now_is_no_mistake_of_ours(
    sqlite_rig: Rig, monkeypatch, error, status, after
) -> None:
    """Locked, restarting or gone: asked again it answers; what we did wrong stays wrong."""

    def refused() -> None:
        raise error("SELECT", {}, Exception("database is locked"))

    monkeypatch.setattr(sqlite_rig.app.state.service.model, "served", refused)
    got = sqlite_rig.machine(None, "score").post("/api/v1/score", json={"rows": [{}]})
    assert (got.status_code, got.headers.get("retry-after")) == (status, after)
    assert "locked" not in got.text


def test_cookies_are_plain_only_where_that_is_asked_for(sqlite_rig: Rig) -> None:
    """For trying out on one machine over http, documented in docs/service.md."""
    service = sqlite_rig.settings.service.model_copy(update={"plain_http": True})
    settings = sqlite_rig.settings.model_copy(update={"service": service})
    app = create_app(sqlite_rig.home, settings, sqlite_rig.audit)
    with TestClient(app, base_url="http://127.0.0.1:8080") as client:
        got = client.get("/sign-in")
        assert got.headers["set-cookie"].startswith("form=")
        assert "Secure" not in got.headers["set-cookie"]
        assert "strict-transport-security" not in got.headers


def test_a_request_imports_no_mlflow(tmp_path) -> None:
    """MLflow takes seconds and hundreds of megabytes; the service finds its model without it."""
    script = (
        "import sys, pathlib\n"
        "from tests.service_rig import running\n"
        "import serving.app\n"
        f"with running(pathlib.Path({str(tmp_path)!r})) as rig:\n"
        "    sys.modules['mlflow'] = None\n"  # an import would fail from here on
        "    teacher = rig.by_role('T-CHEN')\n"
        "    paths = ['/readyz', '/api/v1/lists?unit=class:A:7A:2025', '/api/v1/students/S-MEI']\n"
        "    print([teacher.get(path).status_code for path in paths])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[200, 200, 200]"
