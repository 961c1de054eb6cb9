"""The textfile of the last run: what Prometheus reads, without a pupil or a school in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from risk_model.home import Home
from risk_model.metrics import write_metrics
from risk_model.settings import MetricsSettings, Settings
from tests.county import dropout_risk, simulate

DOCUMENT = {
    "run_id": "f00d",
    "as_of": "2026-03-02",
    "students": 57000,
    "listed": 2800,
    "published": True,
    "held_back": [{"unit": "school:5201210012", "reason": "silent", "as_of": None}],
    "seconds": {"features": 2.0, "explain": 1.0, "publish": 1.5, "total": 5.0},
    "stages": {
        "features": {"seconds": 2.0, "work_seconds": 3.0, "rows": 57000, "peak_memory_mb": 900.5},
        "publish": {"seconds": 1.5, "work_seconds": 1.5, "rows": 57000, "peak_memory_mb": 400.0},
    },
    "peak_memory_mb": 1000.25,
}


def figures(file: Path) -> dict[str, Any]:
    """Value by name and, where there is one, the label beside ``command``."""
    found = {}
    for family in text_string_to_metric_families(file.read_text()):
        for sample in family.samples:
            others = [value for name, value in sample.labels.items() if name != "command"]
            found[" ".join([sample.name.removeprefix("dropout_risk_"), *others])] = sample.value
    return found


def written(home: Home, document: Any, code: int = 0, settings: Settings | None = None) -> dict[str, Any]:
    assert write_metrics(home, settings or Settings(), "score", document, code, 5.5) is None
    return figures(home.folder / "data" / "metrics" / "score.prom")


def test_everything_asked_for_is_there(tmp_path):
    told = written(Home(tmp_path), DOCUMENT, code=6)
    assert told.items() >= {
        "exit_code": 6, "pupils": 57000, "listed": 2800, "published": 1, "held_back": 1,
        "peak_memory_megabytes": 1000.25, "as_of_timestamp_seconds": 1772409600, "run_seconds": 5.5,
        "stage_seconds features": 2.0, "stage_rows features": 57000,
        "stage_peak_memory_megabytes publish": 400.0,
    }.items()  # fmt: skip
    assert told["last_success_timestamp_seconds"] == told["last_run_timestamp_seconds"] > 1.7e9


def test_no_school_and_no_pupil_is_named(tmp_path):
    written(Home(tmp_path), DOCUMENT)
    text = (tmp_path / "data/metrics/score.prom").read_text()
    assert "5201210012" not in text
    assert "f00d" not in text


def test_a_run_that_failed_keeps_when_the_last_one_succeeded(tmp_path):
    home = Home(tmp_path)
    before = written(home, DOCUMENT)
    after = written(home, None, code=1)
    again = written(home, None, code=5)
    for failed in (after, again):
        assert failed["last_success_timestamp_seconds"] == before["last_success_timestamp_seconds"]
        assert "pupils" not in failed
    assert (after["exit_code"], again["exit_code"]) == (1, 5)
    assert again["last_run_timestamp_seconds"] > before["last_run_timestamp_seconds"]


def test_a_home_that_never_succeeded_says_no_time_of_success(tmp_path):
    assert "last_success_timestamp_seconds" not in written(Home(tmp_path), None, code=1)


@pytest.mark.parametrize("textfile", ["elsewhere/of-risk.prom", "{folder}/absolute.prom"])
def test_the_file_lies_where_the_setting_says_and_other_commands_beside_it(tmp_path, textfile):
    named = textfile.format(folder=tmp_path)
    settings = Settings(metrics=MetricsSettings(textfile=named))
    for command in ("score", "import"):
        assert write_metrics(Home(tmp_path), settings, command, None, 1) is None
    file = tmp_path / named
    assert sorted(path.name for path in file.parent.glob("*.prom")) == sorted([file.name, "import.prom"])


def test_an_empty_setting_writes_nothing(tmp_path):
    assert (
        write_metrics(Home(tmp_path), Settings(metrics=MetricsSettings(textfile="")), "score", None) is None
    )
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_written_it_says_why_and_the_old_file_stays_whole(tmp_path, monkeypatch):
    home = Home(tmp_path)
    before = written(home, DOCUMENT)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("prometheus_client.exposition.generate_latest", full)
    why = write_metrics(home, Settings(), "score", None, 1)
    assert why is not None
    assert "No space left" in why
    assert figures(tmp_path / "data/metrics/score.prom") == before
    assert [path.name for path in (tmp_path / "data/metrics").iterdir()] == ["score.prom"]


def test_an_import_writes_its_own_and_is_not_failed_by_it(tmp_path):
    registers = simulate(tmp_path / "registers", students=100, years=1)
    home = tmp_path / "home"
    (home / "data" / "metrics").mkdir(parents=True)
    (home / "data" / "metrics" / "import.prom").mkdir()
    answer = dropout_risk(home, "import", str(registers))
    assert answer.code == 0
    assert "The figures for Prometheus were not written" in answer.stderr
    (home / "data" / "metrics" / "import.prom").rmdir()
    assert dropout_risk(home, "import", str(registers)).code == 0
    told = figures(home / "data" / "metrics" / "import.prom")
    assert told["import_rows unchanged"] > 1000
    assert told["import_rows accepted"] == 0
    assert told["stage_rows read"] == told["import_rows unchanged"]
    assert told["exit_code"] == 0
