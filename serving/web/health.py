"""``/livez``, ``/readyz`` and ``/metrics``: for those who run the service; nothing of anybody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError

from risk_model.errors import RiskModelError
from serving.web.metering import figures
from serving.web.policy import public
from serving.web.problems import ProblemError
from serving.web.service import service_of

router = APIRouter(tags=["health"])


@router.get("/livez", summary="The process answers")
@public
def livez() -> Response:
    """200 as long as the process lives."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz", summary="Database and model answer", responses={503: {"description": "Not ready"}})
@public
def readyz(request: Request) -> Response:
    """200 once the database answers and the model scores its golden rows as on the day it was made."""
    service = service_of(request)
    try:
        with service.engine.connect() as connection:
            connection.exec_driver_sql("select 1").scalar_one()
        gap = service.model.canary()
    except (RiskModelError, DBAPIError) as error:
        detail = str(error) if isinstance(error, RiskModelError) else None
        raise ProblemError("not_ready", detail=detail, headers={"Retry-After": "10"}) from None
    version = service.model.served().champion.version
    return JSONResponse({"status": "ready", "model_version": version, "canary_gap": gap})


@router.get("/metrics", summary="Counts for Prometheus")
@public
def metrics() -> Response:
    """Requests by declared route, method and status, and how long they took."""
    return Response(figures(), media_type="text/plain; version=0.0.4; charset=utf-8")
