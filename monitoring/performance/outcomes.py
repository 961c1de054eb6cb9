"""What became of the pupils of a run, as the registers tell it today."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from risk_model.labels import label
from risk_model.settings import LabelSettings
from risk_model.state import sources_on
from risk_model.timeline.diaries import KNOWN, LOOKBACK_DAYS, MarkSource
from risk_model.timeline.portions import PORTION, build_in_portions

if TYPE_CHECKING:
    from risk_model.home import Home
    from risk_model.lake.reading import Lake

LOOKBACK = timedelta(days=60)
"""A streak of absence that ends in the window may have begun before the snapshot."""


def marks_for(home: Home, lake: Lake, as_of: date, today: date) -> MarkSource:
    """Where the marks that labels of ``as_of`` need are read: the state, if it reaches so far back."""
    reaches = today - (as_of - LOOKBACK) <= timedelta(days=LOOKBACK_DAYS)
    return sources_on(home, lake, today).marks if reaches else KNOWN


def outcomes(
    lake: Lake,
    scores: pd.DataFrame,
    as_of: date,
    today: date,
    rules: LabelSettings,
    marks: MarkSource = KNOWN,
    most: int = PORTION,
) -> pd.DataFrame:
    """The scored rows of a run with ``label`` (1, 0, NaN), ``state`` and ``care_affected``, known ``today``.

    ``rules`` may have a shorter horizon, for a window that is not over. ``marks`` says where marks of
    ``today`` are read; the days of at most ``most`` pupils are laid out at the same time.
    """
    rows = scores[scores["risk"].notna()].drop_duplicates("student_id")
    lake.known_on(today)
    portions = build_in_portions(lake.con, today, since=as_of - LOOKBACK, source=marks, most=most)
    asked = rows[["student_id", "school_id", "class_key", "grade"]].assign(snapshot=as_of)
    lake.con.register("asked", asked)
    lake.con.execute(
        "create or replace temp table asked_rows as select student_id, school_id, class_key, "
        "grade::bigint as grade, snapshot::date as snapshot from asked"
    )
    label(lake.con, "asked_rows", today, rules, portions)
    told = lake.con.execute(
        "select student_id, label::double as label, state, care_affected from labels"
    ).df()
    lake.con.unregister("asked")
    return rows.merge(told, on="student_id", validate="one_to_one")
