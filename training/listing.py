"""Lists as long as the model's, school by school: who finds more leavers with the same number of places?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from risk_model.evaluation.judged import Judged
from risk_model.ranking import capacity, rank
from risk_model.settings import ListSettings


def lists_as_long(
    rows: pd.DataFrame, leader: str, others: Sequence[str], rules: ListSettings
) -> pd.DataFrame:
    """The rows of one day with ``listed_<scorer>`` for each.

    The ``leader`` has the list of the staff's capacity; each of the ``others`` has as many places in
    every school, given by its own risk.

    Parameters
    ----------
    rows : DataFrame
        ``student_id, county_id, school_id, class_key`` and a column of risks per scorer.
    """
    listed = capacity(rows.assign(risk=rows[leader]), rules)
    places = rows["school_id"].map(pd.Series(listed, index=rows.index).groupby(rows["school_id"]).sum())
    columns = {f"listed_{leader}": listed}
    for name in others:
        position = rank(rows.assign(risk=rows[name]), rules)["rank_in_school"]
        columns[f"listed_{name}"] = (position <= places).to_numpy(dtype=bool)
    return rows.assign(**columns)


def as_judged(known: pd.DataFrame, scorer: str) -> Judged:
    """The listed rows with a known label, judged by the risk of ``scorer`` and by its list."""
    return Judged(
        y=known["label"].to_numpy(dtype=np.float64),
        risk=known[scorer].to_numpy(dtype=np.float64),
        school=known["school_id"],
        snapshot=known["snapshot"],
        capacity=known[f"listed_{scorer}"].to_numpy(dtype=bool),
    )
