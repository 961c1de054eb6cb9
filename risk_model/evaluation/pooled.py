"""The measures over several snapshots together, with intervals."""

from __future__ import annotations

from typing import Any

from risk_model.evaluation.judged import Judged
from risk_model.evaluation.metrics import Measures, document
from risk_model.evaluation.resampling import interval, resamples


def pooled(judged: Judged, *, samples: int = 400, seed: int = 0) -> dict[str, Any]:
    """The measures of :func:`risk_model.evaluation.metrics.metrics` over the rows of all snapshots.

    Lists are cut in each snapshot and then added up: precision at 1 % is the share of leavers among all
    who stood on any snapshot's 1 % list. Everything else is over the concatenated rows.

    Returns
    -------
    dict
        The same keys, and ``intervals`` with the same measures as ``[lower, upper]`` of a bootstrap over
        schools (95 %, percentiles; None where undefined), and ``snapshots``, ``schools``: how many.
    """
    measures = Measures(judged)
    drawn = [measures.resampled(times) for times in resamples(judged.schools, samples, seed)]
    measured = measures.at_once()
    judged_by = {key: value for key, value in measured.items() if not isinstance(value, int)}
    return document(measured) | {
        "snapshots": len(set(judged.snapshots.tolist())),
        "schools": len(set(judged.schools.tolist())),
        "intervals": _intervals(judged_by, drawn),
    }


def _intervals(measured: dict[str, Any], drawn: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in measured.items():
        draws = [draw[key] for draw in drawn]
        found[key] = _intervals(value, draws) if isinstance(value, dict) else _pair(draws)
    return found


def _pair(draws: list[float]) -> list[float] | None:
    bounds = interval(draws)
    return None if bounds is None else list(bounds)
