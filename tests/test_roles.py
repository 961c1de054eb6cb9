"""Champion and challenger: who holds a role is what the table of promotions says, and MLflow follows."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from risk_model.errors import BundleError, MissingError, UsageError
from risk_model.home import Home
from risk_model.registry import Registry
from risk_model.roles import Roles
from risk_model.settings import Settings
from risk_model.shelf import Shelf
from risk_model.tracking import NAME
from tests import bundles

VERSIONS = 3
AT_ONCE = 8


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three versions, the first one champion; copied for each test."""
    folder = tmp_path_factory.mktemp("roles")
    registry = Registry(Home(folder / "home"), Settings())
    for seed in range(1, VERSIONS + 1):
        bundles.lightgbm_bundle(folder / f"bundle{seed}", seed)
        registry.record_run(folder / f"bundle{seed}")
    registry.promote("1", who="the office", why="the first")
    return folder / "home"


@pytest.fixture
def registry(made: Path, tmp_path: Path) -> Registry:
    return Registry(Home(Path(shutil.copytree(made, tmp_path / "home"))), Settings())


def named(found: Any) -> str | None:
    return found.version if found else None


def mlflow_aliases(registry: Registry) -> dict[str, str]:
    held = registry._tracking().client.get_registered_model(NAME).aliases
    return {alias: str(version) for alias, version in held.items()}


def test_a_challenger_is_kept_with_who_and_why_and_mlflow_follows(registry):
    registry.challenge("2", who="Li", why="churn", report_digest="ab" * 32)
    (row,) = registry.challenges()
    assert (row.version, row.who, row.why, row.report_digest) == ("2", "Li", "churn", "ab" * 32)
    assert named(registry.challenger()) == "2"
    assert registry.challenger().load().digest == row.digest
    assert mlflow_aliases(registry) == {"champion": "1", "challenger": "2"}
    assert registry.versions()[1].aliases == ("challenger",)
    assert named(registry.champion()) == "1", "a challenger changes no list"
    assert len(registry.history()) == 1


def test_the_newest_challenger_takes_the_place_of_the_one_before(registry):
    registry.challenge("2", who="Li", why="first")
    registry.challenge("3", who="Li", why="newer")
    assert [row.from_version for row in registry.challenges()] == [None, "2"]
    assert mlflow_aliases(registry)["challenger"] == "3"


def test_a_promoted_challenger_is_challenger_no_more_even_after_a_rollback(registry):
    registry.challenge("2", who="Li", why="shadow")
    registry.promote("2", who="Li", why="better")
    assert registry.challenger() is None
    assert mlflow_aliases(registry) == {"champion": "2", "previous": "1"}
    registry.rollback(who="Li", why="worse")
    assert registry.challenger() is None
    registry.challenge("2", who="Li", why="another try")
    assert named(registry.challenger()) == "2"


def test_a_challenger_is_withdrawn_on_record(registry):
    registry.challenge("2", who="Li", why="shadow")
    assert registry.withdraw_challenger(who="Wang", why="enough seen") == "2"
    assert registry.challenger() is None
    registry.follow()
    assert mlflow_aliases(registry) == {"champion": "1"}
    assert registry.challenges()[-1].why == "enough seen"
    with pytest.raises(MissingError, match="no challenger"):
        registry.withdraw_challenger(who="Wang", why="again")


def test_the_champion_cannot_challenge_itself_and_a_damaged_version_cannot_challenge(registry):
    with pytest.raises(UsageError, match="scores already"):
        registry.challenge("1", who="Li", why="?")
    damaged = Shelf(registry._home).folder(registry.versions()[1].digest)
    (damaged / "calibrator.json").write_text("{}")
    with pytest.raises(BundleError, match="Version 2 is damaged"):
        registry.challenge("2", who="Li", why="?")
    assert registry.challenger() is None


def test_mlflows_aliases_are_mended_from_the_table(registry):
    registry.challenge("2", who="Li", why="shadow")
    client = registry._tracking().client
    client.set_registered_model_alias(NAME, "challenger", "3")
    client.set_registered_model_alias(NAME, "champion", "3")
    registry.follow()
    assert mlflow_aliases(registry) == {"champion": "1", "challenger": "2"}
    registry.withdraw_challenger(who="Li", why="enough")
    client.set_registered_model_alias(NAME, "challenger", "3")
    registry.follow()
    assert mlflow_aliases(registry) == {"champion": "1"}


PROMOTE = """
    import sys, time
    from pathlib import Path
    from risk_model.errors import PromotionRefusedError
    from risk_model.home import Home
    from risk_model.registry import Registry
    from risk_model.settings import Settings

    home, who, version, go = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
    registry = Registry(Home(home), Settings())
    seen = registry.champion()
    registry.versions()  # MLflow is imported before the start
    go.with_name(f"ready{who}").touch()
    while not go.exists():
        time.sleep(0.005)
    try:
        registry.promote(version, who=f"person {who}", why="mine", instead_of=seen)
        print("promoted")
    except PromotionRefusedError as error:
        print(error)
"""


@pytest.mark.slow
def test_of_eight_processes_that_promote_at_once_one_wins_and_seven_are_told_by_whom(registry, tmp_path):
    """Each looked at the same champion; four promote version 2, four version 3."""
    home, go, people = registry._home.folder, tmp_path / "go", range(AT_ONCE)
    version = {who: str(2 + who % 2) for who in people}
    code = textwrap.dedent(PROMOTE)
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(home), str(who), version[who], str(go)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in people
    ]
    while not all((tmp_path / f"ready{who}").exists() for who in people):
        time.sleep(0.05)
        assert all(process.poll() is None for process in racing)
    go.touch()
    said = [process.communicate(timeout=300)[0].strip() for process in racing]
    (winner,) = [who for who in people if said[who] == "promoted"]
    told = f"it is now version {version[winner]}, promoted by person {winner}: mine"
    assert sum(told in answer for answer in said) == AT_ONCE - 1
    assert [(row.version, row.who) for row in registry.history()[1:]] == [
        (version[winner], f"person {winner}")
    ]
    assert mlflow_aliases(registry) == {"champion": version[winner], "previous": "1"}


ROLLBACK = """
    import sys
    from risk_model.command.main import main
    try:
        main(["--home", sys.argv[1], "models", "rollback", "--why", "night"])
    except SystemExit as end:
        assert not end.code, end.code
    print({"mlflow", "lightgbm", "sklearn", "duckdb", "pandas", "requests"} & set(sys.modules))
"""


def test_a_rollback_asks_no_server_and_imports_nothing_heavy(registry, monkeypatch):
    """The tracking server is one that never answers."""
    registry.promote("2", who="Li", why="better")
    monkeypatch.setenv("DROPOUT_RISK_TRACKING_URI", "http://192.0.2.1:5000")
    command = [sys.executable, "-c", textwrap.dedent(ROLLBACK), str(registry._home.folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert ran.stdout.splitlines()[-1] == "set()"
    assert named(Roles(registry._home).champion()) == "1"


def test_a_rollback_takes_less_than_a_second(registry):
    registry.promote("2", who="Li", why="better")
    started = time.perf_counter()
    registry.rollback(who="Li", why="night")
    assert time.perf_counter() - started < 1
