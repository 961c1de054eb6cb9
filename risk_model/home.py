"""The home of one office: where its lake, its models and its service database lie, and its locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from risk_model.errors import LockHeldError


@dataclass(frozen=True)
class Home:
    """Folder given by ``--home``; every path of the project derives from it."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def lake(self) -> Path:
        """Registers without names."""
        return self.data / "lake"

    @property
    def identity(self) -> Path:
        """Names, addresses and guardians; training never opens it."""
        return self.data / "identity"

    @property
    def runs(self) -> Path:
        """Full contributions of every run."""
        return self.data / "runs"

    @property
    def state(self) -> Path:
        """Marks by pupil and month, made from the lake; may be deleted at any time."""
        return self.data / "state"

    @property
    def comparison(self) -> Path:
        """Who was drawn by lot, where a random comparison was decided."""
        return self.data / "comparison"

    @property
    def monitoring(self) -> Path:
        """Documents, reports, histograms and alerts of nights; counts and schools, never a pupil."""
        return self.data / "monitoring"

    @property
    def quarantine(self) -> Path:
        return self.data / "quarantine"

    @property
    def staging(self) -> Path:
        """Working files of the import in progress; swept by the next one."""
        return self.data / "staging"

    @property
    def service_database(self) -> Path:
        return self.data / "service.db"

    @property
    def mlruns(self) -> Path:
        return self.folder / "mlruns"

    @property
    def bundles(self) -> Path:
        """A folder per model, named by its digest."""
        return self.mlruns / "bundles"

    @property
    def searches(self) -> Path:
        """Trials of ``train --budget``, so that a killed search goes on."""
        return self.mlruns / "search.db"

    @property
    def config(self) -> Path:
        return self.folder / "dropout-risk.toml"

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock ``name`` (``lake``, ``registry``, ``publication``) of this home.

        The operating system releases it when the process dies, however it dies.

        Raises
        ------
        LockHeldError
            Another process holds it.
        """
        from filelock import FileLock, Timeout

        self.data.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.data / f"{name}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise LockHeldError(
                f"Another dropout-risk run is using the {name} of {self.folder}. Wait for it and run again."
            ) from None
        try:
            yield
        finally:
            lock.release()
