"""``POST /api/v1/score``: rows of feature values, scored and explained by the champion in memory."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from risk_model.explanation.reasons import reasons
from risk_model.features.declared import BY_NAME
from risk_model.model.bundle import Bundle
from serving.api import API
from serving.api.answering import errors, reply
from serving.api.documents import ScoreAnswer
from serving.web.policy import scores
from serving.web.problems import ProblemError
from serving.web.service import service_of
from serving.web.shapes import FeatureName, Value

router = APIRouter(prefix=API, tags=["score"])
MOST_ROWS = 1000
MOST_FEATURES = 300
CALLS_PER_MINUTE = 3000

FeatureRow = Annotated[dict[FeatureName, Value | None], Field(max_length=MOST_FEATURES)]


class ScoreQuestion(BaseModel):
    """Rows without a pupil's name or identifier; null or left out is "not known", and no zero."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"rows": [{"absence_30": 0.25, "travel_km": None}]}]},
    )

    rows: Annotated[list[FeatureRow], Field(min_length=1, max_length=MOST_ROWS)]


@scores(per_minute=CALLS_PER_MINUTE)
def score_rows(request: Request, question: ScoreQuestion) -> Response:
    """Risk, contributions and reasons of each row. Values of a class are not known here, so none are told."""
    service, state = service_of(request), request.state
    served = service.model.served()
    bundle = served.bundle
    values = _matrix(bundle, question.rows)
    told = bundle.explain(values, threads=1)
    rules = service.settings.list.model_copy(update={"language": state.language})
    known = [place for place, name in enumerate(bundle.features) if name in BY_NAME]
    said = reasons(
        [BY_NAME[bundle.features[place]] for place in known],
        values[:, known],
        np.full((len(values), len(known)), np.nan),
        told.contributions[:, known],
        rules,
    )
    rows = [
        {
            "risk": float(risk),
            "contributions": dict(zip(bundle.features, parts.tolist(), strict=True)),
            "reasons": [reason.as_document() for reason in of_row],
        }
        for risk, parts, of_row in zip(told.risk, told.contributions, said, strict=True)
    ]
    return reply(request, {"model_version": served.champion.version, "base": told.base, "rows": rows})


def _matrix(bundle: Bundle, rows: list[dict[str, Any]]) -> np.ndarray:
    """Values (n, k) in the order of the bundle, NaN = not known; a feature the model lacks is a mistake."""
    places = {name: place for place, name in enumerate(bundle.features)}
    values = np.full((len(rows), len(places)), np.nan)
    for number, row in enumerate(rows):
        unknown = sorted(set(row) - set(places))
        if unknown:
            said = f"The model has no feature {unknown[0]}"
            raise ProblemError("invalid", errors=[{"in": f"body/rows/{number}", "message": said}])
        for name, value in row.items():
            if value is not None:
                values[number, places[name]] = value
    return values


router.post(
    "/score",
    summary="Score rows of feature values",
    responses={200: {"model": ScoreAnswer}} | errors(score_rows),
)(score_rows)
