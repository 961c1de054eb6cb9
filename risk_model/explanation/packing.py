"""Reasons as they are kept: what is needed to say them, not the sentences.

A county's reasons as sentences are a hundred megabytes a night and half of its minutes. Kept are, for each
reason, the feature's name, its contribution, the pupil's value and the class's, as JSON:
``[["absence_14", 1.25, 0.3, 0.02], ["restricted", 0.4, "family"]]``. A list says them when it is read. Of a
restricted reason neither name nor value is kept; of a pupil without a score the status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risk_model.explanation.reasons import Reason, once, status_reasons, strongest
from risk_model.explanation.sentences import DIGITS, Told, is_restricted, restricted_sentence
from risk_model.explanation.telling import RESTRICTED, said
from risk_model.explanation.words import Language
from risk_model.settings import ListSettings

if TYPE_CHECKING:
    import pyarrow as pa

Matrix = NDArray[np.float64]
STATUS = "status"


def pack(
    features: Sequence[Told], values: Matrix, of_class: Matrix, contributions: Matrix, settings: ListSettings
) -> NDArray[np.object_]:
    """The kept reasons (n,) of pupils; all matrices have the shape (n, features), NaN = null.

    Values are rounded as the sentences round them, contributions are not.
    """
    import pyarrow.compute as pc

    if not len(features) or not len(values):
        return np.full(len(values), "[]", dtype=object)
    chosen = strongest(contributions, features, settings.reasons, values)
    heads = _heads(features)
    slots = [_slot(features, heads, *of, values, of_class, contributions) for of in enumerate(chosen.T)]
    joined = pc.binary_join_element_wise("[", *slots, "]", "")
    return np.asarray(joined.to_numpy(zero_copy_only=False), dtype=object)


def pack_status(status: str) -> str:
    """The kept reason of a pupil without a score.

    >>> pack_status("absent_long")
    '[["status","absent_long"]]'
    """
    return json.dumps([[STATUS, status]], separators=(",", ":"))


def unpack(text: str, declared: Mapping[str, Told], language: Language) -> list[Reason]:
    """The reasons of one pupil, said in ``language``; a feature no longer declared is told by its name.

    >>> from risk_model.features.declared import BY_NAME
    >>> kept = '[["restricted",0.4,"family"],["absence_14",0.2,0.5,null]]'
    >>> [reason.text for reason in unpack(kept, BY_NAME, "en")]
    ['A family circumstance (details are restricted)', 'Missed 50 % of the last 14 school days']
    """
    return once(reason for entry in json.loads(text) for reason in _told(entry, declared, language))


def _told(
    entry: list[Any] | dict[str, Any], declared: Mapping[str, Told], language: Language
) -> list[Reason]:
    if isinstance(entry, dict):  # kept by a version that kept the sentences
        return [Reason(**entry)]
    name, what, *more = entry
    if name == STATUS:
        return status_reasons(what, language)
    if name == RESTRICTED:
        return [Reason(RESTRICTED, more[0], restricted_sentence(more[0], language), what)]
    value, of_class = (np.nan if number is None else number for number in more)
    told = said(name, value, of_class, language, declared)
    return [Reason(told.feature, told.family, told.text, what)]


def _heads(features: Sequence[Told]) -> NDArray[np.object_]:
    return np.array(
        [f'["{RESTRICTED if is_restricted(feature) else feature.name}",' for feature in features],
        dtype=object,
    )


def _slot(
    features: Sequence[Told],
    heads: NDArray[np.object_],
    place: int,
    column: NDArray[np.intp],
    values: Matrix,
    of_class: Matrix,
    contributions: Matrix,
) -> pa.Array:
    """One reason of each pupil as JSON, after a comma if it is not the first; empty where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows, at = np.arange(len(column)), np.maximum(column, 0)
    digits = np.array([DIGITS.get(feature.unit, 1) for feature in features])[at]
    numbers = (_numbers(_rounded(matrix[rows, at], digits)) for matrix in (values, of_class))
    value, middle = numbers
    facts = pc.binary_join_element_wise(value, middle, ",")
    families = np.array([f'"{feature.family}"' for feature in features], dtype=object)[at]
    hidden = np.array([is_restricted(feature) for feature in features])[at]
    facts = pc.if_else(pa.array(hidden), pa.array(families, pa.string()), facts)
    amounts = _numbers(contributions[rows, at])
    head = pa.array(heads[at], pa.string())
    told = pc.binary_join_element_wise("," if place else "", head, amounts, ",", facts, "]", "")
    return pc.if_else(pa.array(column >= 0), told, "")


def _rounded(numbers: Matrix, digits: NDArray[np.intp]) -> Matrix:
    rounded = np.empty_like(numbers)
    for few in np.unique(digits):
        those = digits == few
        rounded[those] = np.round(numbers[those], few)
    return rounded


def _numbers(numbers: Matrix) -> pa.Array:
    """Numbers as JSON: the shortest text that reads back the same, null for NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.fill_null(pc.cast(pa.array(numbers, mask=np.isnan(numbers)), pa.string()), "null")
