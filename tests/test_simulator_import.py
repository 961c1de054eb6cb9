"""A simulated delivery in the importer's eyes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from risk_model.command.main import main


def dropout_risk(*arguments: str | Path) -> dict:
    result = CliRunner().invoke(main, ["--json", *map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def imported(folder: Path, *options: str) -> dict:
    dropout_risk("simulate", folder / "delivery", "--students", "300", "--years", "1", *options)
    return dropout_risk("--home", folder / "home", "import", folder / "delivery")["tables"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--encoding", "gb18030"), ("--format", "parquet")], ids=str)
def test_a_clean_delivery_is_accepted_to_the_last_row(tmp_path, options):
    tables = imported(tmp_path, *options)
    assert tables["attendance"]["accepted"] > 45_000
    for name, account in tables.items():
        assert account["rejected"] == 0, name
        assert account["accepted"] == account["read"], name


@pytest.mark.slow
def test_a_dirty_delivery_is_taken_and_its_mess_accounted_for(tmp_path):
    tables = imported(tmp_path, "--dirty")
    assert 0 < tables["attendance"]["rejected"] < 0.01 * tables["attendance"]["read"]
    assert tables["attendance"]["unchanged"] > 0
    for name in ("students", "student_aliases", "enrolments", "headcounts", "travel"):
        assert tables[name]["rejected"] == 0, name
