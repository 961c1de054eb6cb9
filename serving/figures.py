"""Figures of classes out of the night's features: attendance, failed and missed exams.

A list's row has a risk and reasons; what a unit's pages tell besides is summed up here, class by class,
while the features are in memory, and staged with the run. No request opens the lake for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ANY = 1e-9
"""Above no share at all."""


@dataclass(frozen=True)
class Figure:
    """A share of each pupil, 0–1: its mean over a unit, and how many pupils have much of it."""

    name: str
    feature: str
    much: float
    """From this share on a pupil is counted."""
    counted: str
    """The indicator that counts them."""


FIGURES = (
    Figure("absence", "absence_30", 0.1, "missed a tenth or more of 30 school days"),
    Figure("failed exams", "failed_share", ANY, "failed an exam of two terms"),
    Figure("missed exams", "missed_share", ANY, "missed an exam of two terms"),
)


def figures_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of :class:`serving.tables.ClassFigure` but for the run; none of a class nothing is known of.

    ``frame`` is a snapshot of pupils with ``school_id``, ``class_key`` and features; null is not known.
    """
    return [row for figure in FIGURES if figure.feature in frame for row in _of_classes(frame, figure)]


def _of_classes(frame: pd.DataFrame, figure: Figure) -> list[dict[str, Any]]:
    known = frame[frame[figure.feature].notna()]
    share = known[figure.feature].astype(float)
    places = [known["school_id"], known["class_key"]]
    told = share.groupby(places, sort=True).agg(["size", "sum"])
    many = (share >= figure.much).groupby(places, sort=True).sum()
    return [
        {
            "school_id": str(school),
            "class_key": str(class_key),
            "figure": figure.name,
            "pupils": int(pupils),
            "total": float(total),
            "many": int(count),
        }
        for (school, class_key), pupils, total, count in zip(
            told.index, told["size"], told["sum"], many, strict=True
        )
    ]
