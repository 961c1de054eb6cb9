"""The process Evidently runs in: rows come in by the pipe, HTML and JSON go out as files."""

from __future__ import annotations

import os

os.environ["DO_NOT_TRACK"] = "true"  # before the import: these are pupils' data

import json
import sys
import warnings
from pathlib import Path
from typing import Any


def main() -> None:
    """Read the order and the rows from stdin, make the report, write it."""
    import pyarrow as pa

    os.umask(0o077)
    order = json.loads(sys.stdin.buffer.readline())
    frame = pa.ipc.open_stream(sys.stdin.buffer.read()).read_pandas()
    warnings.simplefilter("ignore")  # Evidently's own, about pandas and numpy
    snapshot = _report(order, frame)
    Path(order["json"]).write_text(snapshot.json(), encoding="utf-8")
    snapshot.save_html(order["html"])


def _report(order: dict[str, Any], frame: Any) -> Any:
    from evidently import BinaryClassification, DataDefinition, Dataset, Report
    from evidently.presets import ClassificationPreset, DataDriftPreset, DataSummaryPreset

    columns = [*order["numbers"], *order["categories"]]
    definition = DataDefinition(numerical_columns=order["numbers"], categorical_columns=order["categories"])
    sides = []
    for window in ("current", "reference"):
        rows = frame.loc[frame["window"] == window, columns].astype("float64")
        for name in order["categories"]:  # Evidently takes words for categories, not numbers
            rows[name] = [None if value != value else f"{value:g}" for value in rows[name]]
        sides.append(Dataset.from_pandas(rows, data_definition=definition))
    # The methods are named: Evidently's own choice changes at a thousand rows.
    drift = DataDriftPreset(
        num_method="wasserstein", num_threshold=order["wasserstein"], cat_method="jensenshannon",
        cat_threshold=order["jensen_shannon"],
    )  # fmt: skip
    snapshot = Report([drift, DataSummaryPreset()]).run(sides[0], sides[1])
    judged = frame[frame["window"] == "judged"]
    if len(judged) and judged["label"].nunique() == 2:
        _classified(
            order, judged, BinaryClassification, DataDefinition, Dataset, Report, ClassificationPreset
        )
    return snapshot


def _classified(
    order: dict[str, Any], judged: Any, binary: Any, definition: Any, dataset: Any, report: Any, preset: Any
) -> None:
    """The classification of a mature cohort, in files of its own: other rows than tonight's."""
    rows = judged[["label", "risk"]].astype({"label": "int64", "risk": "float64"})
    told = definition(
        classification=[binary(target="label", prediction_probas="risk", pos_label=1)],
        numerical_columns=["risk"],
    )
    snapshot = report([preset()]).run(dataset.from_pandas(rows, data_definition=told))
    html = Path(order["html"])
    snapshot.save_html(str(html.with_name(f"{html.stem}-classification.html")))
    html.with_name(f"{html.stem}-classification.json").write_text(snapshot.json(), encoding="utf-8")


if __name__ == "__main__":
    main()
