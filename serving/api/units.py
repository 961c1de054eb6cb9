"""``GET /api/v1/units/{id}/summary``: counts and means of a unit without names, small cells suppressed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from serving.api import API
from serving.api.answering import errors, reply
from serving.api.documents import UnitSummary
from serving.unit_counts import Tables, tables_of
from serving.units import parse_unit
from serving.web.policy import sees_unit
from serving.web.problems import not_found
from serving.web.service import service_of
from serving.web.shapes import UNIT_LENGTH

router = APIRouter(prefix=API, tags=["units"])


@sees_unit("unit", names=False)
def read_summary(
    request: Request,
    unit: Annotated[str, Path(max_length=UNIT_LENGTH, examples=["county:520121"])],
) -> Response:
    """Pupils by band of risk, indicator rates and mean shares. Null where a small cell could be told.

    Counts of a class are never given: its staff see its list, and of forty pupils every cell is small. Of
    whom something is not known counts among the others of an indicator, and not at all in a mean.
    """
    least = service_of(request).settings.service.smallest_cell
    tables = tables_of(service_of(request).engine, least)
    asked = str(parse_unit(unit))
    if asked not in tables.as_of:
        raise not_found()
    bands = tables.row("bands", asked)
    return reply(
        request,
        {
            "unit": asked,
            "as_of": tables.as_of[asked].isoformat(),
            "pupils": tables.pupils[asked],
            "bands": [{"name": name, "pupils": count} for name, count in bands.items()],
            "indicators": [indicator(tables, name, asked) for name in tables.columns if name != "bands"],
            "shares": shares(tables, asked),
            "smallest_cell": least,
        },
    )


def indicator(tables: Tables, table: str, unit: str) -> dict[str, Any]:
    """How many, of how many, and their share; null where it is suppressed."""
    row = list(tables.row(table, unit).values())
    if row[0] is None or row[1] is None:
        return {"name": table, "pupils": None, "of": None, "rate": None}
    return {"name": table, "pupils": row[0], "of": row[0] + row[1], "rate": row[0] / (row[0] + row[1])}


def shares(tables: Tables, unit: str) -> list[dict[str, Any]]:
    """Attendance, failed and missed exams: means over the pupils of whom it is known."""
    others = [name for name in tables.means if name != "absence"]
    return [
        {"name": "attendance", "share": tables.attendance(unit)},
        *({"name": name, "share": tables.means[name].of(unit)} for name in others),
    ]


router.get(
    "/units/{unit}/summary",
    summary="Counts of a unit, without names",
    responses={200: {"model": UnitSummary}} | errors(read_summary),
)(read_summary)
