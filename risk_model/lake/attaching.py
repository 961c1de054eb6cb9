"""DuckDB connections with lakes attached: packaged extensions, encrypted files, guarded catalogs.

A lake is a folder: ``catalog.sqlite`` (which holds the keys of the encrypted Parquet files, so
the folder is readable by its owner only) and ``files/``. Nothing is downloaded: the extensions
are packages.
"""

from __future__ import annotations

import importlib.util
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import duckdb

from risk_model.errors import MissingError
from risk_model.settings import Settings

EXTENSIONS = ("httpfs", "sqlite_scanner", "ducklake")  # httpfs brings the cipher encrypted writes need
BUSY_MILLISECONDS = 10_000
SPILL_KEPT = timedelta(days=1)
_loaded = Event()
"""Set once this process has checked the extensions' signatures and mapped them. Another connection gets
the same mapped libraries, so that checking the files again, a quarter of a second, would prove nothing."""


def connect(settings: Settings, spill: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that may attach lakes and spills, encrypted, into ``spill``."""
    con = duckdb.connect(
        config={"memory_limit": settings.memory_limit, "allow_unsigned_extensions": _loaded.is_set()}
    )
    for name in EXTENSIONS:
        con.execute(f"LOAD '{_extension_file(name)}'")
    _loaded.set()
    spill.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep_abandoned(spill)
    con.execute("SET enable_progress_bar = false")
    con.execute("SET temp_file_encryption = true")
    con.execute(f"SET temp_directory = {quoted(spill)}")
    return con


def create_folder(folder: Path) -> None:
    """Make the folder of a lake, readable by its owner only; an existing one stays as it is."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def attach(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    name: str,
    *,
    write: bool = False,
    snapshot: int | None = None,
) -> None:
    """Attach the lake in ``folder`` as catalog ``name``; ``write`` creates it where there is none.

    A reader may be pinned to a ``snapshot``: whatever is written meanwhile, it sees that state.

    Raises
    ------
    MissingError
        Nothing to read there yet.
    """
    catalog = folder / "catalog.sqlite"
    if write:
        create_folder(folder)
    elif not catalog.exists():
        raise MissingError(f"There are no registers in {folder} yet. Run `dropout-risk import DIR` first.")
    con.execute(
        f"ATTACH {quoted(f'ducklake:sqlite:{catalog}')} AS {name} ({_options(folder, write, snapshot)})"
    )


def _options(folder: Path, write: bool, snapshot: int | None) -> str:
    # The path is always given anew, so that a home may be moved.
    options = [f"DATA_PATH {quoted(folder / 'files')}", "OVERRIDE_DATA_PATH true"]
    options.append(f"META_BUSY_TIMEOUT {BUSY_MILLISECONDS}")
    if write:
        # Rows inlined into the catalog would lie there in clear.
        options += ["ENCRYPTED", "META_JOURNAL_MODE 'WAL'", "DATA_INLINING_ROW_LIMIT 0"]
    else:
        options.append("READ_ONLY")
    if snapshot is not None:
        options.append(f"SNAPSHOT_VERSION {snapshot}")
    return ", ".join(options)


def current_snapshot(con: duckdb.DuckDBPyConnection, name: str) -> int:
    """Id of the newest snapshot of the attached lake ``name``."""
    found = con.execute(f"FROM {name}.current_snapshot()").fetchall()
    return int(found[0][0])


def has_table(con: duckdb.DuckDBPyConnection, catalog: str, table: str) -> bool:
    """Whether the attached ``catalog`` has ``table``."""
    # Asking duckdb_tables() counts the rows of every table of a lake first: 150 ms a question.
    try:
        con.execute(f"SELECT 1 FROM {catalog}.{table} LIMIT 0").fetchall()
    except duckdb.CatalogException:
        return False
    return True


def quoted(value: object) -> str:
    """``value`` as an SQL text literal."""
    return "'" + str(value).replace("'", "''") + "'"


def _extension_file(name: str) -> Path:
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or not spec.submodule_search_locations:
        raise MissingError(
            f"The package duckdb-extension-{name.replace('_', '-')} is missing. Run `make setup`."
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "extensions" / f"v{duckdb.__version__}"
    return folder / f"{name}.duckdb_extension"


def _sweep_abandoned(spill: Path) -> None:
    oldest = datetime.now().timestamp() - SPILL_KEPT.total_seconds()
    for left in spill.glob("duckdb_temp*"):
        if left.stat().st_mtime < oldest:
            left.unlink(missing_ok=True)
