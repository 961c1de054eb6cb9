"""Who may call a route: each declares exactly one policy, or the app refuses to start.

A policy is data on the endpoint; :mod:`serving.web.guard` alone evaluates it. ::

    @router.get("/students/{student_id}")
    @sees_pupil("student_id")
    def student(student_id: StudentId, request: Request) -> Student: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal, TypeVar

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from risk_model.errors import RiskModelError

Kind = Literal[
    "public",
    "static",
    "signed_in",
    "pupil",
    "case",
    "unit",
    "glass",
    "scores",
    "administers",
    "examines_models",
]
MOST_PUBLIC = 5
"""Routes that answer strangers; static texts (style sheets, the documentation) hold nobody's data and are
counted apart."""
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class PolicyError(RiskModelError, TypeError):
    """A route has no policy, or several, or too many are public: the service does not start."""


@dataclass(frozen=True)
class Policy:
    """What a route demands of who calls it."""

    kind: Kind
    parameter: str = ""
    """Path or query parameter, of a broken glass also the form's field, that names the object."""
    scope: str | None = None
    """What a machine's token must be good for; none: people only."""
    action: str = "look"
    """What the audit calls it."""
    names: bool = True
    """Whether the answer tells of single pupils; if not, whoever sees aggregates of the unit may call."""
    per_minute: int | None = None
    """Calls by one account, over all workers; none: no limit of its own."""
    before_own_password: bool = False
    """Whether it is open to somebody who has yet to choose a password of their own."""

    @property
    def is_open(self) -> bool:
        """Whether strangers may call it."""
        return self.kind in ("public", "static")


def public(endpoint: Endpoint) -> Endpoint:
    """Strangers may call it: at most ``MOST_PUBLIC`` routes. It opens its own transactions."""
    return _declare(endpoint, Policy("public"))


def static(endpoint: Endpoint) -> Endpoint:
    """A text that is the same for everybody: style sheets, the description of the API."""
    return _declare(endpoint, Policy("static"))


def signed_in(
    endpoint: Endpoint | None = None, *, per_minute: int | None = None, before_own_password: bool = False
) -> Any:
    """People who are signed in, on what is their own."""
    policy = Policy("signed_in", per_minute=per_minute, before_own_password=before_own_password)
    return _decorator(policy, endpoint)


def sees_pupil(
    parameter: str,
    *,
    scope: str | None = "students:read",
    action: str = "look",
    per_minute: int | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Whoever may see the pupil of path parameter ``parameter``; 404 otherwise; audited before it runs."""
    return _decorator(Policy("pupil", parameter, scope, action, per_minute=per_minute))


def sees_case(
    parameter: str, *, scope: str | None = "care:write", action: str = "care", per_minute: int | None = None
) -> Callable[[Endpoint], Endpoint]:
    """Whoever may see the pupil of the care case ``parameter``; 404 otherwise; audited before it runs."""
    return _decorator(Policy("case", parameter, scope, action, per_minute=per_minute))


def breaks_glass(parameter: str, *, per_minute: int | None = None) -> Callable[[Endpoint], Endpoint]:
    """People who ask to see the pupil of path parameter or form field ``parameter`` without a post; written
    down whether or not they may."""
    return _decorator(Policy("glass", parameter, None, "break_glass", per_minute=per_minute))


def sees_unit(
    parameter: str,
    *,
    scope: str | None = "lists:read",
    action: str = "look",
    names: bool = True,
    per_minute: int | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Whoever may see the unit of path or query parameter ``parameter``; 404 otherwise; audited."""
    return _decorator(Policy("unit", parameter, scope, action, names, per_minute))


def scores(endpoint: Endpoint | None = None, *, per_minute: int | None = None) -> Any:
    """Machines with the scope ``score``, and data scientists: feature values without a pupil's name."""
    return _decorator(Policy("scores", scope="score", action="score", per_minute=per_minute), endpoint)


def administers(endpoint: Endpoint | None = None, *, action: str = "account") -> Any:
    """Administrators: accounts, and no pupils."""
    return _decorator(Policy("administers", action=action), endpoint)


def examines_models(endpoint: Endpoint | None = None, *, action: str = "look") -> Any:
    """Data scientists, administrators, and machines with ``monitoring:read``."""
    return _decorator(Policy("examines_models", scope="monitoring:read", action=action), endpoint)


def policy_of(endpoint: Callable[..., Any] | None) -> Policy | None:
    """The policy declared on ``endpoint``."""
    return getattr(endpoint, "__policy__", None)


def demand_policies(app: FastAPI) -> None:
    """Raise PolicyError unless every route declares one policy, and at most ``MOST_PUBLIC`` are public."""
    routes = list(routes_of(app))
    bare = [route.path for route in routes if policy_of(route.endpoint) is None]
    if bare:
        raise PolicyError(
            f"No policy is declared for {', '.join(bare)}. Put one of serving/web/policy.py on the endpoint."
        )
    open_to_all = [route.path for route in routes if policy_of(route.endpoint).kind == "public"]
    if len(open_to_all) > MOST_PUBLIC:
        raise PolicyError(
            f"{len(open_to_all)} routes are public ({', '.join(open_to_all)}), at most {MOST_PUBLIC} may be. "
            "Demand a sign-in, or join two."
        )
    for route in routes:
        _demand_parameter(route)


def routes_of(app: FastAPI) -> Iterator[RouteContext]:
    """All routes with their whole paths; what the guard could not stand before is refused."""
    for route in iter_route_contexts(app.routes):
        if not isinstance(route.original_route, APIRoute):
            raise PolicyError(
                f"{route.path or route.original_route!r} is no route of FastAPI, so the guard cannot stand "
                "before it. Serve it by a function on an APIRouter, with a policy."
            )
        yield route


def _demand_parameter(route: RouteContext) -> None:
    policy = policy_of(route.endpoint)
    if policy.kind not in ("pupil", "case", "glass"):
        return
    in_path = f"{{{policy.parameter}}}" in route.path.replace(":path}", "}")
    in_form = policy.kind == "glass" and policy.parameter in signature(route.endpoint).parameters
    if not in_path and not in_form:
        raise PolicyError(f"{route.path} has no parameter {policy.parameter!r}, which its policy asks about.")


def _decorator(policy: Policy, endpoint: Any = None) -> Any:
    if endpoint is not None:
        return _declare(endpoint, policy)
    return lambda later: _declare(later, policy)


def _declare(endpoint: Endpoint, policy: Policy) -> Endpoint:
    if policy_of(endpoint) is not None:
        raise PolicyError(f"{endpoint.__name__} declares two policies. Leave the one that is meant.")
    endpoint.__policy__ = policy  # type: ignore[attr-defined]
    return endpoint
