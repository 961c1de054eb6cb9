"""The files of one run: what its parts hand over, each written whole, once, and encrypted.

``data/runs/nights/<run_id>/`` holds a folder per part. A part is written under another name and renamed
when it is complete, so that a part is there or is not; of two processes that make the same one the first
wins, for both made the same. A run that was killed goes on with the parts it has. After publication only
the evidence stays (:mod:`serving.archive`), with the key that opens it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from risk_model.errors import RiskModelError
from risk_model.home import Home
from risk_model.lake.attaching import quoted
from risk_model.run_evidence import EVIDENCE, FOLDER, KEY, SealedRun

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PLAN, TOLD = "plan.json", "told.json"
DEALT = "dealt"
"""Folder of the registers as they were dealt out to the parts."""


class ArchiveError(RiskModelError):
    """The files of a run cannot be written or read."""


class RunFiles(SealedRun):
    """The folder of a run, for writing; the methods that write need it made by :meth:`open`."""

    def open(self, plan: Mapping[str, Any]) -> None:
        """Make the folder, or go on with it if it was made by the same ``plan``; else begin anew.

        ``plan`` is all that decides what the parts hold beside the run itself.

        Raises
        ------
        ArchiveError
            It cannot be written.
        """
        told = json.dumps(plan, sort_keys=True)
        if self._kept(PLAN) == told and (self.folder / KEY).exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(parents=True, mode=0o700)
            descriptor = os.open(self.folder / KEY, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.b64encode(os.urandom(32)))
            (self.folder / PLAN).write_text(told)
        except OSError as error:
            raise _cannot("written", self.folder, error) from error

    def told(self, part: str) -> dict[str, Any] | None:
        """What was told of a part that is complete; else None."""
        kept = self._kept(f"{part}/{TOLD}")
        return None if kept is None else dict(json.loads(kept))

    def keep(
        self,
        con: duckdb.DuckDBPyConnection,
        part: str,
        tables: Mapping[str, pa.Table],
        told: Mapping[str, Any],
    ) -> None:
        """Write ``tables`` by file name, and what is told of them, as the complete part.

        Raises
        ------
        ArchiveError
            It cannot be written, or the folder is gone: the run this was made for has been given up.
        """
        import duckdb

        making = self.folder / f".{part}-{uuid4().hex}"
        try:
            making.mkdir(mode=0o700)  # not its parents
            for name, table in tables.items():
                self._write(con, making / name, table)
            (making / TOLD).write_text(json.dumps(told))
            making.rename(self.folder / part)
        except (OSError, duckdb.Error) as error:
            if self.told(part) is None:
                raise _cannot("written", self.folder, error) from error
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def deal(self, con: duckdb.DuckDBPyConnection, write: Callable[[Path, str], None]) -> None:
        """Have ``write(folder, options of COPY)`` deal out the registers, unless that is done already.

        Raises
        ------
        ArchiveError
            They cannot be written.
        """
        import duckdb

        if self.dealt.exists():
            return
        making = self.folder / f".{DEALT}-{uuid4().hex}"
        try:
            making.mkdir(mode=0o700)
            write(making, self._sealed(con))
            making.rename(self.dealt)
        except (OSError, duckdb.Error) as error:
            raise _cannot("written", self.folder, error) from error
        finally:
            shutil.rmtree(making, ignore_errors=True)

    @property
    def dealt(self) -> Path:
        """Where :meth:`deal` wrote."""
        return self.folder / DEALT

    def _sealed(self, con: duckdb.DuckDBPyConnection) -> str:
        return f", ENCRYPTION_CONFIG {{footer_key: '{self._key(con)}'}}"

    def _write(self, con: duckdb.DuckDBPyConnection, file: Path, table: pa.Table) -> None:
        con.register("written", table)
        con.execute(
            f"COPY (FROM written) TO {quoted(file)} (FORMAT parquet, COMPRESSION zstd{self._sealed(con)})"
        )
        con.unregister("written")

    def close(self) -> None:
        """Leave only the evidence: the run is complete."""
        shutil.rmtree(self.dealt, ignore_errors=True)
        for file in self.folder.glob("*/*"):
            if file.name not in EVIDENCE:
                file.unlink()
        for part in self.folder.iterdir():
            if part.is_dir() and not any(part.iterdir()):
                part.rmdir()
        (self.folder / PLAN).unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the run; none of it can be read any more."""
        (self.folder / KEY).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _kept(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text()
        except FileNotFoundError:
            return None


def _cannot(what: str, folder: Path, error: Exception) -> ArchiveError:
    said = str(error).partition("\n")[0].rstrip(".")
    return ArchiveError(
        f"The contributions of runs cannot be {what} in {folder.parent}: {said}. "
        "Nothing new was published; see that its disk has space and may be written, and run again."
    )


def open_runs(home: Home) -> tuple[RunFiles, ...]:
    """Runs whose files were not closed, for they were killed, or are at work."""
    return tuple(RunFiles(plan.parent) for plan in sorted((home.runs / FOLDER).glob(f"*/{PLAN}")))
