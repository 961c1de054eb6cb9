"""How good the estimator is on flat public tables, as it comes and after its own search.

``python -m benchmarks.model_quality DATA_DIR --json``. On every table of ``benchmarks/flat_tables.py``: five
times five stratified folds; RiskClassifier with its own default, RiskSearch with its own space, the same on
every table; a logistic regression on the same rows and columns; and the published anchors. The search sees
the fitting folds alone. Events over time (OULAD) go the whole way from registers to list in
``benchmarks/oulad.py``. Figures of a table go to stderr as soon as they are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import published_indicators
from benchmarks.flat_tables import ANCHORS, Anchor, Task, tasks

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Where the public tables lie if they lie beside the checkout."""
FOLDS = 5
LEAVING = {"UCI 697 at enrolment": "uci697_enrolment", "UCI 697 after semester 1": "uci697_semester_1"}
"""The tables whose outcome is leaving: their curves are drawn beside published indicators."""
TARGETS = {
    "roc_auc_below_anchor": 0.01,
    "brier_above_anchor": 0.002,
    "roc_auc_below_logistic": 0.005,
}
"""How much worse than the anchor and the regression a model may be."""

Risks = NDArray[np.float64]
Maker = Callable[[], Any]


def contenders(trials: int) -> dict[str, Maker]:
    """What is judged; the search only if it has trials."""
    from risk_model import RiskClassifier, RiskSearch

    makers: dict[str, Maker] = {"logistic": _logistic, "default": RiskClassifier}
    return makers | ({"search": lambda: RiskSearch(trials=trials)} if trials else {})


def measure(
    data: Path, names: Iterable[str], repeats: int, trials: int, plots: Path | None
) -> dict[str, Any]:
    """Every figure of every table, and what misses its target."""
    judged, risks = {}, {}
    for task in tasks(data, tuple(names)):
        judged[task.name], risks[task.name] = judge(task, contenders(trials), repeats)
        click.echo(f"{task.name}: {json.dumps(judged[task.name]['models'])}", err=True)
    document: dict[str, Any] = {"repeats": repeats, "folds": FOLDS, "trials": trials, "tables": judged}
    document["missed"] = [
        {"table": name, **miss} for name, table in judged.items() for miss in missed(table, ANCHORS[name])
    ]
    curves = {shown: risks[name] for shown, name in LEAVING.items() if name in risks}
    if curves:
        document["published_indicators"] = _published(data, curves, plots)
    return document


def judge(
    task: Task, makers: Mapping[str, Maker], repeats: int
) -> tuple[dict[str, Any], published_indicators.Curve]:
    """Figures of each contender on one table, and the default's curve on the first repeat's held-out rows."""
    figures: dict[str, Any] = {}
    curve = None
    for name, make in makers.items():
        begun = monotonic()
        held_out = [out_of_fold(task, make, seed) for seed in range(repeats)]
        figures[name] = summary(task, held_out) | {"seconds_per_fit": (monotonic() - begun) / repeats / FOLDS}
        if name == "default":
            curve = published_indicators.roc(task.left, held_out[0])
    assert curve is not None
    rows = {"rows": len(task.left), "share_left": float(task.left.mean()), "columns": task.table.shape[1]}
    return rows | {"anchor": vars(task.anchor), "models": figures}, curve


def out_of_fold(task: Task, make: Maker, seed: int) -> Risks:
    """Risk (n,) of every row by a model fitted without its fold."""
    risk = np.empty(len(task.left))
    for fitted, held in _folds(task.left, seed):
        model = make().fit(task.table.iloc[fitted], task.left[fitted])
        risk[held] = model.predict_proba(task.table.iloc[held])[:, 1]
    return risk


def summary(task: Task, held_out: list[Risks]) -> dict[str, Any]:
    """Means over folds and repeats, the repeats' spread of the AUC, expected over observed leavers."""
    repeats = [_figures(task.left, risk, seed) for seed, risk in enumerate(held_out)]
    table = pd.DataFrame(repeats)
    spread = {"roc_auc_sd_of_repeats": float(table["roc_auc"].std())} if len(table) > 1 else {}
    return {name: float(value) for name, value in table.mean().items()} | spread


def missed(table: Mapping[str, Any], anchor: Anchor) -> list[dict[str, Any]]:
    """The targets the default and the search miss, and by how much."""
    found = []
    for name, figures in table["models"].items():
        if name == "logistic":
            continue
        worse = {
            "roc_auc_below_anchor": anchor.roc_auc - figures["roc_auc"],
            "brier_above_anchor": figures["brier"] - anchor.brier,
            "roc_auc_below_logistic": table["models"]["logistic"]["roc_auc"] - figures["roc_auc"],
        }
        found += [
            {"model": name, "target": target, "limit": TARGETS[target], "value": value}
            for target, value in worse.items()
            if value > TARGETS[target]
        ]
    return found


def _figures(left: NDArray[np.intp], risk: Risks, seed: int) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    folds = [held for _, held in _folds(left, seed)]
    scores = {
        "roc_auc": roc_auc_score, "average_precision": average_precision_score,
        "brier": brier_score_loss, "log_loss": log_loss,
    }  # fmt: skip
    means = {name: float(np.mean([score(left[f], risk[f]) for f in folds])) for name, score in scores.items()}
    return means | {"expected_over_observed": float(risk.sum() / left.sum())}


def _folds(left: NDArray[np.intp], seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    from sklearn.model_selection import StratifiedKFold

    return list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(left, left))


def _logistic() -> Any:
    """A statistician's first try: standardised numbers, a column per level, ridge of 1; no nulls occur."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include=np.number)),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude=np.number)),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=2000))


def _published(
    data: Path, curves: Mapping[str, published_indicators.Curve], plots: Path | None
) -> dict[str, Any]:
    published = published_indicators.indicators(data)
    points = published_indicators.beside(published, curves)
    found: dict[str, Any] = {"counts": published_indicators.counts(points), "points": points}
    if plots is not None:
        file = plots / "published-indicators.png"
        published_indicators.draw(published, curves, file)
        found["plot"] = str(file)
    return found


@click.command()
@click.argument("data", default=DATA, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--plots", type=click.Path(file_okay=False, path_type=Path), help="Draw into this folder.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1))
@click.option(
    "--trials", default=10, show_default=True, type=click.IntRange(0), help="Of the search; 0: none."
)
@click.option("--table", "names", multiple=True, type=click.Choice(tuple(ANCHORS)), help="Only these.")
def main(
    data: Path, as_json: bool, plots: Path | None, repeats: int, trials: int, names: tuple[str, ...]
) -> None:
    """Judge the estimator on the public tables in DATA."""
    document = measure(data, names or tuple(ANCHORS), repeats, trials, plots)
    print(json.dumps(document, indent=None if as_json else 2))


if __name__ == "__main__":
    main()
