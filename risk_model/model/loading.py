"""Loading a bundle: hashes first, parsers after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from risk_model.errors import BundleError
from risk_model.model import manifest as manifests
from risk_model.model.bundle import Bundle, Scorer
from risk_model.model.logistic import LOGISTIC, read_logistic
from risk_model.model.manifest import CALIBRATOR, LONGEST_MANIFEST, MANIFEST, TABLES, Manifest, Part
from risk_model.model.platt import CalibrationError, Platt
from risk_model.model.tabled import read_tabled
from risk_model.model.trees import MODEL


def load(folder: Path, digest: str | None = None) -> Bundle:
    """Read a bundle; every part's SHA-256 is verified before a parser sees a byte of it.

    Parameters
    ----------
    folder : Path
        Folder of ``manifest.json`` and the parts.
    digest : str, optional
        SHA-256 the manifest must have, pinned when the model was registered. Without it the parts are
        still checked against the manifest, but nothing vouches for the manifest itself.

    Raises
    ------
    BundleError
        A part is missing, altered or not ours; the message names it.
    """
    return opened(verify(folder, digest), folder)


def opened(verified: Verified, folder: Path) -> Bundle:
    """Parse the parts of a bundle whose bytes were verified; BundleError if a parser cannot read them."""
    calibrator = _read_calibrator(verified.parts[CALIBRATOR])
    return Bundle(folder, verified.manifest, verified.digest, calibrator, _read_scorer(verified))


@dataclass(frozen=True)
class Verified:
    """A bundle whose bytes are what was registered; no part has been parsed."""

    manifest: Manifest
    digest: str
    parts: Mapping[str, bytes] = field(repr=False)


def verify(folder: Path, digest: str | None = None) -> Verified:
    """Check every hash of a bundle and parse none of its parts; arguments and errors as :func:`load`."""
    content = _read(folder, MANIFEST, LONGEST_MANIFEST)
    found = manifests.digest_of(content)
    if digest is not None and found != digest:
        raise _altered(folder, MANIFEST)
    manifest = manifests.from_bytes(content)
    parts = {name: _verified(folder, name, part) for name, part in manifest.parts.items()}
    return Verified(manifest, found, parts)


def _read_scorer(verified: Verified) -> Scorer:
    features = verified.manifest.features
    if verified.manifest.kind == "logistic":
        return read_logistic(verified.parts[LOGISTIC], features)
    return read_tabled(verified.parts[MODEL], verified.parts.get(TABLES), features)


def _read_calibrator(content: bytes) -> Platt:
    stored = manifests.read_json(content, CALIBRATOR)
    try:
        return Platt(float(stored["slope"]), float(stored["intercept"]))
    except (KeyError, TypeError, ValueError, CalibrationError) as error:
        raise BundleError(f"{CALIBRATOR} is no calibration ({error}). Use another version.") from None


def _verified(folder: Path, name: str, part: Part) -> bytes:
    content = _read(folder, name, part.size)
    if len(content) != part.size or manifests.digest_of(content) != part.sha256:
        raise _altered(folder, name)
    return content


def _read(folder: Path, name: str, longest: int) -> bytes:
    """At most ``longest`` + 1 bytes, so that a part that grew is refused without reading it all."""
    try:
        with (folder / name).open("rb") as file:
            return file.read(longest + 1)
    except OSError as error:
        raise BundleError(
            f"{name} of the model bundle {folder} cannot be read ({error.strerror}). "
            "Restore it from a backup, or promote another version."
        ) from None


def _altered(folder: Path, name: str) -> BundleError:
    return BundleError(
        f"{name} of the model bundle {folder} is not what was registered: its SHA-256 differs. "
        "Nothing of it was opened. Restore it from a backup, or promote another version."
    )
