"""``GET /api/v1/models`` and ``GET /api/v1/monitoring``: for those who answer for the model."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from risk_model.errors import RiskModelError
from risk_model.promotions import CHALLENGER, CHAMPION, PREVIOUS, Promotion
from risk_model.roles import Roles
from serving.api import API
from serving.api.answering import errors, reply
from serving.api.documents import Monitoring, Versions
from serving.web.policy import examines_models
from serving.web.problems import ProblemError
from serving.web.service import service_of

router = APIRouter(prefix=API, tags=["models"])


@examines_models
def read_models(request: Request) -> Response:
    """Who is champion, challenger and previous, every promotion with who and why, and what serves now."""
    service = service_of(request)
    roles = Roles(service.home)
    holders = roles.holders()
    return reply(
        request,
        {
            **{role: _told(holders.get(role)) for role in (CHAMPION, CHALLENGER, PREVIOUS)},
            "promotions": [_told(one) for one in reversed(roles.history())],
            "serving": _serving(request),
        },
    )


@examines_models
def read_monitoring(request: Request) -> Response:
    """The latest document of `dropout-risk monitor`: its decision, alerts and figures; no pupil is in it."""
    file = service_of(request).home.data / "monitoring" / "latest.json"
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        said = "No report was made yet. Run 'dropout-risk monitor' first."
        raise ProblemError("not_found", detail=said) from None
    return reply(request, document)


def _told(promotion: Promotion | None) -> dict[str, Any] | None:
    if promotion is None:
        return None
    return {
        "version": promotion.version,
        "digest": promotion.digest,
        "who": promotion.who,
        "when": promotion.promoted_at.isoformat(),
        "why": promotion.why,
        "from_version": promotion.from_version,
    }


def _serving(request: Request) -> dict[str, Any] | None:
    """The model in this process's memory: the champion, or the one before if the champion cannot be read."""
    try:
        served = service_of(request).model.served()
    except RiskModelError:
        return None
    manifest = served.bundle.manifest
    return {
        "version": served.champion.version,
        "digest": served.bundle.digest,
        "as_of": manifest.as_of.isoformat(),
        "horizon_days": manifest.horizon_days,
        "features": list(served.bundle.features),
    }


router.get(
    "/models", summary="The registry of models", responses={200: {"model": Versions}} | errors(read_models)
)(read_models)
router.get(
    "/monitoring",
    summary="The latest monitoring report",
    responses={200: {"model": Monitoring}, 404: {"description": "No report yet"}} | errors(read_monitoring),
)(read_monitoring)
