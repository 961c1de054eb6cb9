"""What a run leaves behind: numbers flat and finite, documents as files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from risk_model.run_record import RunRecord


def test_an_unknown_metric_is_left_out_not_made_zero() -> None:
    metrics = {"auc": None, "brier": float("nan"), "slope": np.float64(0.9), "samples": 3, "list": [1]}
    assert RunRecord(metrics=metrics).flat_metrics() == {"slope": 0.9, "samples": 3.0}


def test_nested_names_are_joined_and_the_percent_sign_spelled() -> None:
    record = RunRecord(
        metrics={"model": {"recall_at": {"1%": 0.5}}}, params={"a": {"b": (1, "x")}, "c": None}
    )
    assert record.flat_metrics() == {"model.recall_at.1pct": 0.5}
    assert record.flat_params() == {"a.b": '[1, "x"]', "c": "None"}


def test_a_parameter_too_long_for_mlflow_is_cut() -> None:
    assert len(RunRecord(params={"a": "x" * 9000}).flat_params()["a"]) == 6000


def test_documents_are_written_as_json_text_or_bytes(tmp_path: Path) -> None:
    RunRecord(artifacts={"gate": {"county": "县"}, "card.md": "# 卡", "list.xlsx": b"PK"}).write_files(
        tmp_path
    )
    assert json.loads((tmp_path / "gate.json").read_text()) == {"county": "县"}
    assert (tmp_path / "card.md").read_text() == "# 卡"
    assert (tmp_path / "list.xlsx").read_bytes() == b"PK"
