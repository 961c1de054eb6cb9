"""Are there as many pupils as in the last published run: of all counties together, and of each school.

A school shrinks when a year graduates or pupils are transferred, and then their spells say so. Pupils who are
gone without such a spell are a register that lost rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from risk_model.settings import QualitySettings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

EXPLAINED = ("promoted", "graduated", "transferred", "moved_abroad")
"""Ends of a spell by which many pupils of a school may go at once. Were a fifth of a school said to have
dropped out in a night, or to have gone for no reason told, somebody must look first."""


@dataclass(frozen=True)
class Listed:
    """How many pupils the published list of a school holds, and of which day it is."""

    pupils: int
    as_of: date


def judge_size(
    pupils: Mapping[str, int], before: Mapping[str, int], rules: QualitySettings
) -> tuple[str, ...]:
    """Why a whole run is not published; empty if nothing speaks against it.

    ``pupils`` and ``before`` count the rows per county, tonight and in the last published run.
    """
    now, then = sum(pupils.values()), sum(before.values())
    if now == 0:
        return ("The cohort is empty: no pupil is enrolled as known on that day.",)
    if now < rules.minimum_pupils_share * then:
        return (
            f"Only {now:,} pupils, fewer than {rules.minimum_pupils_share:.0%} of the {then:,} of the "
            "last run. Look for missing enrolments; --force publishes all the same.",
        )
    return ()


def enrolment_kept(
    con: duckdb.DuckDBPyConnection, day: date, pupils: Mapping[str, int], before: Mapping[str, Listed]
) -> pd.DataFrame:
    """Per school of the published lists ``before``: pupils then and tonight, and those who left as told.

    ``pupils`` counts tonight's rows by school. Leavers are read from ``known.enrolments``, cut by
    ``recorded_on`` by whoever called ``known_on``: spells that ended, or were learnt to have ended, since the
    list. Columns ``school_id, now, before, as_of, left``.
    """
    import pandas as pd

    listed = pd.DataFrame(
        [(school, pupils.get(school, 0), was.pupils, was.as_of) for school, was in before.items()],
        columns=["school_id", "now", "before", "as_of"],
    ).astype({"school_id": object, "now": "int64", "before": "int64", "as_of": "datetime64[s]"})
    con.register("listed_before", listed)
    try:
        return con.execute(_LEFT, {"day": day, "explained": list(EXPLAINED)}).df()
    finally:
        con.unregister("listed_before")


_LEFT = """
SELECT b.school_id, b.now, b.before, b.as_of::DATE AS as_of, count(DISTINCT e.student_id) AS "left"
FROM listed_before b LEFT JOIN known.enrolments e ON e.school_id = b.school_id AND e.ended_on <= $day
    AND (e.ended_on > b.as_of::DATE OR e.recorded_on > b.as_of::DATE)
    AND list_contains($explained, e.end_reason)
GROUP BY ALL ORDER BY ALL
"""


def judge_enrolment(kept: pd.DataFrame, rules: QualitySettings) -> dict[str, str]:
    """The reason to hold back, by ``school_id``, for schools that lost pupils nobody says have left."""
    vanished = kept["before"] - kept["now"] - kept["left"]
    sharp = (vanished > rules.most_pupils_vanished * kept["before"]) & (
        vanished >= rules.fewest_pupils_vanished
    )
    return {str(school.school_id): _says_shrunk(school) for school in kept[sharp].itertuples(index=False)}


def _says_shrunk(school: Any) -> str:
    return (
        f"The school has {school.now:,} pupils where its list of {school.as_of:%Y-%m-%d} has "
        f"{school.before:,}, and {school.left:,} have left since by the register of enrolments. Ask it for "
        "its enrolments, import them and score again; --force publishes all the same."
    )
