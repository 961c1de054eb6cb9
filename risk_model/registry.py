"""The registry of models: MLflow for runs and versions, our own table for promotions.

The only module that imports mlflow, and only where it is used: :meth:`Registry.champion` answers
without it. A bundle lies once under ``mlruns/bundles/``, found by its digest; MLflow keeps a copy.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from risk_model.errors import BundleError, MissingError, PromotionRefusedError, UsageError
from risk_model.home import Home
from risk_model.model.bundle import Bundle
from risk_model.model.exactness import demand_exact
from risk_model.model.golden import demand_golden
from risk_model.model.loading import Verified, load, verify
from risk_model.promotions import CHALLENGER
from risk_model.roles import Champion, Roles, demand_reasons
from risk_model.run_record import RunRecord
from risk_model.settings import Settings
from risk_model.tracking import Tracking, Version, provenance_tags

BATCH = 100
"""MLflow takes at most so many parameters in one call."""
REPORT = "report"
"""Name of the artifact that holds the document of the training."""
UNFINISHED = ".mlflow-"
"""Prefix of the folder in which MLflow's database is made."""
REQUIREMENTS = ("dropout-risk", "lightgbm", "numpy", "pandas", "scipy")


class Registry(Roles):
    """Models of one home: what :class:`risk_model.roles.Roles` knows, and all that needs MLflow.

    Every writing method takes the home's ``registry`` lock for the seconds it needs, and waits for it:
    the caller must not hold it.
    """

    def __init__(self, home: Home, settings: Settings) -> None:
        super().__init__(home)
        self._remote = settings.tracking_uri

    def record_run(
        self,
        bundle_folder: Path,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        figures: Mapping[str, Any] | None = None,
        artifacts: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        nested: Sequence[RunRecord] = (),
    ) -> str:
        """Keep a trained bundle: copy it to its place, log the run, register a version.

        ``bundle_folder`` may be deleted afterwards. ``nested`` are runs under it, the trials of a search;
        the other arguments are those of :class:`risk_model.run_record.RunRecord`. The version exists only
        once everything of its run is stored; a run that was killed on the way is marked ``KILLED`` by the
        next one.

        Returns
        -------
        str
            The version.

        Raises
        ------
        BundleError
            ``bundle_folder`` is not a sound bundle.
        """
        verified = verify(bundle_folder)
        record = RunRecord(
            params=params or {},
            metrics=metrics or {},
            figures=figures or {},
            artifacts=artifacts or {},
            tags={**provenance_tags(verified), **(tags or {})},
        )
        with self._locked(), _quiet():
            place = self._shelf.put(bundle_folder, verified)
            tracking = self._tracking()
            experiment = tracking.experiment(self._artifacts(), shared=self._remote is not None)
            tracking.end_killed_runs(experiment)
            run_id = tracking.start_run(experiment, verified.digest[:12], record.tags)
            _log_nested(tracking, experiment, run_id, nested)
            version = tracking.register(run_id, _log(tracking, run_id, place, verified, record), verified)
            tracking.follow(self.holders())
        return version

    def promote(
        self,
        version: str,
        *,
        who: str,
        why: str,
        report_digest: str | None = None,
        instead_of: Champion | Literal["whoever"] | None = "whoever",
    ) -> Champion:
        """Make ``version`` the champion: one durable row, then MLflow's aliases follow.

        ``instead_of`` is the champion the caller decided against; of two who decide at once the second
        is told.

        Raises
        ------
        MissingError
            There is no such version.
        BundleError
            Its bundle is damaged, answers otherwise than when it was made or explains otherwise than
            LightGBM; the champion stays.
        PromotionRefusedError
            Somebody else promoted a version in the meantime.
        UsageError
            ``who`` or ``why`` is empty.
        """
        demand_reasons(who, why)
        with self._locked(), _quiet():
            if instead_of != "whoever":
                self._demand_unchanged(instead_of)
            tracking = self._existing()
            chosen = tracking.version(version, self.holders())
            self._exact(chosen.version, chosen.digest)
            promotion = self._appended(chosen.version, chosen.digest, who, why, report_digest)
            tracking.follow(self.holders())
        return self._champion_of(promotion)

    def challenge(self, version: str, *, who: str, why: str, report_digest: str | None = None) -> Champion:
        """Let ``version`` score every night beside the champion, unseen, until it is promoted or withdrawn.

        Raises
        ------
        MissingError
            There is no such version.
        BundleError
            Its bundle is damaged.
        UsageError
            It is the champion, or ``who`` or ``why`` is empty.
        """
        demand_reasons(who, why)
        with self._locked(), _quiet():
            tracking = self._existing()
            chosen = tracking.version(version, self.holders())
            now = self.champion()
            if now is not None and now.digest == chosen.digest:
                raise UsageError(f"Version {version} is the model that scores already. Name another one.")
            self._sound(chosen.version, chosen.digest)
            promotion = self._appended(
                chosen.version, chosen.digest, who, why, report_digest, role=CHALLENGER
            )
            tracking.follow(self.holders())
        return self._champion_of(promotion)

    def report(self, version: str) -> dict[str, Any]:
        """What the training of ``version`` printed (contract §3, ``train --json``).

        Raises
        ------
        MissingError
            There is no such version, or its run kept no report (it was imported, or made before).
        """
        with _quiet():
            tracking = self._existing()
            chosen = tracking.version(version, self.holders())
            found: dict[str, Any] | None = tracking.json_of(
                chosen.run_id, REPORT, self._home.mlruns / "artifacts"
            )
        if found is None:
            raise MissingError(
                f"Version {version} has no report of its training here. Choose another version."
            )
        return found

    def follow(self) -> None:
        """Set MLflow's aliases to what the table of promotions says."""
        with self._locked(), _quiet():
            self._existing().follow(self.holders())

    def folder(self, version: str) -> Path:
        """Where the bundle of ``version`` lies; MissingError if there is no such version."""
        with _quiet():
            chosen = self._existing().version(version, self.holders())
        return self._shelf.folder(chosen.digest)

    def _demand_unchanged(self, instead_of: Champion | None) -> None:
        now = self.champion()
        if now != instead_of:
            told = "nobody" if now is None else f"version {now.version}, promoted by {now.who}: {now.why}"
            raise PromotionRefusedError(
                f"Meanwhile the champion has changed; it is now {told}. Look at it, then decide again."
            )

    def versions(self) -> tuple[Version, ...]:
        """All registered versions, oldest first, with their aliases and metrics."""
        if self._is_empty():
            return ()
        with _quiet():
            return self._tracking().versions(self.holders())

    def bundle(self, version: str) -> Bundle:
        """The verified bundle of ``version``.

        Raises
        ------
        MissingError
            There is no such version.
        BundleError
            Its bundle is damaged.
        """
        with _quiet():
            chosen = self._existing().version(version, self.holders())
        return self._sound(chosen.version, chosen.digest)

    def _sound(self, version: str, digest: str) -> Bundle:
        """The bundle, if its bytes are those registered and it still answers its golden rows."""
        try:
            bundle = load(self._shelf.folder(digest), digest)
            demand_golden(bundle)
        except BundleError as error:
            raise BundleError(f"Version {version} is damaged and was not used. {error}") from None
        return bundle

    def _exact(self, version: str, digest: str) -> None:
        """The bundle is sound, and its tables explain as LightGBM does."""
        try:
            demand_exact(self._sound(version, digest))
        except BundleError as error:
            raise BundleError(f"Version {version} was not promoted. {error}") from None

    @property
    def _database(self) -> Path:
        return self._home.mlruns / "mlflow.db"

    def _artifacts(self) -> str | None:
        """Where artifacts of runs go: into the home, unless an MLflow server has its own place."""
        if self._remote is not None and self._remote.startswith("http"):
            return None
        return (self._home.mlruns / "artifacts").resolve().as_uri()

    def _is_empty(self) -> bool:
        return self._remote is None and not self._database.is_file()

    def _existing(self) -> Tracking:
        if self._is_empty():
            raise MissingError("No model has been trained here yet. Run dropout-risk train first.")
        return self._tracking()

    def _tracking(self) -> Tracking:
        """MLflow on this home's database, which is made first if it is not there."""
        mlflow = _mlflow()
        uri = self._remote
        if uri is None:
            if not self._database.is_file():
                _create_database(self._database)
            uri = _sqlite_uri(self._database)
        mlflow.set_tracking_uri(uri)
        return Tracking(mlflow.MlflowClient(tracking_uri=uri), self._office())

    def _office(self) -> str:
        """A name for this home among those that share an MLflow server."""
        if self._remote is None:
            return "here"
        path = self._home.mlruns / "office"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(uuid4().hex)
        return path.read_text()


def _log(tracking: Tracking, run_id: str, place: Path, verified: Verified, record: RunRecord) -> Any:
    """Everything of ``record`` and the bundle into the run, which then is finished; the logged model."""
    _log_numbers(tracking.client, run_id, record)
    with tempfile.TemporaryDirectory() as folder:
        record.write_files(Path(folder))
        if any(Path(folder).iterdir()):
            tracking.client.log_artifacts(run_id, folder)
    model = _log_model(run_id, place, verified)
    tracking.client.set_terminated(run_id, "FINISHED")
    return model


def _log_numbers(client: Any, run_id: str, record: RunRecord) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in record.flat_metrics().items()]
    params = [Param(name, value) for name, value in record.flat_params().items()]
    for start in range(0, max(len(metrics), len(params)), BATCH):
        part = slice(start, start + BATCH)
        client.log_batch(run_id, metrics=metrics[part], params=params[part])


def _log_nested(tracking: Tracking, experiment: str, parent: str, nested: Sequence[RunRecord]) -> None:
    """Runs under ``parent``, in three calls each: hundreds of them take seconds."""
    for record in nested:
        run_id = tracking.start_nested(experiment, parent, record)
        _log_numbers(tracking.client, run_id, record)
        tracking.end_nested(run_id, record)


def _log_model(run_id: str, place: Path, verified: Verified) -> Any:
    """The bundle as a pyfunc model: loaded by our own module, pinned by its digest, no pickle."""
    from importlib.metadata import version

    mlflow = _mlflow()
    with mlflow.start_run(run_id=run_id):
        return mlflow.pyfunc.log_model(
            name="bundle",
            loader_module="risk_model.model.pyfunc",
            data_path=str(place),
            model_config={"bundle_digest": verified.digest},
            signature=_signature(verified.manifest.features),
            pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
        )


def _signature(features: tuple[str, ...]) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = Schema([ColSpec("double", name) for name in features])
    return ModelSignature(inputs, Schema([ColSpec("double")]))


def _create_database(path: Path) -> None:
    """Make MLflow's database beside its place and move it there whole; the caller holds the lock.

    MLflow's migrations are no transaction: a process killed in them leaves a database nobody can use.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    for killed in path.parent.glob(f"{UNFINISHED}*"):
        shutil.rmtree(killed)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=UNFINISHED) as folder:
        made = Path(folder) / path.name
        store = SqlAlchemyStore(_sqlite_uri(made), (path.parent / "artifacts").resolve().as_uri())
        store.engine.dispose()
        made.rename(path)


def _sqlite_uri(path: Path) -> str:
    return f"sqlite:///{path.resolve().as_posix()}"


def _mlflow() -> Any:
    """MLflow, without telemetry, without pickles, without chatter."""
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    with _quiet():
        import mlflow
        import mlflow.pyfunc

    return mlflow


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's own deprecation warnings from people who cannot do anything about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
