"""How much of what could be known did the model know? Its AUC beside that of the simulator's own hazard.

``python -m benchmarks.oracle HOME TRUTH_DIR [--predictions FILE] [--json]`` takes the backtest's rows (made
anew, or from ``train --keep-predictions FILE``) and ranks the same pupils by the hidden weekly hazard of
the last Monday up to the snapshot.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import duckdb
import numpy as np
import pandas as pd

from risk_model.command.surface import Office
from risk_model.evaluation.judged import Judged
from risk_model.evaluation.pooled import pooled
from risk_model.home import Home
from risk_model.lake.reading import open_lake
from training.backtest import SCORERS
from training.looking_back import Request, look_back
from training.watch import Watch

LISTS = ("1%", "2%", "5%", "10%")


def with_hazard(predictions: pd.DataFrame, truth: Path) -> pd.DataFrame:
    """The judged rows with ``hazard``: the truth's chance of leaving in the week of the snapshot."""
    with duckdb.connect() as con:
        con.register("predictions", predictions)
        con.execute("CREATE TEMP TABLE told AS SELECT * FROM predictions WHERE label IS NOT NULL")
        con.execute(
            "CREATE TEMP TABLE truth AS SELECT student_id, monday, hazard FROM read_parquet($1)",
            [str(truth / "hazard.parquet")],
        )
        return con.execute(
            "SELECT t.*, h.hazard FROM told t ASOF LEFT JOIN truth h "
            "ON h.student_id = t.student_id AND t.snapshot >= h.monday ORDER BY t.snapshot, t.student_id"
        ).df()


def compare(known: pd.DataFrame) -> dict[str, Any]:
    """Pooled AUC and recalls of every scorer and of the oracle, and the share of the way to it."""
    figures = {name: _figures(known, known[name]) for name in SCORERS}
    unit = known["hazard"].fillna(0.0).clip(0, 1)
    figures["oracle"] = _figures(known, unit)
    gained = (figures["model"]["roc_auc"] - 0.5) / (figures["oracle"]["roc_auc"] - 0.5)
    return {
        "students": len(known),
        "positives": int(known["label"].sum()),
        "without_hazard": int(known["hazard"].isna().sum()),
        "share_of_oracle": gained,
        "scorers": figures,
    }


def _figures(known: pd.DataFrame, risk: pd.Series) -> dict[str, float]:
    judged = Judged(
        y=known["label"].to_numpy(np.float64),
        risk=risk.to_numpy(np.float64),
        school=known["school_id"],
        snapshot=known["snapshot"],
    )
    measured = pooled(judged, samples=0)
    return {"roc_auc": measured["roc_auc"], **{name: measured["recall_at"][name] for name in LISTS}}


@click.command()
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("truth", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--predictions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True)
def main(home: Path, truth: Path, predictions: Path | None, as_json: bool) -> None:
    """Compare the backtest in HOME with the hidden truth in TRUTH."""
    office = Office(Home(home.resolve()), Home(home.resolve()).config)
    if predictions is None:
        with office.accounts() as accounts, open_lake(office.home, office.settings) as lake:
            told = look_back(lake, office.settings, Request(), Watch(accounts)).judgement.predictions
    else:
        told = pd.read_parquet(predictions)
    document = compare(with_hazard(told, truth))
    print(json.dumps(document) if as_json else _text(document))


def _text(document: dict[str, Any]) -> str:
    lines = [f"{document['students']:,} rows, {document['positives']:,} leavers"]
    for name, figures in document["scorers"].items():
        recalls = "  ".join(f"{length} {figures[length]:.3f}" for length in LISTS)
        lines.append(f"{name:<12} AUC {figures['roc_auc']:.4f}  recall at {recalls}")
    lines.append(f"(AUC − 0.5) / (oracle − 0.5) = {document['share_of_oracle']:.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
