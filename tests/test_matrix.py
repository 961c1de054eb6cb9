"""Every route × method × who asks × whose object: nobody is shown a pupil that is not theirs.

The cells are made from the app's own routes, so a new route is in them the day it is written. One rule
holds in all: for whoever may not see an object the answer is, byte for byte, the one for an object that
does not exist, and tells of nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import delete

from serving.access.deciding import visible
from serving.pages.rendering import style_version
from serving.web import guard
from serving.web.policy import Policy, policy_of, routes_of
from serving.web.tables import CallCount
from tests import cast
from tests.service_rig import CARED_FOR, Rig, each_rig, rig_on_sqlite  # noqa: F401

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS")
ROLES = ("anonymous", "T-CHEN", "T-OLD", "P-A", "O-T1", "O-K", "keeper")
"""Nobody, a teacher, one until yesterday, a principal, officers of township and county, an administrator."""
UNIT_ROLES = {"T-CHEN": {cast.A7A}, "P-A": {cast.A7A, cast.A7B}, "O-T1": {cast.A7A, cast.A7B}}
UNIT_ROLES["O-K"] = {cast.A7A, cast.A7B, cast.B8A}
OBJECTS = {
    "own": ("S-MEI", cast.A7A),
    "sibling class": ("S-HAO", cast.A7B),
    "sibling school": ("S-LAN", cast.B8A),
    "sibling county": ("S-YING", cast.C7A),
    "absent": ("S-NOBODY", "class:A:9Z:2025"),
    "malformed": ("a\x00'\"é", "clazz:\x00"),
}
"""A pupil and a class; each pupil that exists has a care case."""
VARIANTS = ({"accept": "application/json"}, {"accept": "text/html", "accept-language": "zh-CN"})
ENDS_SESSION = ("/sign-out", "/password", "/language", "/sign-in")
"""Sent without their form's token, or the cells after them would be those of strangers."""
BODIES: dict[str, Any] = {
    "/api/v1/students/{student_id}/what-if": {"changes": {"absence_30": 0.05}},
    "/api/v1/students/{student_id}/care": {"assigned_to": "T-CHEN"},
    "/api/v1/students/{student_id}/break-glass": {"why": "short"},
    "/api/v1/care/{case}": {"step": "plan", "version": 10**6, "family": "attendance", "text": "talk"},
    "/api/v1/score": {"rows": [{"absence_30": 0.1}]},
}
"""What changes nothing: a reason too short, a version that never was, a case that is open already."""
FORMS = {"/break-glass": "student_id"}
"""Forms that name their object in a field, and the field; the reason is too short to break a glass."""


@dataclass(frozen=True)
class Cell:
    method: str
    path: str
    who: str
    what: str
    variant: int


def cells(rig: Rig, methods: tuple[str, ...] = METHODS, variants: int = len(VARIANTS)) -> Iterator[Cell]:
    paths = sorted({route.path for route in routes_of(rig.app)})
    for path, method, who, what, variant in product(paths, methods, ROLES, OBJECTS, range(variants)):
        yield Cell(method, path, who, what, variant)


def address(rig: Rig, cell: Cell) -> str:
    pupil, unit = OBJECTS[cell.what]
    case = {"absent": "987654", "malformed": "9e9"}.get(cell.what) or str(rig.cases[pupil])
    filled = cell.path
    rest = (("layout", "csv"), ("version", style_version()), ("kind", "plan"))
    for name, value in (("student_id", pupil), ("unit", unit), ("case", case), *rest):
        filled = filled.replace("{" + name + "}", quote(value, safe=":"))
    return filled + (f"?unit={quote(unit, safe='')}" if cell.path.endswith("/lists") else "")


def asked(rig: Rig, cell: Cell) -> Any:
    headers = dict(VARIANTS[cell.variant])
    if cell.path in ENDS_SESSION:
        headers["x-csrf"] = ""
    body = BODIES.get(cell.path) if cell.method in ("POST", "PATCH", "PUT") else None
    more = {} if body is None else {"json": body}
    if cell.path in FORMS and cell.method == "POST":
        more = {"data": {FORMS[cell.path]: OBJECTS[cell.what][0], "why": "short"}}
    return rig.by_role(cell.who).ask(cell.method, address(rig, cell), headers=headers, **more)


def said(response: Any) -> tuple[Any, ...]:
    """All of an answer that could tell anything; a way to sign in names the place that was asked for."""
    headers = {name: value for name, value in response.headers.items() if name not in ("date", "location")}
    return response.status_code, response.content, headers


def may_see(cell: Cell) -> bool:
    pupil, unit = OBJECTS[cell.what]
    if "{student_id}" in cell.path or "{case}" in cell.path or cell.path in FORMS:
        return cast.CLASS_OF.get(pupil) in UNIT_ROLES.get(cell.who, ())
    return unit in UNIT_ROLES.get(cell.who, ())


def has_object(path: str) -> bool:
    return (
        path in FORMS
        or path.endswith("/lists")
        or any(name in path for name in ("{student_id}", "{unit}", "{case}"))
    )


def faults(rig: Rig, some: Iterator[Cell]) -> Iterator[str]:
    """What is wrong, cell by cell; the answer for the absent object is asked once for each kind of cell."""
    absent: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for cell in some:
        forget_calls(rig, cell)
        response = asked(rig, cell)
        if response.status_code >= 500:
            yield f"{cell}: {response.status_code}"
        if has_object(cell.path) and may_see(cell):
            if response.status_code in (401, 403, 404) and cell.method in allowed(rig, cell.path):
                yield f"{cell}: refused with {response.status_code}"
            continue
        yield from (f"{cell}: tells of {pupil}" for pupil in told(response, cell))
        if not has_object(cell.path):
            continue
        key = (cell.method, cell.path, cell.who, cell.variant)
        if key not in absent:
            absent[key] = said(asked(rig, Cell(cell.method, cell.path, cell.who, "absent", cell.variant)))
        if said(response) != absent[key]:
            yield f"{cell}: {response.status_code} differs from absent {absent[key][0]}"


def forget_calls(rig: Rig, cell: Cell) -> None:
    """Limits are tested elsewhere; here they would answer for what the guard should."""
    if cell.path in BODIES or cell.path in FORMS:
        with rig.app.state.service.engine.begin() as connection:
            connection.execute(delete(CallCount))


def told(response: Any, cell: Cell) -> list[str]:
    """Pupils the answer names who are not the caller's, by identifier, name, or made-up classmate."""
    text = response.text
    if response.headers.get("content-type", "").startswith("application/json") and text:
        text = json.dumps(json.loads(text), ensure_ascii=False)
    foreign = [pupil for pupil, unit in cast.CLASS_OF.items() if unit not in UNIT_ROLES.get(cell.who, ())]
    if {cast.A7B, cast.B8A} & UNIT_ROLES.get(cell.who, set()):
        foreign = [pupil for pupil in foreign if pupil != "S-KAI"]  # he is in both classes
    classes = {cast.A7A: "X-A7A", cast.A7B: "X-A7B", cast.B8A: "X-B8A", cast.C7A: "X-C7A"}
    marks = [mark for unit, mark in classes.items() if unit not in UNIT_ROLES.get(cell.who, ())]
    marks += [name for pupil in foreign for name in (pupil, cast.NAMES[pupil])]
    return [mark for mark in marks if mark in text and mark not in address_of(cell)]


def address_of(cell: Cell) -> str:
    """What was asked for, which a way to sign in may name."""
    return " ".join(OBJECTS[cell.what])


def allowed(rig: Rig, path: str) -> set[str]:
    return {method for route in routes_of(rig.app) if route.path == path for method in route.methods or ()}


@pytest.mark.slow
def test_no_cell_shows_a_foreign_pupil(sqlite_rig: Rig) -> None:
    """At least 10,000 cells on SQLite: 0 leaks, 0 errors, and whoever may see is let in."""
    all_cells = list(cells(sqlite_rig, variants=1)) + [
        cell for cell in cells(sqlite_rig) if cell.variant and cell.method in allowed(sqlite_rig, cell.path)
    ]
    assert len(all_cells) >= 10_000
    assert list(faults(sqlite_rig, iter(all_cells))) == []


@pytest.mark.slow
def test_no_cell_of_a_declared_method_shows_a_foreign_pupil_on_either_database(rig: Rig) -> None:
    """The methods routes have, on SQLite and on PostgreSQL behind row-level security."""
    some = (cell for cell in cells(rig, variants=1) if cell.method in allowed(rig, cell.path))
    assert list(faults(rig, some)) == []


def test_the_cast_sees_what_the_matrix_expects(sqlite_rig: Rig) -> None:
    """The oracle is the access function's own answer over the cast, and not all are refused."""
    with sqlite_rig.app.state.service.engine.connect() as connection:
        for who in ROLES[1:]:
            seen = set(connection.execute(visible(cast.viewer(connection, who), cast.NOW)).scalars())
            expected = {pupil for pupil, unit in cast.CLASS_OF.items() if unit in UNIT_ROLES.get(who, ())}
            assert {pupil for pupil in seen if pupil in CARED_FOR} == expected & set(CARED_FOR), who


def small(rig: Rig, only: frozenset[str] | None = None) -> list[str]:
    """The faults of the cells that would show a deleted guard; of some routes, if only those count."""
    whose = ("own", "sibling class", "sibling county")
    some = (
        cell
        for cell in cells(rig, ("GET", "POST", "PATCH"), 1)
        if cell.what in whose
        and (only is None or cell.path in only)
        and cell.method in allowed(rig, cell.path)
    )
    found = list(faults(rig, some)) + strangers(rig, only) + wrong_people(rig) + forged(rig, only)
    return found + unrecorded(rig, only)


def unrecorded(rig: Rig, only: frozenset[str] | None = None) -> list[str]:
    """Routes about a pupil, case or unit that let its teacher in and write nothing down."""
    found = []
    for route in routes_of(rig.app):
        if not has_object(route.path) or (only is not None and route.path not in only):
            continue
        for method in route.methods or ():
            cell, before = Cell(method, route.path, "T-CHEN", "own", 0), len(rig.audit.entries)
            forget_calls(rig, cell)
            asked(rig, cell)
            form = route.path in FORMS and method == "GET"  # the empty form is about nobody
            if not form and not any(one.student_id or one.unit for one in rig.audit.entries[before:]):
                found.append(f"{method} {route.path} writes nothing down")
    return found


def strangers(rig: Rig, only: frozenset[str] | None = None) -> list[str]:
    """Routes that answer somebody who is not signed in, although their policy does not say so."""
    closed = [
        one
        for one in routes_of(rig.app)
        if one.path not in OPEN_ROUTES and (only is None or one.path in only)
    ]
    found = []
    for route in closed:
        for method in route.methods or ():
            status = asked(rig, Cell(method, route.path, "anonymous", "own", 0)).status_code
            if status not in (401, 303):
                found.append(f"{method} {route.path} answers a stranger with {status}")
    return found


OPEN_ROUTES = {
    "/livez", "/readyz", "/metrics", "/sign-in", "/docs", "/openapi.json",
    "/static/style.{version}.css", "/static/icon.svg",
}  # fmt: skip


def unchosen(rig: Rig) -> list[str]:
    """Routes that let in the teacher of A 7B, who has yet to choose a password of his own."""
    found = []
    for route in routes_of(rig.app):
        if route.path in OPEN_ROUTES | BEFORE_OWN_PASSWORD:
            continue
        for method, variant in product(route.methods or (), range(len(VARIANTS))):
            got = asked(rig, Cell(method, route.path, "T-ZHAO", "sibling class", variant))
            led = got.status_code == 303 and got.headers["location"] == "/password"
            told = got.status_code == 403 and '"change_password"' in got.text
            if not (led or told):
                found.append(f"{method} {route.path} lets in before a password was chosen")
    return found


BEFORE_OWN_PASSWORD = {"/password", "/sign-out", "/language"}


def test_a_first_password_opens_no_route_but_the_choice_of_another(sqlite_rig: Rig) -> None:
    """Whatever route is added says the same to whoever signed in by a password of the office's making."""
    assert unchosen(sqlite_rig) == []
    policies = {route.path: policy_of(route.endpoint) for route in routes_of(sqlite_rig.app)}
    assert {path for path, policy in policies.items() if policy.before_own_password} == BEFORE_OWN_PASSWORD


def wrong_people(rig: Rig) -> list[str]:
    """A teacher at the data scientist's, a data scientist at the lists, a token without its scope."""
    scientist, machine = (
        rig.by_role("D-K"),
        rig.callers.setdefault("m", rig.machine("school:A", "lists:read")),
    )
    pupil = "/api/v1/students/S-MEI"
    asked_for = {
        "teacher models": rig.by_role("T-CHEN").get("/api/v1/models"),
        "teacher score": rig.by_role("T-CHEN").post("/api/v1/score", json={"rows": [{}]}),
        "scientist list": scientist.get(f"/api/v1/lists?unit={quote(cast.A7A)}"),
        "scientist pupil": scientist.get(pupil),
        "token pupil": machine.get(pupil),
        "token care": machine.post(f"{pupil}/care", json={"assigned_to": "T-CHEN"}),
        "token score": machine.post("/api/v1/score", json={"rows": [{}]}),
        "token models": machine.get("/api/v1/models"),
        "token foreign list": machine.get(f"/api/v1/lists?unit={quote(cast.B8A)}"),
        "token glass": machine.post(f"{pupil}/break-glass", json={"why": "a long enough reason"}),
        "token password": machine.get("/password"),
    }
    found = [
        f"{who}: {got.status_code}" for who, got in asked_for.items() if got.status_code not in (403, 404)
    ]
    return found + not_administrators(rig)


def not_administrators(rig: Rig) -> list[str]:
    """Accounts and tokens, asked for by a teacher, a data scientist and a token: refused unseen."""
    asked_for = (("GET", "/accounts"), ("POST", "/accounts/987654/seal"), ("POST", "/tokens/987654/revoke"))
    machine = rig.callers.setdefault("m", rig.machine("school:A", "lists:read"))
    return [
        f"{method} {path} answers who is no administrator with {got.status_code}"
        for caller, (method, path) in product((rig.by_role("T-CHEN"), rig.by_role("D-K"), machine), asked_for)
        if (got := caller.ask(method, path)).status_code != 403
    ]


def forged(rig: Rig, only: frozenset[str] | None = None) -> list[str]:
    """Unsafe routes that take a form which was not sent from their own page."""
    teacher = rig.by_role("T-CHEN")
    tricks = ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"x-csrf": "0" * 64})
    found = []
    routes = [route for route in routes_of(rig.app) if only is None or route.path in only]
    for route, trick in product(routes, tricks):
        for method in (route.methods or set()) - {"GET", "HEAD"}:
            path = address(rig, Cell(method, route.path, "T-CHEN", "own", 0))
            body = BODIES.get(route.path)
            more = (
                {"json": body}
                if body
                else {"data": {"login": "x", "password": "y", "new": "z", "language": "en"}}
            )
            got = teacher.ask(method, path, headers=trick, **more)
            if got.status_code != 403:
                found.append(f"{method} {route.path} takes a forged form: {got.status_code}")
    return found


def test_all_guards_are_there(sqlite_rig: Rig) -> None:
    """What the mutations below start from: nothing is wrong."""
    assert small(sqlite_rig) == []


def lets_all_in(*_: Any) -> guard.Passed:
    return guard.Passed(guard.AccessReason("county", "county:K"), "S-HAO", cast.A7B)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pupil", "case", "unit", "scores", "administers", "examines_models"])
def test_a_deleted_check_is_seen(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Each check of the guard, taken out, makes cells red."""
    monkeypatch.setitem(guard.CHECKS, kind, lets_all_in)
    of_kind = [route.path for route in routes_of(sqlite_rig.app) if policy_of(route.endpoint).kind == kind]
    assert small(sqlite_rig, frozenset(of_kind[:3])) != []


@pytest.mark.slow
@pytest.mark.parametrize("part", ["_demand_known", "demand_own_page", "demand_own_password"])
def test_a_deleted_part_of_the_guard_is_seen(
    sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Without the demand for a sign-in, a form of our own or a password of one's own, cells turn red."""
    monkeypatch.setattr(guard, part, lambda *_: None)
    assert strangers(sqlite_rig) + forged(sqlite_rig) + unchosen(sqlite_rig) != []


@pytest.mark.slow
def test_a_route_with_a_weaker_policy_is_seen(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each closed route in turn is opened to whoever is signed in, or to all: each time cells turn red."""
    routes = [route for route in routes_of(sqlite_rig.app) if not policy_of(route.endpoint).is_open]
    unseen = []
    for route in routes:
        own = policy_of(route.endpoint).kind in ("signed_in", "glass")
        kinds = ("static",) if own else ("signed_in", "static")
        for kind in kinds:
            with monkeypatch.context() as patched:
                patched.setattr(route.endpoint, "__policy__", Policy(kind))
                if not small(sqlite_rig, frozenset({route.path})):
                    unseen.append((route.path, kind))
    assert unseen == []
