"""The challenger's night: it scores the same pupils as the champion, and nobody sees its list.

It runs when tonight's lists are out, on the same snapshot frame: no second feature path. Whatever goes
wrong with it is told in the night's document and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from risk_model.ranking import rank
from risk_model.registry import Champion, Registry
from risk_model.shadows import COLUMNS, Night, document, write_shadow
from serving.scoring import SCORED

if TYPE_CHECKING:
    from risk_model.home import Home
    from risk_model.settings import ListSettings, Settings
    from serving.publication import RunKey


def shadow(
    home: Home,
    settings: Settings,
    key: RunKey,
    frame: pd.DataFrame,
    champions: pd.DataFrame,
    say: Callable[[str], None],
) -> dict[str, Any] | None:
    """Let the challenger score the night ``key``; what is told of it, or None without a challenger.

    Parameters
    ----------
    frame : DataFrame
        The snapshot frame the champion was given, features and all.
    champions : DataFrame
        The champion's scores of the same rows: ``risk``, ``listed``.

    Returns
    -------
    dict
        ``challenger`` and either the counts of :class:`risk_model.shadows.Night` with the ``seconds`` it
        took, or ``failed``: why it has no list of this night.
    """
    challenger = Registry(home, settings).challenger()
    if challenger is None:
        return None
    started = perf_counter()
    try:
        rows = would_be_list(frame, champions, challenger, settings.list)
        versions = (key.model_version, challenger.version)
        write_shadow(home, settings, key.digest, key.as_of, versions, rows)
    except Exception as error:  # whatever it is, the night must not fail because of it
        say(f"The challenger {challenger.version} could not score: {error}")
        return {"challenger": challenger.version, "failed": f"{type(error).__name__}: {error}"}
    both = int((rows["listed"] & rows["champion_listed"]).sum())
    counts = (len(rows), int(rows["champion_listed"].sum()), int(rows["listed"].sum()), both)
    night = Night(key.digest, key.as_of, *versions, *counts)
    return {**document(night), "seconds": perf_counter() - started}


def would_be_list(
    frame: pd.DataFrame, champions: pd.DataFrame, challenger: Champion, rules: ListSettings
) -> pd.DataFrame:
    """The scored pupils of ``frame`` with both risks, both lists and the challenger's ranks.

    Raises
    ------
    BundleError
        The challenger is damaged, or needs a feature the frame does not have.
    """
    scored = frame[frame["status"] == SCORED]
    risk = challenger.load().predict(scored) if len(scored) else np.empty(0)
    theirs = champions.loc[scored.index]
    rows = scored[["student_id", "county_id", "school_id", "class_key", "grade"]].assign(
        champion_risk=theirs["risk"], champion_listed=theirs["listed"].astype(bool), risk=risk
    )
    return rows.join(rank(rows, rules))[list(COLUMNS)]
