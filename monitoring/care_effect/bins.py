"""Pupils near the end of their school's list, counted: what the comparison needs, and no pupil's row.

The line of a school lies midway, in log-odds, between the lowest risk listed and the highest not listed.
Who is not listed only because the own class is full has a risk above the line and is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

WIDTH = 0.1
"""Of a bin, in log-odds."""


def near_line(rows: pd.DataFrame, bandwidth: float) -> list[dict[str, Any]]:
    """Counts by distance from the line.

    Parameters
    ----------
    rows : DataFrame
        ``school_id, risk, listed, label`` (known only) and ``care_affected``.

    Returns
    -------
    list of dict
        ``x`` (middle of the bin, log-odds above the line; listed ≥ 0), ``listed``, ``n``, ``left``,
        ``expected`` (sum of risks), ``cared``.
    """
    margin = _logit(rows["risk"].to_numpy(dtype=np.float64))
    listed = rows["listed"].to_numpy(dtype=bool)
    line = _lines(pd.Series(margin, rows.index), listed, rows["school_id"])
    x = margin - line.to_numpy(dtype=np.float64)
    kept = (np.abs(x) < bandwidth) & (listed == (x >= 0))
    told = pd.DataFrame(
        {
            "bin": np.floor(x[kept] / WIDTH),
            "listed": listed[kept],
            "left": rows["label"].to_numpy(dtype=np.float64)[kept],
            "expected": rows["risk"].to_numpy(dtype=np.float64)[kept],
            "cared": rows["care_affected"].to_numpy(dtype=bool)[kept],
        }
    )
    groups = told.groupby(["bin", "listed"])
    sums = groups[["left", "expected", "cared"]].sum().assign(n=groups.size()).reset_index()
    return [
        {
            "x": float((row.bin + 0.5) * WIDTH), "listed": bool(row.listed), "n": int(row.n),
            "left": float(row.left), "expected": float(row.expected), "cared": int(row.cared),
        }
        for row in sums.itertuples(index=False)
    ]  # fmt: skip


def _logit(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(risk, 1e-9, 1 - 1e-9)
    return np.log(clipped) - np.log1p(-clipped)


def _lines(margin: pd.Series, listed: NDArray[np.bool_], school: pd.Series) -> pd.Series:
    """The line of each row's school; NaN where a school lists nobody or everybody."""
    lowest = margin[listed].groupby(school[listed]).min()
    below = margin[~listed & (margin < school.map(lowest)).to_numpy()]
    highest = below.groupby(school[below.index]).max()
    return school.map((lowest + highest) / 2).astype(float)
