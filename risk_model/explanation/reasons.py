"""The reasons of a list: sentences with the pupil's value and the class's, strongest first.

Only contributions that raise the risk are reasons. Features that say the same in other words are
told once: at most one of a declared ``group``, at most one that says that attendance is not known, and at
most :data:`PER_FAMILY` of a family, so that the many faces of one absence do not hide a failing subject.
A pupil with fewer has fewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.explanation.sentences import STATUS_FAMILY, Told, is_restricted, sentences, status_sentence
from risk_model.explanation.telling import RESTRICTED
from risk_model.explanation.words import Language
from risk_model.settings import ListSettings

Matrix = NDArray[np.float64]
PER_FAMILY = 2
CLASSMATES = 10
"""A class's value is told only where at least so many others have one."""
DEPTH = 6
"""So many candidates are looked at for each reason shown."""


@dataclass(frozen=True)
class Reason:
    """One reason of one pupil; ``contribution`` in log-odds, null for a pupil without a score."""

    feature: str
    family: str
    text: str
    contribution: float | None

    def as_document(self) -> dict[str, Any]:
        """The reason as ``lists --json`` prints it."""
        return {
            "feature": self.feature,
            "family": self.family,
            "text": self.text,
            "contribution": self.contribution,
        }


def class_numbers(frame: pd.DataFrame) -> NDArray[np.int64]:
    """A number (n,) for the class of each row, by ``school_id`` and ``class_key``."""
    grouped = frame.groupby(["school_id", "class_key"], sort=False, dropna=False)
    return np.asarray(grouped.ngroup(), dtype=np.int64)


def class_values(frame: pd.DataFrame, features: Sequence[str]) -> Matrix:
    """The median of each pupil's class, shape (pupils, features); NaN with fewer than 10 classmates.

    ``frame`` holds ``school_id``, ``class_key`` and one float column per feature.
    """
    columns = list(dict.fromkeys(features))
    code = class_numbers(frame)
    values = frame[columns].astype(np.float64)
    by_class = values.groupby(code)
    medians = by_class.median().where(by_class.count() > CLASSMATES)
    return medians.reindex(code)[list(features)].to_numpy(dtype=np.float64)


def strongest(
    contributions: Matrix, features: Sequence[Told], count: int, values: Matrix
) -> NDArray[np.intp]:
    """Column numbers of each pupil's reasons, shape (pupils, count), strongest first; −1 = none.

    The time of the year and the grade are the same for a whole class and tell its teacher nothing, so
    they are reasons only where a pupil has no other.
    """
    of_all = np.array([feature.family == "time" for feature in features], dtype=bool)
    chosen = _strongest(np.where(of_all, 0.0, contributions), features, count, values)
    without = chosen[:, 0] < 0
    if without.any():
        chosen[without] = _strongest(contributions[without], features, count, values[without])
    return chosen


def _strongest(
    contributions: Matrix, features: Sequence[Told], count: int, values: Matrix
) -> NDArray[np.intp]:
    from risk_model.explanation.reasons_kernel import choose

    if not contributions.size:
        return np.full((len(contributions), count), -1, dtype=np.intp)
    groups, families = sayings(features), _numbered([feature.family for feature in features])
    of_marks = np.array([f.family == "attendance" and not is_restricted(f) for f in features], dtype=bool)
    rows = (np.ascontiguousarray(matrix, dtype=np.float64) for matrix in (contributions, values))
    return np.asarray(choose(*rows, groups, families, of_marks, count, DEPTH * count, PER_FAMILY))


def reasons(
    features: Sequence[Told],
    values: Matrix,
    of_class: Matrix,
    contributions: Matrix,
    settings: ListSettings,
    *,
    protective: bool = False,
) -> list[list[Reason]]:
    """Each pupil's reasons; all matrices have the shape (pupils, features), NaN = null.

    ``protective`` is for :func:`protective_reasons`.
    """
    chosen = (
        strongest(contributions, features, settings.reasons, values) if len(features) else _nothing(values)
    )
    texts = np.empty(chosen.shape, dtype=object)
    for column in np.unique(chosen[chosen >= 0]):  # of a hundred features a few are anybody's reason
        rows, places = np.nonzero(chosen == column)
        texts[rows, places] = sentences(
            features[column],
            values[rows, column],
            of_class[rows, column],
            settings.language,
            protective=protective,
        )
    amounts = np.take_along_axis(contributions, np.maximum(chosen, 0), axis=1) if len(features) else chosen
    return [
        _told_once(features, *row)
        for row in zip(chosen.tolist(), texts.tolist(), amounts.tolist(), strict=True)
    ]


def once(told: Iterable[Reason]) -> list[Reason]:
    """Without repetition: what is not known is told in the same words of several features."""
    first: dict[str, Reason] = {}
    for reason in told:
        first.setdefault(reason.text, reason)
    return list(first.values())


def protective_reasons(
    features: Sequence[Told], values: Matrix, of_class: Matrix, contributions: Matrix, settings: ListSettings
) -> list[list[Reason]]:
    """What speaks against each pupil's leaving, strongest first, by the rules of :func:`reasons`.

    What is not known protects nobody, and of features that say the same (or of a family's restricted ones)
    none is told unless together they lower the risk. ``contribution`` is negative.
    """
    lowering = -_of_groups_that_lower(np.where(np.isnan(values), 0.0, contributions), features)
    return [
        [replace(reason, contribution=-(reason.contribution or 0.0)) for reason in told]
        for told in reasons(features, values, of_class, lowering, settings, protective=True)
    ]


def _of_groups_that_lower(contributions: Matrix, features: Sequence[Told]) -> Matrix:
    """``contributions`` with 0 where the whole group does not lower the risk, and for time and grade."""
    code = sayings(features)
    kept = np.zeros_like(contributions)
    for group in range(int(code.max(initial=-1)) + 1):
        members = np.flatnonzero(code == group)
        if features[members[0]].family != "time":
            lowers = contributions[:, members].sum(axis=1, keepdims=True) < 0
            kept[:, members] = np.where(lowers, contributions[:, members], 0.0)
    return kept


def _told_once(
    features: Sequence[Told], columns: list[int], texts: list[str], amounts: list[float]
) -> list[Reason]:
    """One pupil's reasons."""
    return once(
        Reason(_shown_name(features[column]), features[column].family, text, amount)
        for column, text, amount in zip(columns, texts, amounts, strict=True)
        if column >= 0
    )


def status_reasons(status: str, language: Language) -> list[Reason]:
    """Why a pupil without a score stands at the head of the list."""
    return [
        Reason("status", STATUS_FAMILY.get(status, "attendance"), status_sentence(status, language), None)
    ]


def _shown_name(feature: Told) -> str:
    return RESTRICTED if is_restricted(feature) else feature.name


def sayings(features: Sequence[Told]) -> NDArray[np.intp]:
    """A number (k,) for what each feature says; those that say the same have the same."""
    return _numbered([_saying(feature) for feature in features])


def _saying(feature: Told) -> str:
    """What a feature says, alone or with its group; of restricted ones only the family is told."""
    return f"restricted {feature.family}" if is_restricted(feature) else feature.group or feature.name


def _numbered(names: Sequence[str]) -> NDArray[np.intp]:
    return np.asarray(pd.factorize(np.array(names, dtype=object))[0], dtype=np.intp)


def _nothing(values: Matrix) -> NDArray[np.intp]:
    return np.full((len(values), 0), -1, dtype=np.intp)
