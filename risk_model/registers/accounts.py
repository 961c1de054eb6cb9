"""What became of every row of a delivery, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from risk_model.lake.upkeep import Upkeep


@dataclass(frozen=True)
class Account:
    """Rows of one register: ``accepted + rejected + unchanged = read``, always."""

    read: int
    accepted: int
    rejected: int
    unchanged: int

    def __post_init__(self) -> None:
        if self.accepted + self.rejected + self.unchanged != self.read:
            raise AssertionError(f"rows went missing: {self}")

    @property
    def rejected_share(self) -> float:
        return self.rejected / self.read if self.read else 0.0


@dataclass(frozen=True)
class FileReport:
    """What became of one file: ``read``, ``refused`` (cannot be read) or ``unknown`` (not looked at)."""

    path: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class ImportReport:
    """The answer of an import; :meth:`document` is what ``--json`` prints."""

    files: tuple[FileReport, ...]
    tables: dict[str, Account] = field(default_factory=dict)
    quarantine: Path | None = None
    snapshot: int | None = None
    recorded_on: str = ""
    assumed: bool = False
    seconds: float = 0.0
    stages: dict[str, Any] = field(default_factory=dict)
    """As :mod:`risk_model.accounts` books them."""
    peak_memory_mb: float = 0.0
    upkeep: Upkeep = field(default_factory=Upkeep)
    """What was tidied in the lakes afterwards."""
    taken: bool = True
    """False: the delivery was refused and nothing of it is in the lake."""

    def document(self) -> dict[str, Any]:
        return {
            "taken": self.taken,
            "tables": {
                name: {
                    "read": account.read,
                    "accepted": account.accepted,
                    "rejected": account.rejected,
                    "unchanged": account.unchanged,
                }
                for name, account in self.tables.items()
            },
            "files": [
                {"path": file.path, "status": file.status, "reason": file.reason} for file in self.files
            ],
            "quarantine": None if self.quarantine is None else str(self.quarantine),
            "snapshot": self.snapshot,
            "recorded_on": self.recorded_on,
            "assumed": self.assumed,
            "upkeep": self.upkeep.document(),
            "seconds": self.seconds,
            "stages": self.stages,
            "peak_memory_mb": self.peak_memory_mb,
        }

    def text(self) -> str:
        """The same for people: a line per register, then what was left aside."""
        lines = [f"{'register':<16}{'read':>12}{'accepted':>12}{'unchanged':>12}{'rejected':>10}"]
        lines += [
            f"{name:<16}{one.read:>12,}{one.accepted:>12,}{one.unchanged:>12,}{one.rejected:>10,}"
            for name, one in self.tables.items()
        ]
        lines += [f"{file.status}: {file.path}: {file.reason}" for file in self.files if file.reason]
        if self.quarantine is not None:
            lines.append(f"Rejected rows, with the reason for each: {self.quarantine}")
        if self.assumed:
            lines.append("When facts became known is assumed (event+N); the model card will say so.")
        lines.append(f"Lake snapshot {self.snapshot}, {self.seconds:.1f} s.")
        return "\n".join(lines)
