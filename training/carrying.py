"""``models export`` and ``models import``: a county without history starts from another county's model."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from getpass import getuser
from pathlib import Path
from typing import Any

from risk_model.errors import BundleError, UsageError
from risk_model.features.declared import FEATURES
from risk_model.home import Home
from risk_model.model.exactness import demand_exact
from risk_model.model.golden import demand_golden
from risk_model.model.loading import load
from risk_model.model.manifest import CALIBRATOR, LONGEST_MANIFEST, MANIFEST, PARTS, TABLES
from risk_model.model.storing import copy_bundle
from risk_model.registry import Registry
from risk_model.settings import Settings

NAMES = {MANIFEST, CALIBRATOR, TABLES, *(name for parts in PARTS.values() for name in parts)}
LONGEST_PART = 512 * 1024 * 1024
"""Bytes of one file of a bundle; a longer one is not ours."""
TIME = (1980, 1, 1, 0, 0, 0)
"""Zip files hold times; ours hold none, so that the same model is the same file."""


def export(home: Home, settings: Settings, version: str, out: Path) -> dict[str, Any]:
    """Copy the bundle of ``version`` to a new folder or zip file.

    Raises
    ------
    UsageError
        ``out`` exists.
    MissingError, BundleError
        There is no such version, or it is damaged.
    """
    if out.exists():
        raise UsageError(f"{out} exists already. Name another file, or remove it.")
    bundle = Registry(home, settings).bundle(version)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".zip":
        _pack(bundle.path, sorted({*bundle.manifest.parts, MANIFEST}), out)
    else:
        copy_bundle(bundle.path, out)
    return {"version": version, "digest": bundle.digest, "bundle": str(out)}


def import_bundle(home: Home, settings: Settings, bundle: Path) -> dict[str, Any]:
    """Register the bundle of another office; nothing of it is opened before its hashes are checked.

    Raises
    ------
    BundleError
        It is no sound bundle, answers otherwise than when it was made, or needs a feature this version
        does not have.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = bundle if bundle.is_dir() else _unpacked(bundle, Path(folder) / "bundle")
        found = load(place)
        demand_golden(found)
        demand_exact(found)
        _demand_features(found.features)
        registry = Registry(home, settings)
        tags = {"imported": "true", "origin": bundle.name}
        version = registry.record_run(place, params={"kind": "imported"}, tags=tags)
        registry.note_origin(version, found.digest, who=getuser(), origin=bundle.name)
    return {
        "version": version,
        "digest": found.digest,
        "kind": found.manifest.kind,
        "as_of": found.manifest.as_of,
        "origin": bundle.name,
    }


def _demand_features(names: tuple[str, ...]) -> None:
    unknown = sorted(set(names) - {feature.name for feature in FEATURES})
    if unknown:
        raise BundleError(
            f"The model needs features this version does not make: {', '.join(unknown)}. "
            "Update dropout-risk, or ask for a model made with this version."
        )


def _pack(folder: Path, names: list[str], out: Path) -> None:
    half = out.with_name(f".{out.name}.half")
    with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, TIME), (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)
    half.rename(out)


def _unpacked(path: Path, folder: Path) -> Path:
    """The files of a bundle, by the names we know and no longer than ours ever are."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                longest = LONGEST_MANIFEST if entry.filename == MANIFEST else LONGEST_PART
                if entry.filename not in NAMES or entry.file_size > longest:
                    raise BundleError(
                        f"{path.name} holds {entry.filename!r}, which is no part of a model bundle."
                    )
                folder.mkdir(exist_ok=True)
                with archive.open(entry) as source, (folder / entry.filename).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise BundleError(f"{path.name} is no readable zip file ({error}). Ask for it again.") from None
    return folder
