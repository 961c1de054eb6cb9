"""110 published warning indicators (Bowers, Sprott, Taff 2013) beside our own ROC.

Each indicator is one flag at one school system: a point of sensitivity and false-positive rate. They were
measured on other pupils, at other ages, over other years, and many know marks of the last school year; a
point above our curve is therefore no better indicator and one below it no worse. The plot shows where a
calibrated risk on a flat table lies among what schools use.

The false-positive rate is read from its own column: in one row (Suh and Suh, any two flags) the printed
specificity contradicts it, and the printed precision agrees with the rate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""False-positive rates, ascending, and the share of leavers found at each."""


def indicators(data: Path) -> pd.DataFrame:
    """``study``, ``year``, ``grade``, ``indicator``, ``sensitivity`` and ``false_positive_rate``, 0–1."""
    table = pd.read_csv(data / "bowers_ews" / "bowersEWS.csv")
    named = table.rename(
        columns={"dropout_indicator": "indicator", "false.positives_proportion": "false_positive_rate"}
    )
    named["study"] = named["study"].str.strip()
    return named[["study", "year", "grade", "indicator", "sensitivity", "false_positive_rate"]]


def roc(left: NDArray[np.intp], risk: NDArray[np.float64]) -> Curve:
    """The curve of risks (n,) against labels (n,)."""
    from sklearn.metrics import roc_curve

    false_positives, found, _ = roc_curve(left, risk)
    return false_positives, found


def beside(published: pd.DataFrame, curves: Mapping[str, Curve]) -> list[dict[str, Any]]:
    """Every indicator with what each curve finds at its false-positive rate, and on which side it lies."""
    rows = published.astype(object).where(published.notna(), None).to_dict("records")
    for row in rows:
        ours = {name: float(np.interp(row["false_positive_rate"], *curve)) for name, curve in curves.items()}
        row["ours"] = ours
        row["lies"] = {name: _side(row["sensitivity"], found) for name, found in ours.items()}
    return rows


def counts(points: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """How many indicators lie above, on and below each curve."""
    names = points[0]["lies"]
    sides = {name: Counter(point["lies"][name] for point in points) for name in names}
    return {name: {side: found[side] for side in ("above", "on", "below")} for name, found in sides.items()}


def draw(published: pd.DataFrame, curves: Mapping[str, Curve], file: Path) -> None:
    """The curves and the points as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 7), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1, label="chance")
    for (name, curve), style in zip(curves.items(), ("-", "--", ":"), strict=False):
        axes.plot(*curve, style, linewidth=2, label=f"our ROC, {name}")
    axes.scatter(
        published["false_positive_rate"], published["sensitivity"], s=22, color="0.25", alpha=0.6,
        linewidths=0, label=f"{len(published)} published indicators (other pupils)",
    )  # fmt: skip
    axes.set(
        xlabel="False-positive rate: share of those who stayed that is flagged",
        ylabel="Sensitivity: share of leavers that is flagged",
        title="Published warning indicators beside our ROC",
        xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal",
    )  # fmt: skip
    axes.legend(loc="lower right", frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130)


def _side(sensitivity: float, ours: float) -> str:
    if sensitivity == ours:
        return "on"
    return "above" if sensitivity > ours else "below"
