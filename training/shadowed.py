"""How a challenger did on the nights it scored unseen: whose leavers its list would have held.

The champion's list was real and the challenger's was not, so where care helps, the champion's listed leave
less often: the comparison is then unkind to the champion, and says how many nights it stands on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from risk_model.errors import MissingError
from risk_model.evaluation.judged import Judged
from risk_model.evaluation.paired import paired_difference
from risk_model.home import Home
from risk_model.labels import label
from risk_model.lake.reading import open_lake
from risk_model.settings import Settings
from risk_model.shadows import Night, nights, read_shadows
from risk_model.timeline import build_timeline
from training.snapshots import LOOKBACK

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake


def shadow_of(home: Home, settings: Settings, version: str) -> dict[str, Any] | None:
    """The nights ``version`` scored unseen, counted; None if there were none."""
    return _counted(nights(home, settings, version))


def shadow_between(
    home: Home, settings: Settings, version: str, other: str, *, since: date
) -> dict[str, Any] | None:
    """The nights one of the two scored beside the other, and by the labels matured since, who found more.

    Judged are nights on or after ``since``, the later of the days the two were made on: a night scored
    again for a day before is one whose labels one of them may know.

    Of nights that follow each other closely one in ``training.snapshot_every_days`` is judged: their windows
    overlap, and a pupil who left would count once for every night.
    """
    found = nights(home, settings, version, other)
    counted = _counted(found)
    if counted is None:
        return None
    unseen = [night for night in found if night.as_of >= since]
    return {**counted, **_judged(home, settings, _apart(unseen, settings.training.snapshot_every_days))}


def _counted(found: Sequence[Night]) -> dict[str, Any] | None:
    if not found:
        return None
    churns = [night.churn for night in found if night.churn is not None]
    return {
        "nights": len(found),
        "first": found[0].as_of.isoformat(),
        "last": found[-1].as_of.isoformat(),
        "challengers": sorted({night.challenger for night in found}),
        "champions": sorted({night.champion for night in found}),
        "mean_churn": float(np.mean(churns)) if churns else None,
    }


def _apart(found: Sequence[Night], days: int) -> list[Night]:
    """Nights at least so many days apart, one run per day, the first ones first."""
    chosen: list[Night] = []
    for night in found:
        if not chosen or night.as_of - chosen[-1].as_of >= timedelta(days=days):
            chosen.append(night)
    return chosen


def _judged(home: Home, settings: Settings, chosen: Sequence[Night]) -> dict[str, Any]:
    empty: dict[str, Any] = {"judged_nights": 0, "positives": 0, "recall": None, "recall_change": None}
    if not chosen:
        return {**empty, "not_done": "One of the two was made after these nights and may know their labels."}
    try:
        with open_lake(home, settings) as lake:
            rows = read_shadows(home, settings, [night.run_id for night in chosen])
            known = _labelled(lake, rows, settings)
    except MissingError as error:
        return {**empty, "not_done": str(error)}
    if known.empty or not (known["label"] == 1).any():
        return {**empty, "not_done": "No label of these nights has matured yet, or nobody left."}
    left = known[known["label"] == 1]
    training = settings.training
    draws: dict[str, int] = {"samples": training.bootstrap_samples, "seed": training.seed}
    challenger = _as_judged(known, "risk", "listed")
    champion = _as_judged(known, "champion_risk", "champion_listed")
    change = paired_difference(challenger, champion, **draws)["capacity"]
    return {
        "judged_nights": int(known["as_of"].nunique()),
        "positives": len(left),
        "recall": {
            "champion": float(left["champion_listed"].mean()),
            "challenger": float(left["listed"].mean()),
        },
        "recall_change": {"mean": change["difference"], "lower": change["lower"], "upper": change["upper"]},
        "not_done": None,
    }


def _labelled(lake: Lake, rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The rows with a known ``label``, by what the registers say today."""
    today = lake.latest_recorded_on()
    if today is None or rows.empty:
        return rows.assign(label=np.nan).iloc[:0]
    days = pd.to_datetime(rows["as_of"]).dt.date
    lake.known_on(today)
    build_timeline(lake.con, today, since=min(days) - LOOKBACK)
    lake.con.register("shadow_rows", rows)
    lake.con.execute(
        "create or replace temp table shadowed as "
        "select student_id, school_id, class_key, grade::bigint as grade, as_of::date as snapshot "
        "from shadow_rows"
    )
    label(lake.con, "shadowed", today, settings.labels)
    told = lake.con.execute("select student_id, snapshot, label::double as label from labels").df()
    lake.con.unregister("shadow_rows")
    told["as_of"] = pd.to_datetime(told["snapshot"])
    rows = rows.assign(as_of=pd.to_datetime(rows["as_of"]))
    return rows.merge(told, on=["student_id", "as_of"], validate="one_to_one").dropna(subset=["label"])


def _as_judged(known: pd.DataFrame, risk: str, listed: str) -> Judged:
    return Judged(
        y=known["label"].to_numpy(dtype=np.float64),
        risk=known[risk].to_numpy(dtype=np.float64),
        school=known["school_id"],
        snapshot=known["as_of"],
        capacity=known[listed].to_numpy(dtype=bool),
    )
