"""The pictures of a run: ranking, calibration, gain at list length, and what drives the trees.

They hold curves over all pupils, never a pupil: the SHAP summary is the one exception, drawn from a
sample without identifiers.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

SHAP_ROWS = 1000
BINS = 10
LONGEST_LIST = 0.2


def backtest_figures(predictions: pd.DataFrame, scorers: Sequence[str]) -> dict[str, Figure]:
    """ROC, precision and recall, calibration, and gain at list length, pooled over the test snapshots.

    ``predictions`` has ``label`` (0, 1, NaN = unknown) and one column of risks per scorer, the model first.
    """
    known = predictions.dropna(subset=["label"])
    y = known["label"].to_numpy(dtype=np.int8)
    risks = {name: known[name].to_numpy() for name in scorers}
    return {
        "roc": _roc(y, risks),
        "precision_recall": _precision_recall(y, risks),
        "calibration": _calibration(y, risks[scorers[0]]),
        "gain": _gain(y, risks),
    }


def shap_summary(booster: Any, x: NDArray[np.floating[Any]], features: Sequence[str], seed: int) -> bytes:
    """A PNG of SHAP values (log-odds, before calibration) on a sample of rows, largest effects first."""
    import matplotlib as mpl

    mpl.use("Agg")
    import shap
    from matplotlib import pyplot as plt

    draw = np.random.default_rng(seed)
    taken = np.sort(draw.choice(len(x), min(SHAP_ROWS, len(x)), replace=False))
    sample = np.asarray(x[taken], dtype=np.float64)
    with warnings.catch_warnings():
        # It tells of a change of shap's return type years ago; the type is the one we want.
        warnings.filterwarnings("ignore", message="LightGBM binary classifier with TreeExplainer")
        values = shap.TreeExplainer(booster).shap_values(sample)
    shap.summary_plot(values, sample, feature_names=list(features), show=False, rng=draw)
    picture = BytesIO()
    plt.gcf().savefig(picture, format="png", bbox_inches="tight", dpi=110)
    plt.close("all")
    return picture.getvalue()


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def _roc(y: NDArray[np.int8], risks: Mapping[str, NDArray[np.float64]]) -> Figure:
    from sklearn.metrics import roc_curve

    figure, axes = _axes("ROC", "share of those who stay above the line", "share of leavers above the line")
    for name, risk in risks.items():
        stayed, left, _ = roc_curve(y, risk)
        axes.plot(stayed, left, label=name)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.legend()
    return figure


def _precision_recall(y: NDArray[np.int8], risks: Mapping[str, NDArray[np.float64]]) -> Figure:
    from sklearn.metrics import precision_recall_curve

    figure, axes = _axes("Precision and recall", "recall", "precision")
    for name, risk in risks.items():
        precision, recall, _ = precision_recall_curve(y, risk)
        axes.plot(recall, precision, label=name)
    axes.axhline(y.mean(), color="grey", linestyle=":")
    axes.legend()
    return figure


def _calibration(y: NDArray[np.int8], risk: NDArray[np.float64]) -> Figure:
    figure, axes = _axes("Calibration of the model", "mean risk of a tenth", "share that left")
    parts = np.array_split(np.argsort(risk, kind="stable"), BINS)
    points = [(risk[part].mean(), y[part].mean()) for part in parts if len(part)]
    axes.plot(*zip(*points, strict=True), marker="o")
    top = max(max(point) for point in points)
    axes.plot([0, top], [0, top], color="grey", linestyle=":")
    return figure


def _gain(y: NDArray[np.int8], risks: Mapping[str, NDArray[np.float64]]) -> Figure:
    figure, axes = _axes("Leavers found by a list", "length of the list, share of pupils", "recall")
    length = np.arange(1, len(y) + 1) / len(y)
    shown = length <= LONGEST_LIST
    for name, risk in risks.items():
        # Ties in an order that knows nothing of the label: rows come by snapshot and pupil.
        found = np.cumsum(y[np.argsort(-risk, kind="stable")]) / max(1, y.sum())
        axes.plot(length[shown], found[shown], label=name)
    axes.legend()
    return figure
