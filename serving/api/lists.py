"""``GET /api/v1/lists``: the published list of a unit, part by part."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from risk_model.errors import UsageError
from serving.access.deciding import Sight
from serving.api import API
from serving.api.answering import errors, reply
from serving.api.cursors import MOST, Cursor, read_cursor, write_cursor
from serving.api.documents import ListPage
from serving.lists import Asked, Page
from serving.units import parse_unit
from serving.web.policy import sees_unit
from serving.web.problems import ProblemError, not_found
from serving.web.service import service_of
from serving.web.shapes import UNIT_LENGTH

router = APIRouter(prefix=API, tags=["lists"])
Order = Literal["rank", "class", "grade", "student"]


@sees_unit("unit")
def read_list(
    request: Request,
    unit: Annotated[str, Query(max_length=UNIT_LENGTH, examples=["school:5201210054", "class:A:7A:2025"])],
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many rows.")] = 50,
    cursor: Annotated[str | None, Query(max_length=MOST, description="Of the part before.")] = None,
    sort: Annotated[Order, Query(description="Equals are ordered by rank.")] = "rank",
    everybody: Annotated[bool, Query(alias="all", description="Those not listed, too.")] = False,
) -> Response:
    """Open cases first, then by rank, each with its reasons.

    A part that is followed by another has `next_cursor`. If a newer list was published in between, 409
    says so; start again without a cursor.
    """
    state = request.state
    after = None
    if cursor is not None:
        sent = read_cursor(cursor, state.secret)
        if sent is None or (sent.unit, sent.order, sent.everybody) != (unit, sort, everybody):
            raise ProblemError("invalid", errors=[{"in": "query/cursor", "message": "Of another list"}])
        after = sent
    page = _page(request, unit, sort, everybody, limit, after)
    following = None
    if page.following is not None:
        following = write_cursor(Cursor(page.run, unit, sort, everybody, page.following), state.secret)
    return reply(request, {**_about(page), "students": page.rows, "next_cursor": following})


def _page(request: Request, unit: str, order: str, everybody: bool, most: int, after: Cursor | None) -> Page:
    state = request.state
    asked = Asked(
        everybody=everybody,
        language=state.language,
        among=Sight(state.viewer, state.at),
        order=order,
        after=None if after is None else after.after,
        most=most,
    )
    try:
        page = service_of(request).lists.page(state.connection, parse_unit(unit), asked)
    except UsageError:
        raise (not_found() if after is None else ProblemError("moved_on")) from None
    if after is not None and page.run != after.run:
        raise ProblemError("moved_on")
    return page


def _about(page: Page) -> dict[str, object]:
    return {
        "unit": str(page.unit),
        "title": page.title,
        "as_of": page.as_of.isoformat(),
        "model_version": page.model_version,
        "stale": page.stale,
        "capacity": page.capacity,
        "expected_precision": page.expected_precision,
        "listed": page.listed,
        "open_cases": page.open_cases,
        "older": [
            {"school_id": school.school_id, "as_of": school.as_of.isoformat(), "reason": school.reason}
            for school in page.older
        ],
    }


router.get(
    "/lists",
    summary="The published list of a unit",
    responses={200: {"model": ListPage}, 409: {"description": "A newer list was published"}}
    | errors(read_list),
)(read_list)
