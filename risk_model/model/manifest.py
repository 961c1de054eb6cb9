"""The manifest of a bundle: its parts with their hashes, and all a reader must know of its making."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from risk_model.errors import BundleError

FORMAT = 1
"""Version of the bundle format; a reader refuses any other."""
MANIFEST = "manifest.json"
CALIBRATOR = "calibrator.json"
TABLES = "tables.npz"
PARTS: Mapping[str, tuple[str, ...]] = {
    "lightgbm": ("model.txt", CALIBRATOR),
    "logistic": ("logistic.json", CALIBRATOR),
}
"""The files of each kind of bundle beside the manifest; no name is ever taken from a manifest."""
OPTIONAL: Mapping[str, tuple[str, ...]] = {"lightgbm": (TABLES,), "logistic": ()}
"""Files a bundle may have besides: pattern tables, which a deep model lacks and an old bundle too."""
LONGEST_MANIFEST = 8 * 1024 * 1024
"""Bytes; a longer file is not ours."""


@dataclass(frozen=True)
class Part:
    """One file of a bundle: what it must hash to, and its length in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Reference:
    """What a feature looked like at training, for drift: share of nulls and quantiles of the rest."""

    null_share: float
    quantiles: tuple[float, ...]
    """At ``reference.LEVELS``; empty when every value was null."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a model came to be. It holds no time of day, so the same inputs give the same digest."""

    lake_snapshot: int
    """Number of the lake's snapshot: every row the training could see."""
    as_of: date
    """The day the training stood on; nothing recorded later was used."""
    trained_snapshots: tuple[date, ...]
    calibration_snapshots: tuple[date, ...] = ()
    label: tuple[str, ...]
    """Enabled label components."""
    horizon_days: int
    code_hash: str
    lock_hash: str
    settings_hash: str
    seed: int
    recorded_on_assumed: bool = False
    """Some history was loaded with ``event+N``: when it became known is assumed."""
    absent_registers: tuple[str, ...] = ()
    """Registers without a row at training; their features were null."""
    reference: Mapping[str, Reference] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    """Remarks: ``kind``, why the school's rule is served; ``labelled`` and ``left``, how many pupils have a
    label and how many of them left; ``care``, what care-affected labels counted for."""


@dataclass(frozen=True, kw_only=True)
class Manifest(Provenance):
    """Provenance, the ordered features, and the parts with their hashes."""

    kind: str
    """``lightgbm`` or ``logistic``."""
    features: tuple[str, ...]
    """Columns of the matrix, in order."""
    parts: Mapping[str, Part]
    golden: tuple[float, ...] = ()
    """Risks of the golden rows (:mod:`risk_model.model.golden`) on the day the bundle was made."""
    format: int = FORMAT


def digest_of(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write_json(document: Any) -> bytes:
    """Canonical JSON: sorted keys, UTF-8, no NaN; the same document is always the same bytes."""
    text = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    return text.encode() + b"\n"


def read_json(content: bytes, name: str) -> Any:
    """Parse ``content`` strictly.

    Raises
    ------
    BundleError
        ``name`` is not JSON in UTF-8, or holds NaN or Infinity.
    """
    try:
        return json.loads(content.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{name} of the model bundle is no valid JSON ({error}). Use another version."
        ) from None


def to_bytes(manifest: Manifest) -> bytes:
    """The manifest file of ``manifest``; its SHA-256 is the digest of the bundle."""
    return write_json(asdict(manifest))


def from_bytes(content: bytes) -> Manifest:
    """Read a manifest file.

    Raises
    ------
    BundleError
        The file is no manifest, is of another format version, or names other parts than its kind has.
    """
    document = read_json(content, MANIFEST)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        raise BundleError(
            f"{MANIFEST} has format {found!r}, this version reads {FORMAT}. "
            "Update dropout-risk, or use another version of the model."
        )
    try:
        manifest = _build(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"{MANIFEST} is not complete or not ours ({error!r}). Use another version."
        ) from None
    _check(manifest)
    return manifest


def _build(document: dict[str, Any]) -> Manifest:
    fields = dict(document)
    fields["as_of"] = date.fromisoformat(fields["as_of"])
    for name in ("trained_snapshots", "calibration_snapshots"):
        fields[name] = tuple(date.fromisoformat(day) for day in fields[name])
    for name in ("label", "absent_registers", "features"):
        fields[name] = tuple(str(word) for word in fields[name])
    fields["golden"] = tuple(float(risk) for risk in fields.get("golden", ()))
    fields["parts"] = {name: Part(**part) for name, part in fields["parts"].items()}
    fields["reference"] = {
        name: Reference(float(stored["null_share"]), tuple(float(value) for value in stored["quantiles"]))
        for name, stored in fields["reference"].items()
    }
    return Manifest(**fields)


def _check(manifest: Manifest) -> None:
    expected = PARTS.get(manifest.kind)
    if expected is None:
        raise BundleError(
            f"{MANIFEST} names the kind {manifest.kind!r}; known are {', '.join(PARTS)}. Use another version."
        )
    if set(manifest.parts) - set(OPTIONAL[manifest.kind]) != set(expected):
        raise BundleError(
            f"{MANIFEST} lists the parts {sorted(manifest.parts)}; a {manifest.kind} bundle has "
            f"{sorted(expected)}. Use another version."
        )
    if not manifest.features or len(set(manifest.features)) != len(manifest.features):
        raise BundleError(f"{MANIFEST} names no features, or one of them twice. Use another version.")


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a bundle")


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
