"""A question about one pupil: what would the model say, were some of the values otherwise?

``explain --what-if`` asks here, and so will the route ``what-if`` of the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from risk_model.errors import MissingError, UsageError
from risk_model.explanation.reasons import reasons
from risk_model.explanation.telling import said, summed
from risk_model.explanation.whatif import NO_PROMISE, Answer, what_if
from risk_model.features.declared import BY_NAME
from risk_model.home import Home
from risk_model.model.bundle import Bundle
from risk_model.settings import ListSettings
from serving.changes import Part, bundle_of


def answer_what_if(
    home: Home, rules: ListSettings, score: Any, parts: Mapping[str, Part], asked: Mapping[str, float]
) -> dict[str, Any]:
    """Risk now and then and which reasons moved, by the model the pupil was scored with.

    ``parts`` are the pupil's values of that run, ``asked`` the values to put in their place.

    Raises
    ------
    UsageError
        The pupil has no score, or the question cannot be asked (:func:`what_if`).
    MissingError
        The model of that run can no longer be read.
    """
    if score.risk is None:
        raise UsageError("This pupil has no score, so nothing can be asked of the model. Look at the status.")
    bundle = bundle_of(home)(score.model_digest)
    if bundle is None:
        raise MissingError(
            f"Model {score.model_version}, by which this pupil was scored, cannot be read. "
            "Restore mlruns/bundles from a backup, or score again."
        )
    values = {name: part.value for name, part in parts.items()}
    answer = what_if(bundle, values, asked, BY_NAME)
    return {
        "changes": dict(asked),
        "risk": answer.risk,
        "risk_then": answer.risk_then,
        "risk_difference": answer.risk_then - answer.risk,
        "reasons_moved": _moved(answer, parts, rules),
        "reasons_then": _reasons_then(bundle, answer, parts, rules),
        "moved_along": list(answer.followed),
        "held": list(answer.held),
        "says": NO_PROMISE[rules.language],
    }


def _moved(answer: Answer, parts: Mapping[str, Part], rules: ListSettings) -> list[dict[str, Any]]:
    entries = []
    for name, difference in answer.log_odds.items():
        then = said(name, answer.values_then[name], parts[name].of_class, rules.language, BY_NAME)
        now = said(name, parts[name].value, parts[name].of_class, rules.language, BY_NAME)
        entries.append(
            {
                "feature": then.feature,
                "family": then.family,
                "value": now.value,
                "value_then": then.value,
                "difference": difference,
                "risk_difference": answer.in_risk[name],
                "text": then.text,
            }
        )
    told = summed(entries, ("difference", "risk_difference"))
    return sorted(told, key=lambda entry: -abs(entry["difference"]))


def _reasons_then(
    bundle: Bundle, answer: Answer, parts: Mapping[str, Part], rules: ListSettings
) -> list[dict[str, Any]]:
    features = [BY_NAME[name] for name in bundle.features]
    values = np.array([[answer.values_then[name] for name in bundle.features]])
    of_class = np.array([[parts[name].of_class for name in bundle.features]])
    [told] = reasons(features, values, of_class, bundle.explain(values, threads=1).contributions, rules)
    return [reason.as_document() for reason in told]
