"""README's commands exist as it writes them; the story and the kill tests run them for real."""

import re
import shlex
from pathlib import Path

import click
import pytest

from risk_model.command.main import main
from tests import bundles
from tests.flat_tables import flat_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CALLS = re.findall(r"dropout-risk ((?:--home|simulate|import|train|contract)[^`#\n]*)", README)


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)", README))
    assert {"demo", "test", "setup"} <= named
    assert named <= targets


def test_the_readme_shows_the_whole_way():
    shown = " ".join(CALLS)
    assert all(
        step in shown for step in ("import", "train", "score", "lists", "explain", "nightly", "simulate")
    )


@pytest.mark.parametrize("call", CALLS)
def test_every_command_of_the_readme_parses(call):
    words = shlex.split(call)
    context = click.Context(main)
    arguments = main.make_parser(context).parse_args(words)[1]
    command = main.get_command(context, arguments[0])
    assert command is not None, f"README names {arguments[0]!r}, which is no subcommand"
    while isinstance(command, click.Group):
        arguments = arguments[1:]
        command = command.get_command(context, arguments[0])
        assert command is not None, f"README names {arguments[0]!r}, which is no subcommand"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in arguments[1:] if word.startswith("--")} <= known


def test_every_page_the_readme_links_exists():
    links = re.findall(r"\]\(([\w/.]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_examples_in_python_run(tmp_path, monkeypatch):
    """All in the order of the page, on a bundle and tables as it describes them."""
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    table, left = flat_table(200)
    names = {"digest": bundles.lightgbm_bundle(tmp_path / "bundle"), "pupils": bundles.pupils(20)}
    names |= {"table": table, "left": left}
    for example in examples:
        exec(example, names)
        assert len(names["risk"]) in (20, 200)
    assert len(examples) == 2
    assert set(names["strongest"]) <= set(table)
    assert len(names["search"].trials_) == 11
