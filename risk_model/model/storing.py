"""Writing a bundle: all parts and the manifest appear in one rename, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from risk_model.errors import BundleError
from risk_model.model import manifest as manifests
from risk_model.model.golden import golden_rows
from risk_model.model.loading import Verified, opened
from risk_model.model.logistic import LOGISTIC, LogisticModel
from risk_model.model.manifest import CALIBRATOR, MANIFEST, TABLES, Manifest, Part, Provenance
from risk_model.model.platt import Platt
from risk_model.model.tabled import TabledTrees, write_tables
from risk_model.model.trees import MODEL, Booster


def save_lightgbm(folder: Path, booster: Booster, calibrator: Platt, provenance: Provenance) -> str:
    """Write boosted trees as the bundle ``folder``; answer its digest.

    Raises
    ------
    BundleError
        ``folder`` exists and holds something else, or the booster has more than one margin.

    Warns
    -----
    SlowExplanationWarning
        The trees fit no pattern tables; the bundle has none and is explained by ``pred_contrib``.
    """
    if booster.num_model_per_iteration() != 1:
        raise BundleError("A bundle holds a model of one margin; train with objective=binary.")
    model = booster.model_to_string().encode()
    tables = write_tables(model)
    parts = {MODEL: model} if tables is None else {MODEL: model, TABLES: tables}
    return _save(folder, "lightgbm", tuple(booster.feature_name()), parts, calibrator, provenance)


def save_logistic(folder: Path, model: LogisticModel, calibrator: Platt, provenance: Provenance) -> str:
    """Write a linear model as the bundle ``folder``; answer its digest.

    Raises
    ------
    BundleError
        ``folder`` exists and holds something else.
    """
    return _save(folder, "logistic", model.features, {LOGISTIC: model.to_bytes()}, calibrator, provenance)


def copy_bundle(source: Path, target: Path) -> None:
    """Copy a verified bundle to ``target``, which must not exist, durably and in one rename."""
    manifest = manifests.from_bytes((source / MANIFEST).read_bytes())
    write_folder(target, {name: (source / name).read_bytes() for name in (*manifest.parts, MANIFEST)})


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``folder`` with ``files`` so that a crash at any moment leaves it whole or absent."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = folder.parent / f".{folder.name}.{uuid4().hex}"
    staging.mkdir()
    try:
        for name, content in files.items():
            _write_durably(staging / name, content)
        _flush_folder(staging)
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging)
        raise
    _flush_folder(folder.parent)


def _save(
    folder: Path,
    kind: str,
    features: tuple[str, ...],
    model: dict[str, bytes],
    calibrator: Platt,
    provenance: Provenance,
) -> str:
    files = {**model, CALIBRATOR: calibrator.to_bytes()}
    parts = {name: Part(manifests.digest_of(content), len(content)) for name, content in files.items()}
    manifest = Manifest(**vars(provenance), kind=kind, features=features, parts=parts)
    manifest = replace(manifest, golden=_golden(folder, manifest, files))
    files[MANIFEST] = manifests.to_bytes(manifest)
    manifests.from_bytes(files[MANIFEST])  # what we cannot read back we do not write
    digest = manifests.digest_of(files[MANIFEST])
    if folder.exists():
        _same_or_refuse(folder, files)
        return digest
    write_folder(folder, files)
    return digest


def _golden(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> tuple[float, ...]:
    """LightGBM's own answers, so that whoever asks the tables again asks whether they agree with it."""
    bundle = opened(Verified(manifest, "", files), folder)
    if isinstance(bundle.scorer, TabledTrees):
        bundle = replace(bundle, scorer=bundle.scorer.walked)
    rows = golden_rows(manifest.features, manifest.reference)
    return tuple(bundle.predict(rows, threads=1).tolist())


def _same_or_refuse(folder: Path, files: Mapping[str, bytes]) -> None:
    same = all((folder / name).is_file() and (folder / name).read_bytes() == files[name] for name in files)
    if not same:
        raise BundleError(f"{folder} exists and is not this bundle. Choose another folder or remove it.")


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
