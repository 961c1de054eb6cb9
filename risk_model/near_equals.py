"""Off unless asked for: the last places of a list by lot, among pupils the model holds to be nearly equal.

Somebody has to be the last on a list and somebody the first off it, and at that line the order is finer than
the model can see. Pairs of one just on and one just off the list of the same school, no further apart than
``band``, are drawn: the pupil with the smaller lot is *offered* the place, the other gets what is *usual*.

Nobody else moves, lists stay as long as they are and classes no fuller than they may be; risks, ranks and
reasons are untouched, and who is off the list is seen by staff as before. A lot is a salted hash of the round
and the pupil: the same every night of the round, so that nobody comes and goes by it, and known before
anything is.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.ranking import salted
from risk_model.settings import ComparisonSettings, ListSettings

OFFERED, USUAL = "offered", "usual"
COLUMNS = ("student_id", "school_id", "pair", "arm", "risk", "by_rank")
"""Of a record of the draw: ``pair`` counts from the line outwards, ``by_rank`` is who had been listed."""


def draws(rules: ComparisonSettings, day: date) -> bool:
    """Whether places are drawn on ``day``: asked for, and the round is not over."""
    return rules.share > 0 and rules.until is not None and day <= rules.until


def draw(frame: pd.DataFrame, lists: ListSettings, rules: ComparisonSettings) -> pd.DataFrame:
    """Who is drawn.

    Parameters
    ----------
    frame : DataFrame
        Whole schools: ``student_id, school_id, class_key, risk`` (NaN = no score), ``rank_in_school`` and
        ``listed``, as :func:`risk_model.ranking.rank` tells them.

    Returns
    -------
    DataFrame (a row for each pupil drawn, the index of ``frame``)
        The columns of :data:`COLUMNS`; two rows for each pair of a school.
    """
    scored = frame[frame["risk"].notna()]
    near = scored[scored["school_id"].isin(scored.loc[scored["listed"], "school_id"].unique())]
    found = [
        row
        for _, school in near.groupby("school_id", sort=True)
        for row in _of_school(school.sort_values("rank_in_school"), lists, rules)
    ]
    names = ["row", "pair", "arm", "by_rank"]
    drawn = pd.DataFrame(found, columns=names).set_index("row")
    told = frame.loc[drawn.index, ["student_id", "school_id", "risk"]]
    return told.assign(**{name: drawn[name] for name in names[1:]})[list(COLUMNS)]


def listed_by_lot(listed: pd.Series, drawn: pd.DataFrame) -> pd.Series:
    """``listed`` after the draw."""
    after = listed.copy()
    after.loc[drawn.index] = (drawn["arm"] == OFFERED).to_numpy()
    return after


def _of_school(
    school: pd.DataFrame, lists: ListSettings, rules: ComparisonSettings
) -> list[tuple[object, int, str, bool]]:
    """Rows of one school, by rank: the lowest listed with the highest not listed, and so on outwards."""
    listed = school["listed"].to_numpy(dtype=bool)
    margin = _logit(school["risk"].to_numpy(dtype=np.float64))
    classes = pd.factorize(school["class_key"], use_na_sentinel=False)[0]
    places = np.flatnonzero(listed)
    most = int(rules.share * len(places) + 1e-9)
    may = ~school["student_id"].isin(rules.left_out).to_numpy()
    enough = (school["risk"] >= lists.minimum_risk).to_numpy()
    on = [place for place in places[::-1][:most].tolist() if may[place]]
    off = [place for place in np.flatnonzero(~listed & may & enough).tolist() if place > places[-1]]
    full = np.bincount(classes[listed], minlength=classes.max() + 1)
    told: list[tuple[object, int, str, bool]] = []
    for pair, first in enumerate(on):
        second = _partner(first, off, margin, classes, full, lists.capacity_per_class, rules.band)
        if second is None:
            break
        off.remove(second)
        rows = school.index[[first, second]]
        lots = salted(school["student_id"].to_numpy()[[first, second]], rules.seed)
        offered = int(lots[1] < lots[0])
        arms = (OFFERED, USUAL) if offered == 0 else (USUAL, OFFERED)
        told += [(rows[0], pair, arms[0], True), (rows[1], pair, arms[1], False)]
    return told


def _partner(
    first: int,
    off: list[int],
    margin: NDArray[np.float64],
    classes: NDArray[np.intp],
    full: NDArray[np.intp],
    cap: int,
    band: float,
) -> int | None:
    """The highest not listed within the band whose class would not be too full whatever the lots say.

    ``full`` counts the places that may be taken in each class, and is counted on.
    """
    for place in off:
        if margin[first] - margin[place] > band:
            return None
        if classes[place] == classes[first]:
            return place
        if full[classes[place]] < cap:
            full[classes[place]] += 1
            return place
    return None


def _logit(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(risk, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
