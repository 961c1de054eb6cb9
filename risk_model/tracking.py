"""What we ask of MLflow's client: our experiment, its runs, versions and aliases.

It works on a client it is given, so that mlflow itself is imported by the registry alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from risk_model.errors import MissingError
from risk_model.model.loading import Verified
from risk_model.promotions import CHALLENGER, CHAMPION, PREVIOUS, Promotion
from risk_model.run_record import RunRecord

NAME = "dropout-risk"
"""Name of the MLflow experiment and of the registered model."""
PARENT = "mlflow.parentRunId"
"""Tag by which MLflow shows a run under another."""
OURS = frozenset({CHAMPION, CHALLENGER, PREVIOUS})
"""Aliases the table of promotions decides; MLflow follows."""
JUDGED = ("gate", "failed_checks")
"""Tags of a run that say what the gate made of it."""


@dataclass(frozen=True)
class Version:
    """A registered version, for ``models list``."""

    version: str
    digest: str
    kind: str
    created_at: datetime
    run_id: str
    lake_snapshot: int
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    """``champion``, ``challenger`` and ``previous`` as the table of promotions has them, others as MLflow
    has them."""
    metrics: Mapping[str, float]


class Tracking:
    """Our part of an MLflow server or database; ``office`` tells our runs from those of other homes."""

    def __init__(self, client: Any, office: str) -> None:
        self.client = client
        self._office = office

    def experiment(self, location: str | None, *, shared: bool) -> str:
        """Id of our experiment, made with artifacts at ``location`` (None: where the server wants them).

        MLflow stores absolute locations: after a move of the home its old experiment is set aside, so
        that nothing is written to the old place. An experiment ``shared`` with other homes stays.
        """
        found = self.client.get_experiment_by_name(NAME)
        if found is not None and (shared or found.artifact_location == location):
            return str(found.experiment_id)
        if found is not None:
            aside = f"{NAME} before the move {found.experiment_id}"
            self.client.rename_experiment(found.experiment_id, aside)
        return str(self.client.create_experiment(NAME, artifact_location=location))

    def end_killed_runs(self, experiment: str) -> None:
        """Runs of this home still called running were killed: whoever runs now holds the lock."""
        ours = f"attributes.status = 'RUNNING' AND tags.office = '{self._office}'"
        for run in self.client.search_runs([experiment], filter_string=ours):
            self.client.set_terminated(run.info.run_id, "KILLED")

    def start_run(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """Id of a new run."""
        run = self.client.create_run(experiment, tags={**tags, "office": self._office}, run_name=name)
        return str(run.info.run_id)

    def start_nested(self, experiment: str, parent: str, record: RunRecord) -> str:
        """Id of a new run shown under ``parent``."""
        tags = {**record.tags, PARENT: parent, "office": self._office}
        run = self.client.create_run(
            experiment, start_time=_milliseconds(record.began), tags=tags, run_name=record.name
        )
        return str(run.info.run_id)

    def end_nested(self, run_id: str, record: RunRecord) -> None:
        """Mark a nested run as finished when its work was."""
        self.client.set_terminated(run_id, "FINISHED", end_time=_milliseconds(record.ended))

    def register(self, run_id: str, model: Any, verified: Verified) -> str:
        """A version of our model for the logged ``model`` of a run."""
        if not self.client.search_registered_models(f"name = '{NAME}'"):
            self.client.create_registered_model(NAME)
        created = self.client.create_model_version(
            NAME, model.model_uri, run_id, tags=provenance_tags(verified), model_id=model.model_id
        )
        return str(created.version)

    def versions(self, ours: Mapping[str, Promotion]) -> tuple[Version, ...]:
        """All versions, oldest first; ``ours`` are the aliases of the table of promotions."""
        found = self.client.search_model_versions(f"name = '{NAME}'", max_results=10_000)
        described = [self._described(stored, ours) for stored in found]
        return tuple(sorted(described, key=lambda version: int(version.version)))

    def version(self, version: str, ours: Mapping[str, Promotion]) -> Version:
        """One version; MissingError names those there are."""
        versions = self.versions(ours)
        for known in versions:
            if known.version == version:
                return known
        names = ", ".join(known.version for known in versions) or "none yet"
        raise MissingError(f"There is no version {version} of the model; known: {names}. Run models list.")

    def json_of(self, run_id: str, name: str, local: Path) -> Any | None:
        """The JSON artifact ``name`` of a run, or None; looked for under ``local`` first, because MLflow
        keeps absolute addresses and a moved home would not find its own files."""
        here = local / run_id / "artifacts" / f"{name}.json"
        if here.is_file():
            return json.loads(here.read_bytes())
        if all(file.path != here.name for file in self.client.list_artifacts(run_id)):
            return None
        with tempfile.TemporaryDirectory() as folder:
            return json.loads(Path(self.client.download_artifacts(run_id, here.name, folder)).read_bytes())

    def follow(self, ours: Mapping[str, Promotion]) -> None:
        """Set MLflow's aliases to ``ours``; heals a promotion that was killed before it came here.

        A version MLflow does not know with that digest (its database was lost and began anew) gets no
        alias: the table alone says who is champion, and scoring goes by the table.
        """
        known = self.versions(ours)
        for alias, promotion in ours.items():
            if any(_is(promotion, version.version, version.digest) for version in known):
                self._set_alias(alias, promotion.version)
        if CHALLENGER not in ours and CHALLENGER in self._held():
            self.client.delete_registered_model_alias(NAME, CHALLENGER)

    def _held(self) -> dict[str, Any]:
        models = self.client.search_registered_models(f"name = '{NAME}'")
        return dict(models[0].aliases) if models else {}

    def _set_alias(self, alias: str, version: str) -> None:
        at = self.client.get_registered_model(NAME).aliases.get(alias)
        if str(at) != version:  # MLflow answers a number
            self.client.set_registered_model_alias(NAME, alias, version)

    def _described(self, stored: Any, ours: Mapping[str, Promotion]) -> Version:
        version, digest = str(stored.version), stored.tags["digest"]
        held = {alias for alias, promotion in ours.items() if _is(promotion, version, digest)}
        theirs = set(stored.aliases) - OURS
        run = self.client.get_run(stored.run_id).data
        judged = {name: run.tags[name] for name in JUDGED if name in run.tags}
        return Version(
            version=version,
            digest=digest,
            kind=stored.tags["kind"],
            created_at=datetime.fromtimestamp(stored.creation_timestamp / 1000, UTC),
            run_id=stored.run_id,
            lake_snapshot=int(stored.tags["lake_snapshot"]),
            tags={**stored.tags, **judged},
            aliases=tuple(sorted(held | theirs)),
            metrics=dict(run.metrics),
        )


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


def _is(promotion: Promotion, version: str, digest: str) -> bool:
    return (promotion.version, promotion.digest) == (version, digest)


def provenance_tags(verified: Verified) -> dict[str, str]:
    """What a run and its version say of the bundle."""
    manifest = verified.manifest
    return {
        "digest": verified.digest,
        "kind": manifest.kind,
        "lake_snapshot": str(manifest.lake_snapshot),
        "as_of": manifest.as_of.isoformat(),
        "code_hash": manifest.code_hash,
        "lock_hash": manifest.lock_hash,
        "settings_hash": manifest.settings_hash,
    }
