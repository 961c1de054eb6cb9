"""The benchmark of the state of marks, small: it compares what was really read."""

from __future__ import annotations

import json

from click.testing import CliRunner

from benchmarks.state import main


def test_building_bringing_forward_and_reading_are_measured_beside_the_lake():
    answer = CliRunner().invoke(main, ["--students", "1500", "--days", "6", "--rounds", "1", "--json"])
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    steps = {"build", "bring_forward", "read_from_state", "read_from_lake"}
    assert set(document["seconds"]) == steps
    assert all(took["wall"] > 0 and took["processor"] > 0 for took in document["seconds"].values())
    seconds = {step: document["seconds"][step]["processor"] for step in steps}
    second = seconds["bring_forward"] + seconds["read_from_state"]
    assert document["second_night_over_lake"]["processor"] == second / seconds["read_from_lake"]
