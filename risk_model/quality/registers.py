"""All rules over a school's registers, in the order in which the first to hold is the one that is told."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from risk_model.quality.deliveries import LACKS_CLASSES, LACKS_PUPILS, LACKS_RESULTS, deliveries
from risk_model.quality.plausibility import (
    ALL_ABSENT,
    EQUAL_SCORES,
    NOBODY_ABSENT,
    ONE_MARK,
    UNEXCUSED_JUMP,
    marks_and_scores,
)
from risk_model.quality.silence import FEW, SILENT, STALE, silence
from risk_model.settings import QualitySettings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

MISSING = (STALE, SILENT, FEW, LACKS_PUPILS, LACKS_CLASSES)
IMPLAUSIBLE = (ALL_ABSENT, ONE_MARK, UNEXCUSED_JUMP, NOBODY_ABSENT)
EXAMS = (EQUAL_SCORES, LACKS_RESULTS)
RULES = (*MISSING, *IMPLAUSIBLE, *EXAMS)


def registers_kept(con: duckdb.DuckDBPyConnection, day: date, rules: QualitySettings) -> pd.DataFrame:
    """What the rules look at, a row per school; needs the tables a snapshot of ``day`` was made from.

    The columns of :func:`~risk_model.quality.silence.silence`,
    :func:`~risk_model.quality.deliveries.deliveries` and
    :func:`~risk_model.quality.plausibility.marks_and_scores`, null where nothing is known. Cut by
    ``recorded_on`` as the snapshot is, and of its counties alone: a night worked off county by county asks
    once for each.
    """
    kept = silence(con, day, rules).merge(deliveries(con, day, rules), "outer", on="school_id")
    return kept.merge(marks_and_scores(con, day, rules), "outer", on="school_id")


def judge_registers(kept: pd.DataFrame, rules: QualitySettings) -> dict[str, str]:
    """The reason to hold back, by ``school_id``, for schools whose registers cannot be trusted."""
    reasons: dict[str, str] = {}
    for rule in RULES:
        for school in kept[rule.breaks(kept, rules)].itertuples(index=False):
            reasons.setdefault(str(school.school_id), rule.says(school, rules))
    return reasons
