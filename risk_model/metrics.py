"""Figures of the last run of a command, for the textfile collector of Prometheus' node exporter.

One file a command, replaced as a whole. It holds counts and times only: no pupil, no school. What a run that
failed did not learn – how many pupils, which day – is gone from the file; when it last succeeded stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from risk_model.home import Home
    from risk_model.settings import Settings

SUCCEEDED = (0, 6)
"""Exit codes of a run that did what it is for; 6 names a school held back."""
LAST_SUCCESS = "dropout_risk_last_success_timestamp_seconds"
Figure = tuple[str, str, float, Mapping[str, str]]
"""Name, help, value and labels, beside the label ``command``."""


def textfile_of(home: Home, settings: Settings, command: str) -> Path | None:
    """Where the figures of ``command`` are written; null: nowhere."""
    if not settings.metrics.textfile:
        return None
    file = home.folder / settings.metrics.textfile
    return file if command == "score" else file.with_name(f"{command}.prom")


def write_metrics(
    home: Home, settings: Settings, command: str, document: Any, exit_code: int = 0, seconds: float = 0.0
) -> str | None:
    """Replace the textfile of ``command`` by the figures of this run; why that failed, or null.

    ``document`` is what the command answers under ``--json``; null if it answered nothing.
    """
    file = textfile_of(home, settings, command)
    if file is None:
        return None
    try:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

        registry = CollectorRegistry()
        gauges: dict[str, Gauge] = {}
        for name, text, value, labels in _figures(file, document, exit_code, seconds):
            if name not in gauges:
                gauges[name] = Gauge(name, text, ["command", *labels], registry=registry)
            gauges[name].labels(command=command, **labels).set(value)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(file), registry)
    except Exception as error:  # whatever it is, lists are published and registers are in
        return f"{' '.join(str(error).split())} ({type(error).__name__})"
    return None


def _figures(file: Path, document: Any, exit_code: int, seconds: float) -> Iterator[Figure]:
    now = time()
    succeeded = now if exit_code in SUCCEEDED else _last_success(file)
    if succeeded is not None:
        yield LAST_SUCCESS, "When the command last succeeded.", succeeded, {}
    yield "dropout_risk_last_run_timestamp_seconds", "When the command last ended.", now, {}
    yield "dropout_risk_exit_code", "Exit code of the last run.", exit_code, {}
    yield "dropout_risk_run_seconds", "How long the last run took.", seconds, {}
    if isinstance(document, dict):
        yield from _told(document)
        yield from _stages(document)


def _told(document: dict[str, Any]) -> Iterator[Figure]:
    for key, name, text in (
        ("peak_memory_mb", "peak_memory_megabytes", "Peak memory of all processes of the last run."),
        ("students", "pupils", "Pupils of the last run."),
        ("listed", "listed", "Pupils listed by the last run."),
        ("published", "published", "Whether the last run published any school's list."),
        ("promoted", "promoted", "Whether the last training was promoted."),
        ("snapshot", "lake_snapshot", "Snapshot of the lake after the last import."),
    ):
        if isinstance(document.get(key), int | float):
            yield f"dropout_risk_{name}", text, float(document[key]), {}
    if "held_back" in document:
        held = len(document["held_back"])
        yield "dropout_risk_held_back", "Schools or counties whose lists were held back.", held, {}
    if "alerts" in document:
        yield from _monitored(document)
    if isinstance(document.get("as_of"), str):
        as_of = datetime.fromisoformat(document["as_of"]).replace(tzinfo=UTC).timestamp()
        yield "dropout_risk_as_of_timestamp_seconds", "Day the last run looked from, 0:00 UTC.", as_of, {}
    for fate in ("accepted", "rejected", "unchanged"):
        if "tables" in document:
            rows = sum(table[fate] for table in document["tables"].values())
            yield "dropout_risk_import_rows", "Rows of the last delivery.", rows, {"fate": fate}


def _monitored(document: dict[str, Any]) -> Iterator[Figure]:
    """The decision of a night, and how many alerts stand for whom."""
    for level in ("keep", "investigate", "retrain"):
        chosen, label = float(document["decision"] == level), {"decision": level}
        yield "dropout_risk_decision", "Decision of monitoring, 1 for the one taken.", chosen, label
    for owner in ("data_office", "data_scientist", "responsible"):
        heard = [one for one in document["alerts"] if not one["silenced_until"]]
        standing, label = sum(one["owner"] == owner for one in heard), {"owner": owner}
        yield "dropout_risk_alerts", "Alerts that stand and are not silenced.", standing, label


def _stages(document: dict[str, Any]) -> Iterator[Figure]:
    """Seconds, rows and peak memory of each stage; the total where only that is told."""
    for stage, told in document.get("stages", {}).items():
        label = {"stage": stage}
        yield "dropout_risk_stage_seconds", "Seconds of a stage, on the clock.", told["seconds"], label
        yield "dropout_risk_stage_rows", "Rows of a stage.", told["rows"], label
        peak = told["peak_memory_mb"]
        yield "dropout_risk_stage_peak_memory_megabytes", "Peak memory within a stage.", peak, label


def _last_success(file: Path) -> float | None:
    """As the file of the run before tells it."""
    with suppress(OSError, ValueError):
        found = re.search(rf"^{LAST_SUCCESS}\{{.*?\}} (\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        return None if found is None else float(found[1])
    return None
