"""Who is on tonight's list: ranks within county, school and class, and the capacity of the staff.

Ranks run 1…N by risk, highest first; pupils of equal risk are ordered by a salted hash of their
identifier, never by order of arrival and never by the label. Pupils without a score have no rank
and are always listed, as open cases outside the capacity.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.settings import ListSettings

RANKS = ("rank", "rank_in_school", "rank_in_class")


def rank(frame: pd.DataFrame, settings: ListSettings, before: Collection[str] = ()) -> pd.DataFrame:
    """Rank every pupil and decide who is listed.

    Parameters
    ----------
    frame : DataFrame (n rows)
        ``student_id, county_id, school_id, class_key`` (text) and ``risk`` (0–1, calibrated; NaN =
        no score). A class is identified by its school and ``class_key``.
    settings : ListSettings
        Capacity and salt.
    before : collection of text
        Pupils of the last published list, who stay a little longer (``stay_margin``).

    Returns
    -------
    DataFrame (n rows, the index of ``frame``)
        ``rank`` (within the county), ``rank_in_school``, ``rank_in_class`` (Int64, 1 is highest,
        null without a score) and ``listed`` (bool).

    >>> pupils = pd.DataFrame({"student_id": ["a", "b", "c"], "county_id": "C", "school_id": "S",
    ...                        "class_key": "7A", "risk": [0.2, 0.4, np.nan]})
    >>> rank(pupils, ListSettings())["rank"].tolist()
    [2, 1, <NA>]
    >>> rank(pupils, ListSettings())["listed"].tolist()
    [False, True, True]
    """
    risk = frame["risk"].to_numpy(dtype=np.float64, na_value=np.nan)
    scored = ~np.isnan(risk)
    order = _order(risk, frame["student_id"], settings.salt)
    order = order[scored[order]]
    school = _codes(frame["school_id"])
    groups = {
        "rank": _codes(frame["county_id"]),
        "rank_in_school": school,
        "rank_in_class": _pair(school, _codes(frame["class_key"])),
    }
    ranks = {name: _positions(order, codes) for name, codes in groups.items()}
    listed = ~scored
    stay = frame["student_id"].isin(before).to_numpy() if settings.stay_margin and before else None
    listed[_within_capacity(order, risk, school, ranks["rank_in_class"], settings, stay)] = True
    columns = {name: pd.array(values, dtype="Int64") for name, values in ranks.items()}
    for values in columns.values():
        values[~scored] = pd.NA
    return pd.DataFrame({**columns, "listed": listed}, index=frame.index)


def capacity(frame: pd.DataFrame, settings: ListSettings) -> NDArray[np.bool_]:
    """Pupils the staff would see: a mask over the rows of ``frame`` (columns as in :func:`rank`)."""
    return rank(frame, settings)["listed"].to_numpy(dtype=bool) & frame["risk"].notna().to_numpy()


def places(pupils: NDArray[np.int64], settings: ListSettings) -> NDArray[np.int64]:
    """How many pupils the staff of each school can look at, given how many of each have a score.

    >>> places(np.array([20, 21, 140]), ListSettings()).tolist()
    [1, 2, 7]
    """
    share = np.round(pupils * settings.capacity_share, 9)  # 5 % of 140 is 7, not 7.000000000000001
    return np.ceil(share).astype(np.int64)


def _order(risk: NDArray[np.float64], student_id: pd.Series, salt: str) -> NDArray[np.intp]:
    """Rows by risk, highest first; only rows of equal risk are hashed."""
    tied = np.flatnonzero(pd.Series(risk).duplicated(keep=False).to_numpy())
    tie = np.zeros(len(risk), dtype=np.uint64)
    tie[tied] = salted(student_id.to_numpy()[tied], salt)
    return np.lexsort((tie, -risk))


def salted(identifiers: NDArray[np.object_], salt: str) -> NDArray[np.uint64]:
    """64 bits of a keyed BLAKE2 of each identifier, the same on every machine and night."""
    keyed = blake2b(digest_size=8, key=blake2b(salt.encode(), digest_size=32).digest())
    digests = bytearray()
    for identifier in identifiers:
        state = keyed.copy()
        state.update(str(identifier).encode())
        digests += state.digest()
    return np.frombuffer(bytes(digests), dtype=">u8").astype(np.uint64)


def _codes(column: pd.Series) -> NDArray[np.int64]:
    """A number for each distinct value; a null is a group of its own (a pupil without a class)."""
    return np.asarray(pd.factorize(column, use_na_sentinel=False)[0], dtype=np.int64)


def _pair(outer: NDArray[np.int64], inner: NDArray[np.int64]) -> NDArray[np.int64]:
    width = int(inner.max(initial=0)) + 1
    return outer * width + inner


def _positions(order: NDArray[np.intp], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """1, 2, 3 … within each group, in the given order; 0 for rows outside it."""
    positions = np.zeros(len(codes), dtype=np.int64)
    within = pd.Series(codes[order]).groupby(codes[order]).cumcount()
    positions[order] = within.to_numpy() + 1
    return positions


def _within_capacity(
    order: NDArray[np.intp],
    risk: NDArray[np.float64],
    school: NDArray[np.int64],
    rank_in_class: NDArray[np.int64],
    settings: ListSettings,
    stay: NDArray[np.bool_] | None,
) -> NDArray[np.intp]:
    """Rows taken greedily by risk until the school is full, passing over full classes.

    Greedy takes the first of each class in order, so a class is full exactly beyond its cap. Rows that
    ``stay`` have some more places, behind all others'.
    """
    pupils = np.bincount(school[order], minlength=school.max(initial=0) + 1)
    free = places(pupils, settings)
    fits = (rank_in_class[order] <= settings.capacity_per_class) & (risk[order] >= settings.minimum_risk)
    candidates: NDArray[np.intp] = order[fits]
    place, room = _positions(candidates, school)[candidates], free[school[candidates]]
    taken: NDArray[np.bool_] = place <= room
    if stay is not None:
        taken |= stay[candidates] & (place <= np.ceil(room * (1 + settings.stay_margin)))
    return candidates[taken]
