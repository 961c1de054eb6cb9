"""The dispatcher: a wrong call is one readable line, for machines a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from risk_model.command.main import main
from risk_model.command.steps import call
from risk_model.command.surface import Office
from risk_model.errors import UsageError
from risk_model.home import Home

WRONG = {
    "an unknown subcommand": (["nope"], "'nope'"),
    "an unknown option": (["import", "--nope"], "'--nope'"),
    "a missing argument": (["import"], "'DIR'"),
    "a folder that is not there": (["import", "nowhere"], "'nowhere'"),
    "an option before the subcommand": (["--nope", "import"], "'--nope'"),
    "a configuration that is not there": (["--config", "nope.toml", "contract"], "'nope.toml'"),
    "an unknown subcommand of models": (["models", "nope"], "'nope'"),
}


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), *arguments])


@pytest.mark.parametrize(("arguments", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_one_line_that_names_what_is_wrong(tmp_path, arguments, named):
    result = run(tmp_path, *arguments)
    (line,) = result.stderr.splitlines()
    assert line.startswith("dropout-risk: ")
    assert named in line
    assert "--help`" in line
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize(("arguments", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_call_under_json_is_a_document(tmp_path, arguments, named):
    result = run(tmp_path, "--json", *arguments)
    document = json.loads(result.stdout)
    assert named in document["error"]
    assert document["exit_code"] == result.exit_code == 2


def test_an_error_without_a_document_prints_one_under_json(tmp_path):
    result = run(tmp_path, "models", "show", "7", "--json")
    document = json.loads(result.stdout)
    assert document["exit_code"] == result.exit_code == 1
    assert result.stderr == f"dropout-risk: {document['error']}\n"


@pytest.mark.parametrize(
    "arguments", [("--json", "models", "list"), ("models", "--json", "list"), ("models", "list", "--json")]
)
def test_json_may_stand_anywhere_in_a_call_of_models(tmp_path, arguments):
    assert json.loads(run(tmp_path, *arguments).stdout) == []


def test_help_and_version_are_no_errors(tmp_path):
    assert run(tmp_path, "--help").exit_code == run(tmp_path, "models", "--help").exit_code == 0
    assert run(tmp_path, "--version").stdout.startswith("dropout-risk")


def test_a_step_that_is_called_wrongly_is_a_wrong_call_of_the_chain(tmp_path):
    home = Home(tmp_path)
    with pytest.raises(UsageError, match=r"^import: .*nowhere"):
        call(Office(home, home.config), "import", "nowhere")
