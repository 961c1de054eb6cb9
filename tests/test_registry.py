"""The registry: versions in MLflow, promotions in a table that only grows, champions in milliseconds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from risk_model import registry as registries
from risk_model import roles
from risk_model.errors import BundleError, LockHeldError, MissingError, UsageError
from risk_model.home import Home
from risk_model.registry import Registry
from risk_model.run_record import RunRecord
from risk_model.settings import Settings
from risk_model.shelf import Shelf
from risk_model.tracking import NAME, Tracking
from tests import bundles

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; making one takes seconds, copying it does not."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    registries._mlflow()
    with registries._quiet():
        registries._create_database(path)
    return path


@pytest.fixture
def home(tmp_path: Path, mlflow_database: Path) -> Home:
    home = Home(tmp_path / "县 office 100%")
    home.mlruns.mkdir(parents=True)
    shutil.copy(mlflow_database, home.mlruns)
    return home


@pytest.fixture
def registry(home: Home) -> Registry:
    return Registry(home, Settings())


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    bundles.lightgbm_bundle(tmp_path / "trained")
    return tmp_path / "trained"


@pytest.fixture
def retrained(tmp_path: Path) -> Path:
    bundles.lightgbm_bundle(tmp_path / "retrained", seed=2)
    return tmp_path / "retrained"


def _client(registry: Registry) -> Any:
    return registry._tracking().client


def _mlflow_aliases(registry: Registry) -> dict[str, str]:
    aliases = _client(registry).get_registered_model(NAME).aliases
    return {alias: str(version) for alias, version in aliases.items()}


def test_a_home_without_models_has_no_champion_and_no_versions(tmp_path: Path) -> None:
    empty = Registry(Home(tmp_path), Settings())
    assert empty.champion() is None
    assert empty.versions() == ()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MissingError, match="train first"):
        empty.promote("1", who="A", why="first")
    with pytest.raises(MissingError, match="train first"):
        empty.bundle("1")


def test_a_run_keeps_parameters_metrics_figures_documents_and_where_it_came_from(
    registry: Registry, trained: Path
) -> None:
    from matplotlib.figure import Figure

    version = registry.record_run(
        trained,
        params={"depth": 5, "labels": ["a", "b"]},
        metrics={"roc_auc": 0.8, "recall_at": {"1%": 0.2, "2%": None}},
        figures={"roc": Figure(), "gain": b"png"},
        artifacts={"card.md": "# Card", "backtest": [{"auc": 1}]},
        tags={"who": "office"},
    )
    (stored,) = registry.versions()
    client = _client(registry)
    run = client.get_run(stored.run_id)
    assert stored.version == version == "1"
    assert dict(stored.metrics) == {"roc_auc": 0.8, "recall_at.1pct": 0.2}
    assert (run.info.status, run.data.params["labels"]) == ("FINISHED", '["a", "b"]')
    assert run.data.tags["who"] == "office"
    assert run.data.tags["lake_snapshot"] == stored.tags["lake_snapshot"] == "7"
    assert run.data.tags["code_hash"] == "c0de"
    assert run.data.tags["settings_hash"] == "5e77"
    names = {item.path for item in client.list_artifacts(stored.run_id)}
    assert names == {"figures", "card.md", "backtest.json"}
    figures = {item.path for item in client.list_artifacts(stored.run_id, "figures")}
    assert figures == {"figures/roc.png", "figures/gain.png"}


def test_the_trials_of_a_search_are_runs_under_the_run_and_no_versions(
    registry: Registry, trained: Path
) -> None:
    began = datetime(2026, 3, 1, 12, tzinfo=UTC)
    trials = [
        RunRecord(
            name=f"trial {number}",
            began=began,
            ended=began + timedelta(seconds=7),
            params={"trial": number, "max_depth": 2 + number},
            metrics={"loss": 0.7, "regret": {"mean": 0.1 * number}},
            tags={"role": "trial"},
        )
        for number in range(3)
    ]
    registry.record_run(trained, nested=trials)
    (stored,) = registry.versions()
    client = _client(registry)
    (experiment,) = client.search_experiments(filter_string=f"name = '{NAME}'")
    under = client.search_runs(
        [experiment.experiment_id], f"tags.mlflow.parentRunId = '{stored.run_id}'", order_by=["params.trial"]
    )
    assert [run.info.run_name for run in under] == ["trial 0", "trial 1", "trial 2"]
    assert [run.data.params["max_depth"] for run in under] == ["2", "3", "4"]
    assert under[2].data.metrics == {"loss": 0.7, "regret.mean": pytest.approx(0.2)}
    assert {run.info.status for run in under} == {"FINISHED"}
    assert under[0].info.end_time - under[0].info.start_time == 7000
    assert under[0].data.tags["role"] == "trial"


def test_a_version_tells_which_checks_of_the_gate_it_failed(registry: Registry, trained: Path) -> None:
    registry.record_run(trained, tags={"gate": "failed", "failed_checks": "history, positives"})
    (stored,) = registry.versions()
    assert stored.tags["failed_checks"] == "history, positives"


def test_many_parameters_are_kept_all(registry: Registry, trained: Path) -> None:
    registry.record_run(trained, params={f"p{i}": i for i in range(230)}, metrics={"m": 1.0})
    (stored,) = registry.versions()
    kept = _client(registry).get_run(stored.run_id).data.params
    assert {f"p{i}": str(i) for i in range(230)}.items() <= kept.items()
    assert dict(stored.metrics) == {"m": 1.0}


def test_mlflow_loads_the_same_model_without_pickle_and_answers_risks(
    registry: Registry, trained: Path
) -> None:
    registry.record_run(trained)
    registry.promote("1", who="A", why="first")
    mlflow = registries._mlflow()
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert os.environ["DO_NOT_TRACK"] == "true"
    frame = bundles.pupils(20)
    with registries._quiet():
        served = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
        risks = served.predict(frame[bundles.FEATURES])
    assert np.array_equal(risks, registry.bundle("1").predict(frame))


def test_the_bundle_survives_the_folder_it_was_trained_in(registry: Registry, trained: Path) -> None:
    version = registry.record_run(trained)
    shutil.rmtree(trained)
    assert registry.bundle(version).features == tuple(bundles.FEATURES)


def test_the_same_inputs_again_are_a_new_version_of_the_same_bundle(
    registry: Registry, home: Home, trained: Path
) -> None:
    assert [registry.record_run(trained), registry.record_run(trained)] == ["1", "2"]
    first, second = registry.versions()
    assert first.digest == second.digest
    assert first.run_id != second.run_id
    assert [path.name for path in (home.mlruns / "bundles").iterdir()] == [first.digest[:12]]


def test_a_damaged_training_result_is_not_registered(registry: Registry, home: Home, trained: Path) -> None:
    (trained / "model.txt").write_text("tree")
    with pytest.raises(BundleError, match=r"model\.txt"):
        registry.record_run(trained)
    assert registry.versions() == ()
    assert not (home.mlruns / "bundles").exists()


def test_a_promotion_says_who_why_and_from_what(registry: Registry, trained: Path, retrained: Path) -> None:
    registry.record_run(trained)
    registry.record_run(retrained)
    registry.promote("1", who="Li", why="first model", report_digest="ab" * 32)
    champion = registry.promote("2", who="Wang", why="better recall")
    first, second = registry.history()
    assert (first.version, first.from_version, first.who, first.why) == ("1", None, "Li", "first model")
    assert (first.report_digest, first.lake_snapshot) == ("ab" * 32, 7)
    assert (second.version, second.from_version) == ("2", "1")
    assert champion == registry.champion()
    assert champion.load().digest == registry.versions()[1].digest == champion.digest
    assert [version.aliases for version in registry.versions()] == [("previous",), ("champion",)]
    assert _mlflow_aliases(registry) == {"champion": "2", "previous": "1"}


def test_a_version_promoted_twice_keeps_its_predecessor(
    registry: Registry, trained: Path, retrained: Path
) -> None:
    registry.record_run(trained)
    registry.record_run(retrained)
    for version in ("1", "2", "2"):
        registry.promote(version, who="Li", why="again")
    assert [version.aliases for version in registry.versions()] == [("previous",), ("champion",)]
    assert len(registry.history()) == 3


def test_an_unknown_version_is_refused_and_the_known_ones_named(registry: Registry, trained: Path) -> None:
    registry.record_run(trained)
    with pytest.raises(MissingError, match="no version 9 of the model; known: 1"):
        registry.promote("9", who="Li", why="typo")


@pytest.mark.parametrize(("who", "why"), [(" ", "good"), ("Li", "")])
def test_a_promotion_without_who_or_why_is_refused(
    registry: Registry, trained: Path, who: str, why: str
) -> None:
    registry.record_run(trained)
    with pytest.raises(UsageError, match="who and why"):
        registry.promote("1", who=who, why=why)
    assert registry.champion() is None


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE promotions SET why = 'nicer'",
        "DELETE FROM promotions",
        "INSERT OR REPLACE INTO promotions SELECT id, role, version, digest, folder, 'somebody', "
        "promoted_at, why, from_version, report_digest, lake_snapshot FROM promotions",
    ],
)
def test_promotions_cannot_be_rewritten(registry: Registry, home: Home, trained: Path, edit: str) -> None:
    registry.record_run(trained)
    registry.promote("1", who="Li", why="first")
    before = registry.history()
    with (
        registry._promotions._connect() as connection,
        pytest.raises(sa.exc.IntegrityError, match="append-only"),
    ):
        connection.execute(sa.text(edit))
    assert registry.history() == before


def test_a_promotion_killed_before_mlflow_heard_of_it_holds_and_is_healed(
    registry: Registry, trained: Path, retrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.record_run(trained)
    registry.record_run(retrained)
    registry.promote("1", who="Li", why="first")
    with monkeypatch.context() as patched:
        patched.setattr(Tracking, "follow", _killed)
        with pytest.raises(KeyboardInterrupt):
            registry.promote("2", who="Li", why="second")
    champion = registry.champion()
    assert champion is not None
    assert champion.version == "2"
    assert _mlflow_aliases(registry) == {"champion": "1"}
    registry.record_run(trained)
    assert _mlflow_aliases(registry) == {"champion": "2", "previous": "1"}


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("owner", "step"),
    [(Shelf, "put"), (Tracking, "start_run"), (registries, "_log_numbers"), (Tracking, "register")],
)
def test_a_training_killed_while_it_registers_leaves_no_version_and_the_rerun_has_one(
    registry: Registry, trained: Path, monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(owner, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            registry.record_run(trained)
    assert registry.versions() == ()
    assert registry.record_run(trained) == "1"
    assert registry.bundle("1").features == tuple(bundles.FEATURES)


def test_a_run_that_was_killed_does_not_look_alive_forever(registry: Registry, trained: Path) -> None:
    registry.record_run(trained)
    client = _client(registry)
    experiment = client.get_experiment_by_name(NAME).experiment_id
    killed = client.create_run(experiment, tags={"office": "here"}).info.run_id
    foreign = client.create_run(experiment, tags={"office": "another"}).info.run_id
    registry.record_run(trained)
    assert client.get_run(killed).info.status == "KILLED"
    assert client.get_run(foreign).info.status == "RUNNING"


def test_a_damaged_version_is_not_promoted_and_the_champion_stays(
    registry: Registry, trained: Path, retrained: Path
) -> None:
    registry.record_run(trained)
    registry.record_run(retrained)
    registry.promote("1", who="Li", why="first")
    damaged = Shelf(registry._home).folder(registry.versions()[1].digest)
    (damaged / "calibrator.json").write_text("{}")
    with pytest.raises(BundleError, match=r"Version 2 is damaged.*calibrator\.json"):
        registry.promote("2", who="Li", why="second")
    with pytest.raises(BundleError, match="Version 2 is damaged"):
        registry.bundle("2")
    champion = registry.champion()
    assert champion is not None
    assert champion.version == "1"
    assert len(registry.history()) == 1


def test_training_again_heals_a_damaged_bundle_and_keeps_the_damaged_one_aside(
    registry: Registry, home: Home, trained: Path
) -> None:
    registry.record_run(trained)
    (digest,) = {version.digest for version in registry.versions()}
    (Shelf(home).folder(digest) / "model.txt").unlink()
    registry.record_run(trained)
    assert registry.bundle("1").digest == digest
    assert len(list((home.mlruns / "bundles").glob("*.damaged.*"))) == 1


def test_a_damaged_champion_is_refused_when_it_is_loaded(registry: Registry, trained: Path) -> None:
    registry.record_run(trained)
    champion = registry.promote("1", who="Li", why="first")
    content = (champion.folder / "model.txt").read_bytes()
    (champion.folder / "model.txt").write_bytes(content.replace(b"1", b"2", 1))
    with pytest.raises(BundleError, match=r"model\.txt"):
        champion.load()


def test_a_moved_home_still_scores_and_trains_in_its_new_place(
    registry: Registry, home: Home, trained: Path, retrained: Path, tmp_path: Path
) -> None:
    registry.record_run(trained)
    registry.promote("1", who="Li", why="first")
    new = Home(tmp_path / "moved")
    shutil.copytree(home.folder, new.folder)
    shutil.rmtree(home.folder)
    moved = Registry(new, Settings())
    champion = moved.champion()
    assert champion is not None
    assert champion.load().features == tuple(bundles.FEATURES)
    assert moved.record_run(retrained, artifacts={"card.md": "# Card"}) == "2"
    assert [version.aliases for version in moved.versions()] == [("champion",), ()]
    assert not home.folder.exists()
    assert list((new.mlruns / "artifacts").rglob("card.md"))


def test_when_mlflows_database_is_lost_the_champion_still_scores(
    registry: Registry, home: Home, trained: Path, retrained: Path, mlflow_database: Path
) -> None:
    """Version numbers begin anew then; the alias of the old champion must not go to another model."""
    registry.record_run(trained)
    champion = registry.promote("1", who="Li", why="first")
    lost = Registry(Home(home.folder.with_name("lost")), Settings())
    shutil.copytree(home.mlruns / "bundles", lost._home.mlruns / "bundles")
    shutil.copy(home.mlruns / "registry.db", lost._home.mlruns)
    shutil.copy(mlflow_database, lost._home.mlruns)
    assert lost.record_run(retrained) == "1"
    found = lost.champion()
    assert found is not None
    assert found.load().digest == champion.digest
    assert lost.versions()[0].aliases == ()


def test_homes_that_share_a_tracking_database_leave_each_others_runs_alone(
    tmp_path: Path, mlflow_database: Path, trained: Path, retrained: Path
) -> None:
    shared = Path(shutil.copy(mlflow_database, tmp_path / "shared.db"))
    settings = Settings(tracking_uri=f"sqlite:///{shared}")
    north, south = (Registry(Home(tmp_path / name), settings) for name in ("north", "south"))
    assert [north.record_run(trained), south.record_run(retrained)] == ["1", "2"]
    client = _client(north)
    experiment = client.get_experiment_by_name(NAME)
    running = north._tracking().start_run(experiment.experiment_id, "running", {})
    south.record_run(retrained)
    assert client.get_run(running).info.status == "RUNNING"
    north.record_run(trained)
    assert client.get_run(running).info.status == "KILLED"
    assert not list(tmp_path.rglob("mlflow.db"))
    with pytest.raises(BundleError, match="Version 2 is damaged"):  # its bundle lies in the other home
        north.promote("2", who="Li", why="it is theirs")


def test_what_a_killed_process_left_half_made_is_swept(registry: Registry, home: Home, trained: Path) -> None:
    (home.mlruns / "mlflow.db").unlink()
    (home.mlruns / ".mlflow-killed").mkdir()
    half = home.mlruns / "bundles" / ".0123456789ab.killed"
    half.mkdir(parents=True)
    registry.record_run(trained)
    assert not half.exists()
    assert sorted(path.name for path in home.mlruns.iterdir()) == ["artifacts", "bundles", "mlflow.db"]


def test_registering_waits_for_the_lock_but_not_forever(
    registry: Registry, home: Home, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "LOCK_SECONDS", 0.1)
    with home.lock("registry"), pytest.raises(LockHeldError):
        registry.record_run(trained)
    assert registry.versions() == ()


def _python(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(script), *(str(argument) for argument in arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_champion_is_found_in_milliseconds_without_mlflow(
    registry: Registry, home: Home, trained: Path
) -> None:
    registry.record_run(trained)
    registry.promote("1", who="Li", why="first")
    reader = _python(
        """
        import sys, time
        from pathlib import Path
        from risk_model.home import Home
        from risk_model.registry import Registry
        from risk_model.settings import Settings
        registry = Registry(Home(Path(sys.argv[1])), Settings())
        registry.champion()
        begun = time.perf_counter()
        champion = registry.champion()
        print(champion.version, time.perf_counter() - begun < 0.1, champion.load().manifest.kind,
              "mlflow" in sys.modules)
        """,
        home.folder,
    )
    out, errors = reader.communicate(timeout=60)
    assert (out.split(), errors) == (["1", "True", "lightgbm", "False"], "")


RECORD = """
    import os, signal, sys
    from pathlib import Path
    from risk_model import registry
    from risk_model.home import Home
    from risk_model.settings import Settings
    if len(sys.argv) > 3:
        setattr(registry, sys.argv[3], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    print(registry.Registry(Home(Path(sys.argv[1])), Settings()).record_run(Path(sys.argv[2])))
"""


@pytest.mark.slow
def test_two_first_trainings_at_once_both_register_in_silence(tmp_path: Path, trained: Path) -> None:
    """MLflow's own first initialisation breaks when two processes do it."""
    both = [_python(RECORD, tmp_path / "new", trained) for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in both]
    assert sorted(out.strip() for out, _ in answers) == ["1", "2"]
    assert [errors for _, errors in answers] == ["", ""]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["_create_database", "_log_model"])
def test_kill_9_while_registering_is_healed_by_the_rerun(home: Home, trained: Path, step: str) -> None:
    if step == "_create_database":
        (home.mlruns / "mlflow.db").unlink()
    killed = _python(RECORD, home.folder, trained, step)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    registry = Registry(home, Settings())
    assert registry.champion() is None
    assert registry.versions() == ()
    assert registry.record_run(trained) == "1"
    client = _client(registry)
    runs = client.search_runs([client.get_experiment_by_name(NAME).experiment_id])
    expected = {"_create_database": ["FINISHED"], "_log_model": ["FINISHED", "KILLED"]}
    assert sorted(run.info.status for run in runs) == expected[step]
