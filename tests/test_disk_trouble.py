"""What is said of a disk, by what the error says of itself, and of nothing else."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import duckdb
import pytest

from risk_model.errors import disk_trouble

HOME = Path("/srv/office")

FULL = {
    "by the operating system": OSError(errno.ENOSPC, "No space left on device", "/srv/office/x"),
    "by a quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "by a limit of file size": OSError(errno.EFBIG, "File too large"),
    "by DuckDB": duckdb.IOException("IO Error: Could not write file: No space left on device"),
    "by SQLite": sqlite3.OperationalError("database or disk is full"),
}
READ_ONLY = {
    "by the operating system": OSError(errno.EROFS, "Read-only file system", "/srv/office/x"),
    "by SQLite": sqlite3.OperationalError("attempt to write a readonly database"),
    "by DuckDB": duckdb.IOException('Cannot open file "/srv/x": Read-only file system'),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_a_full_disk_is_told(error):
    said = disk_trouble(error, HOME)
    assert said is not None
    assert said.startswith("the disk of /srv/office")
    assert "free space there and run again" in said


@pytest.mark.parametrize("error", READ_ONLY.values(), ids=READ_ONLY)
def test_a_read_only_disk_is_told(error):
    said = disk_trouble(error, HOME)
    assert said is not None
    assert "is read-only" in said
    assert "make it writable" in said


def test_what_an_error_came_from_counts():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise duckdb.TransactionException("Current transaction is aborted") from None
    except duckdb.TransactionException as error:
        said = disk_trouble(error, HOME)
    assert said is not None


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied"), ValueError("a full disk of apples"), KeyError("x")]
)
def test_nothing_else_is_blamed_on_the_disk(error, tmp_path):
    assert disk_trouble(error, tmp_path) is None


def test_another_fault_on_a_full_disk_is_not_blamed_on_it(monkeypatch, tmp_path):
    import os

    class Full:
        f_flag, f_bavail, f_frsize = 0, 0, 4096

    monkeypatch.setattr(os, "statvfs", lambda folder: Full)
    assert disk_trouble(KeyError("x"), tmp_path) is None
    said = disk_trouble(duckdb.TransactionException("Current transaction is aborted"), tmp_path)
    assert said is not None
    assert "is full" in said
