"""Cards of a run: logged with it when it is made, and rendered again for ``models card``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from risk_model.home import Home
from risk_model.model.loading import verify
from risk_model.registry import Registry
from risk_model.settings import Settings
from training.card.content import content
from training.card.rendering import SHAPES, render


def cards(document: dict[str, Any], bundle: Path) -> dict[str, str]:
    """The artifacts ``card.html`` and ``card.md`` of a training that has no version yet."""
    verified = verify(bundle)
    told = content(document, verified.manifest, f"of bundle {verified.digest[:12]}")
    return {f"card.{shape}": render(told, shape) for shape in SHAPES}


def card_of(home: Home, settings: Settings, version: str, shape: str) -> str:
    """The card of a registered version.

    Raises
    ------
    MissingError
        There is no such version, or its training left no report here.
    """
    registry = Registry(home, settings)
    manifest = registry.bundle(version).manifest
    return render(content(registry.report(version), manifest, version), shape)
