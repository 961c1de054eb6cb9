"""What is told while a command works: bars on a terminal, a structured log elsewhere, stdout left alone."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from risk_model.accounts import Accounts
from risk_model.command import watching
from risk_model.command.surface import Office
from risk_model.home import Home
from tests.county import COMMAND, dropout_risk, environment, simulate

KEYS = {"time", "level", "event", "command", "run"}


@pytest.fixture(scope="module")
def registers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("hamlet") / "registers", students=100, years=1)


def lines_of(stderr: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.splitlines()]


def test_in_a_pipe_every_line_of_an_import_is_an_object_and_stdout_is_the_document_alone(registers, tmp_path):
    answer = dropout_risk(tmp_path, "import", str(registers))
    assert answer.code == 0
    lines = lines_of(answer.stderr)
    assert all(line.keys() >= KEYS for line in lines)
    assert {(line["command"], line["run"]) for line in lines} == {("import", lines[0]["run"])}
    assert all(datetime.fromisoformat(line["time"]).utcoffset() is not None for line in lines)
    ended = {line["stage"]: line for line in lines if line["event"] == "finished"}
    assert list(ended) == ["read", "compare", "write", "tidy"]
    read = sum(table["read"] for table in answer.document["tables"].values())
    assert ended["read"]["rows"] == read > 1000
    assert ended["read"]["seconds"] == pytest.approx(answer.document["stages"]["read"]["seconds"], abs=0.01)
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("ended", 0)


def test_the_document_of_an_import_has_seconds_rows_and_memory_of_each_stage(registers, tmp_path):
    document = dropout_risk(tmp_path, "import", str(registers)).document
    for stage in document["stages"].values():
        assert stage.keys() == {"seconds", "work_seconds", "rows", "peak_memory_mb"}
        assert 0 < stage["peak_memory_mb"] <= document["peak_memory_mb"]
    assert sum(stage["seconds"] for stage in document["stages"].values()) <= document["seconds"] + 0.1


def test_a_refused_import_ends_its_log_as_an_error_and_says_why_in_one_sentence(tmp_path):
    delivery = tmp_path / "delivery"
    delivery.mkdir()
    (delivery / "attendance.csv").write_text("student_id\n1\n")
    answer = dropout_risk(tmp_path / "home", "import", str(delivery))
    assert answer.code == 3
    *lines, why = answer.stderr.splitlines()
    assert why.startswith("dropout-risk: ")
    last = json.loads(lines[-1])
    assert (last["event"], last["level"], last["exit_code"]) == ("ended", "error", 3)


def test_text_is_chosen_by_a_setting_and_then_nothing_is_json(registers, tmp_path, monkeypatch):
    monkeypatch.setenv("DROPOUT_RISK_LOG__FORMAT", "text")
    assert dropout_risk(tmp_path, "import", str(registers)).stderr == ""


def test_a_wrong_setting_is_said_once(registers, tmp_path, monkeypatch):
    monkeypatch.setenv("DROPOUT_RISK_LOG__FORMAT", "verse")
    answer = dropout_risk(tmp_path, "import", str(registers))
    assert answer.code == 2
    assert answer.stderr.startswith("dropout-risk: DROPOUT_RISK_LOG__FORMAT")
    assert len(answer.stderr.splitlines()) == 1


def test_on_a_terminal_there_is_a_bar_and_no_json(registers, tmp_path):
    """A real pseudo-terminal behind stderr; stdout stays the document alone."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [COMMAND, "--home", str(tmp_path), "--json", "import", str(registers)],
        stdout=subprocess.PIPE, stderr=theirs, env={**environment(), "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    stdout, _ = run.communicate()
    os.close(ours)
    assert run.returncode == 0
    assert json.loads(stdout)["taken"] is True
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "reading registers" in text
    assert "━" in text
    assert '"event"' not in text


def office(folder: Path, command: str) -> Office:
    home = Home(folder)
    return Office(home, home.config, command=command)


def test_people_who_ask_are_answered_in_sentences_in_a_pipe_too(tmp_path, capsys):
    office(tmp_path, "lists").say("Not in this list: school A.")
    office(tmp_path, "score").say("Publishing …")
    plain, line = capsys.readouterr().err.splitlines()
    assert plain == "Not in this list: school A."
    assert (json.loads(line)["message"], json.loads(line)["command"]) == ("Publishing …", "score")


def test_a_log_is_told_of_progress_now_and_then_and_not_at_every_step(monkeypatch, capsys):
    clock = iter(range(0, 100_000, 1))
    monkeypatch.setattr(watching, "perf_counter", lambda: float(next(clock)))
    accounts = Accounts(watching.Log("score", "r").watcher())
    with accounts.stage("explain", total=61) as stage:
        for _ in range(61):
            stage.count(1)
    lines = lines_of(capsys.readouterr().err)
    assert [line["event"] for line in lines] == ["begun", *["advanced"] * 4, "finished"]
    assert [line.get("rows") for line in lines] == [None, 15, 30, 45, 60, 61]
    assert lines[1]["total"] == 61


def test_steps_of_a_chain_name_the_same_run(registers, tmp_path):
    answer = dropout_risk(tmp_path, "nightly", "--inbox", str(registers.parent), as_json=False)
    assert answer.code != 0, "there is no model yet"
    lines = [json.loads(line) for line in answer.stderr.splitlines() if line.startswith("{")]
    assert {line["command"] for line in lines} >= {"score", "nightly"}
    assert len({line["run"] for line in lines}) == 1
