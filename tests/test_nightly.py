"""``nightly``: deliveries in the order of their names, then the score; a refused one does not stop the night.

The registers are imported by the real command; scoring and monitoring, which need a model, are stood in for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from risk_model.command import nightly, steps
from risk_model.command.main import main
from risk_model.command.steps import Step
from risk_model.errors import RiskModelError

SCORED = {"students": 2, "as_of": "2025-11-14", "model_version": "1", "listed": 1, "held_back": []}
MONITORED = {"decision": "keep", "alerts": [], "report": "report.html"}
SCHOOLS = "school_id,name,county_id,recorded_on\nA,First,C1,2025-09-01\n"
STUDENTS = "student_id,name,recorded_on\nS1,Lan,2025-09-01\nS2,Ming,2025-09-01\n"
MARKS = "student_id,day,mark,recorded_on\nS1,2025-09-01,{mark},2025-09-02\n"


@dataclass
class Night:
    """A home and its inbox; ``called`` are the steps of the last night."""

    folder: Path
    codes: dict[str, int] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    def deliver(self, name: str, *, done: bool = True, **files: str) -> Path:
        delivery = self.inbox / name
        delivery.mkdir(parents=True, exist_ok=True)
        for register, text in files.items():
            (delivery / f"{register}.csv").write_text(text)
        if done:
            (delivery / "_DONE").touch()
        return delivery

    def step(self, office, name: str, *arguments: str, allowed=(0,)) -> Step:
        self.called.append(Path(arguments[0]).name if name == "import" else name)
        if name == "import":
            return steps.call(office, name, *arguments, allowed=allowed)
        assert arguments == ("--as-of", "2025-11-14")
        code = self.codes.get(name, 0)
        assert code in allowed
        return Step(SCORED if name == "score" else MONITORED, code)

    def run(self, *options: str) -> Result:
        self.called.clear()
        arguments = ["--home", str(self.folder / "home"), "--json", "nightly", "--as-of", "2025-11-14"]
        return CliRunner().invoke(main, [*arguments, "--inbox", str(self.inbox), *options])


@pytest.fixture
def night(tmp_path, monkeypatch) -> Night:
    night = Night(tmp_path)
    night.inbox.mkdir()
    monkeypatch.setattr(nightly, "call", night.step)
    monkeypatch.setattr(nightly, "exists", lambda name: True)
    return night


def deliveries(result: Result) -> list[tuple[str, bool]]:
    return [(one["delivery"], one["taken"]) for one in json.loads(result.stdout)["import"]]


def test_deliveries_are_taken_in_the_order_of_their_names_before_the_score(night: Night):
    night.deliver("2025-09-02", students=STUDENTS)
    night.deliver("2025-09-01", schools=SCHOOLS)
    result = night.run()
    assert result.exit_code == 0, result.stderr
    assert night.called == ["2025-09-01", "2025-09-02", "score", "monitor"]
    assert deliveries(result) == [("2025-09-01", True), ("2025-09-02", True)]


def test_a_delivery_waits_for_done_and_is_taken_once(night: Night):
    growing = night.deliver("growing", done=False, schools=SCHOOLS)
    assert deliveries(night.run()) == []
    assert not (growing / "_TAKEN").exists()
    (growing / "_DONE").touch()
    assert deliveries(night.run()) == [("growing", True)]
    assert (growing / "_TAKEN").exists()
    assert deliveries(night.run()) == []


def test_a_refused_delivery_stays_in_the_inbox_and_the_night_goes_on_to_end_with_three(night: Night):
    refused = night.deliver("1-refused", attendance=MARKS.format(mark="asleep"))
    night.deliver("2-good", students=STUDENTS)
    night.codes = {"score": 6}
    result = night.run()
    assert result.exit_code == 3
    assert night.called == ["1-refused", "2-good", "score", "monitor"]
    assert deliveries(result) == [("1-refused", False), ("2-good", True)]
    assert not (refused / "_TAKEN").exists()
    night.deliver("1-refused", attendance=MARKS.format(mark="late"))
    assert deliveries(night.run()) == [("1-refused", True)]


def test_a_delivery_without_a_register_is_refused_like_any_other(night: Night):
    night.deliver("empty")
    result = night.run()
    assert result.exit_code == 3
    assert deliveries(result) == [("empty", False)]
    assert night.called == ["empty", "score", "monitor"]


@pytest.mark.parametrize("held_back", ["score", "monitor"])
def test_a_school_held_back_ends_the_night_with_six(night: Night, held_back: str):
    night.codes = {held_back: 6}
    assert night.run().exit_code == 6


def test_an_inbox_that_is_not_there_is_a_wrong_call_and_nothing_is_scored(night: Night):
    night.inbox.rmdir()
    result = night.run()
    assert result.exit_code == 2
    assert "is not a folder" in json.loads(result.stdout)["error"]
    assert night.called == []


def test_a_monitoring_that_fails_hides_no_list_and_ends_the_night_with_one(night: Night, monkeypatch):
    def failing(office, name: str, *arguments: str, allowed=(0,)) -> Step:
        if name == "monitor":
            raise RiskModelError("The disk is full.")
        return night.step(office, name, *arguments, allowed=allowed)

    monkeypatch.setattr(nightly, "call", failing)
    result = night.run()
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["score"] == SCORED
    assert told["monitor"] == {"error": "The disk is full."}
    night.codes = {"score": 6}
    assert night.run().exit_code == 6
