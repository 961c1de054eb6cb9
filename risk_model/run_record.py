"""What a training run leaves behind, in the shape an experiment tracker takes it."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_PARAMETER = 6000
"""Characters MLflow keeps of a parameter's value."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Parameters and metrics may be nested; names are joined by dots and ``%`` becomes ``pct``."""

    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Figure | bytes] = field(default_factory=dict)
    """By file name without suffix; bytes are PNG."""
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    """By file name: text and bytes as they are, anything else as JSON (``.json`` is added)."""
    tags: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    """Of a run nested under another, with when it began and ended; None: now."""
    began: datetime | None = None
    ended: datetime | None = None

    def flat_params(self) -> dict[str, str]:
        """Every parameter as text."""
        return {name: _text(value)[:LONGEST_PARAMETER] for name, value in _leaves(self.params)}

    def flat_metrics(self) -> dict[str, float]:
        """Every metric that is a finite number; unknown ones are left out, not made 0."""
        numbers = {name: value for name, value in _leaves(self.metrics) if _is_number(value)}
        return {name: float(value) for name, value in numbers.items()}

    def write_files(self, folder: Path) -> None:
        """Write figures and artifacts below ``folder``."""
        for name, figure in self.figures.items():
            _write(folder / "figures" / f"{name}.png", figure if isinstance(figure, bytes) else _png(figure))
        for name, artifact in self.artifacts.items():
            _write(folder / _file_name(name, artifact), _content(artifact))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = prefix + str(key).replace("%", "pct")
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:  # None, a list, a text: not a metric
        return False


def _text(value: Any) -> str:
    return json.dumps(value, default=str) if isinstance(value, list | tuple) else str(value)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _file_name(name: str, artifact: Any) -> str:
    return name if isinstance(artifact, str | bytes) or name.endswith(".json") else f"{name}.json"


def _content(artifact: Any) -> bytes:
    if isinstance(artifact, bytes):
        return artifact
    if isinstance(artifact, str):
        return artifact.encode()
    return json.dumps(artifact, ensure_ascii=False, indent=1, default=str).encode()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
