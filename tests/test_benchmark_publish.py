"""The benchmark of publication, small: it measures both databases and what it says was done was done."""

from __future__ import annotations

import json

from click.testing import CliRunner

from benchmarks.publish import main


def test_each_step_is_measured_on_both_databases_beside_a_reader(tmp_path):
    answer = CliRunner().invoke(main, ["--rows", "3000", "--folder", str(tmp_path), "--json"])
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    for name in ("sqlite", "postgresql"):
        told = document[name]
        assert set(told["seconds"]) == {"stage", "check", "flip", "analyze", "prune", "publication"}
        assert all(seconds > 0 for seconds in told["seconds"].values())
        assert told["pruned"] == {"runs": 1, "rows": 3000 + 5}
        assert told["times_bare_insert"] > 1
        assert 0 < told["reader"]["p99"] <= told["reader"]["longest"]
    assert document["postgresql_over_sqlite"] > 0
