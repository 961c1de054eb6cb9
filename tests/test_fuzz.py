"""Requests drawn from the API's own description, as each role: no error, no answer that is not described."""

from __future__ import annotations

import random
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from serving.web.tables import CallCount
from tests import cast
from tests.service_rig import ORIGIN, Caller, Rig, rig_on_sqlite  # noqa: F401

ROLES = ("anonymous", "T-CHEN", "P-A", "O-K", "D-K", "keeper", "machine")
CASES = 500
SOAK = 20_000
REAL = {
    "student_id": [*cast.CLASS_OF, "S-NOBODY"],
    "unit": [cast.A7A, cast.A7B, cast.B8A, "school:A", "school:C", "township:T1", "county:K", "province:P"],
    "case": [1, 2, 3, 4, 99],
}
"""Identifiers half of the requests name, so that they come further than the guard."""


def caller(rig: Rig, role: str) -> Caller:
    if role == "machine":
        return rig.callers.setdefault(role, rig.machine("county:K"))
    return rig.by_role(role)


def operations(rig: Rig) -> list[Any]:
    schema = schemathesis.openapi.from_asgi("/openapi.json", rig.app)
    return [found.ok() for found in schema.get_all_operations()]


def named(case: Any, dice: random.Random) -> None:
    """Real identifiers in half of the requests."""
    for place in (case.path_parameters, case.query):
        for name, known in REAL.items():
            if place and name in place and dice.random() < 0.5:
                place[name] = dice.choice(known)


def fuzz(rig: Rig, role: str, cases: int) -> dict[int, int]:
    """Send so many requests as ``role``; how many answers of each status."""
    seen: dict[int, int] = {}
    every = operations(rig)
    for operation in every:
        modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
        drawn = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])

        @given(case=drawn, seed=st.integers(0, 2**32))
        @settings(
            max_examples=max(cases // len(every), 1),
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def one(case: Any, seed: int) -> None:
            named(case, random.Random(seed))
            with rig.app.state.service.engine.begin() as connection:
                connection.execute(delete(CallCount))  # limits are tested elsewhere
            rig.client.cookies.clear()
            rig.clock.at = cast.NOW
            response = case.call(session=rig.client, headers=caller(rig, role).headers(), base_url=ORIGIN)
            seen[response.status_code] = seen.get(response.status_code, 0) + 1
            assert response.status_code < 500, case.as_curl_command()
            known = {int(status) for status in case.operation.definition.raw["responses"]}
            assert response.status_code in {*known, 400, 404, 405, 413, 429}, case.as_curl_command()

        one()
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_no_drawn_request_breaks_the_service(sqlite_rig: Rig, role: str) -> None:
    """500 requests a role, valid and invalid, with real identifiers: 0 errors of the server."""
    seen = fuzz(sqlite_rig, role, CASES)
    assert sum(seen.values()) >= CASES * 0.8
    assert set(seen) - {401, 404, 422} or role == "anonymous"


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("role", ROLES)
def test_no_drawn_request_of_many_breaks_the_service(sqlite_rig: Rig, role: str) -> None:
    """20,000 requests a role."""
    assert sum(fuzz(sqlite_rig, role, SOAK).values()) >= SOAK * 0.8
