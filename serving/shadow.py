"""The challenger's night: it scores the same pupils as the champion, and nobody sees its list.

It scores each part of the night right after the champion, on the same snapshot frame: no second feature
path. What it says is kept when tonight's lists are out. Whatever goes wrong with it is told in the night's
document and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from risk_model.ranking import rank
from risk_model.roles import Champion
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
    challenger: Champion,
    rows: Iterable[pd.DataFrame],
    failed: str | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Keep what the challenger would have said of the night ``key``; what is told of it.

    Parameters
    ----------
    rows : iterable of DataFrame
        The columns of ``risk_model.shadows.COLUMNS``, a part of the night at a time.
    failed : str or None
        Why it could not say anything of some part.

    Returns
    -------
    dict
        ``challenger`` and either the counts of :class:`risk_model.shadows.Night` with the ``seconds`` it
        took to keep them, or ``failed``: why it has no list of this night.
    """
    started = perf_counter()
    versions = (key.model_version, challenger.version)
    counts = (0, 0, 0, 0)
    try:
        if failed is None:
            counts = write_shadow(home, settings, key.digest, key.as_of, versions, rows)
    except Exception as error:  # whatever it is, the night must not fail because of it
        failed = f"{type(error).__name__}: {error}"
    if failed is not None:
        say(f"The challenger {challenger.version} could not score: {failed}")
        return {"challenger": challenger.version, "failed": failed}
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
