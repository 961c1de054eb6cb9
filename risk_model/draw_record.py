"""Who was drawn by lot on a night, kept before anybody knows how it ended.

Serving writes it, monitoring reads it.

``data/comparison/<run_id>.parquet`` has a row for each pupil drawn, encrypted, opened by the key beside it.
The run's document in the service database holds the digest of its rows, from the transaction that published
the lists: a record that was changed afterwards is not the one that was drawn.
"""

from __future__ import annotations

import base64
import os
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from risk_model.errors import RiskModelError
from risk_model.home import Home
from risk_model.lake.attaching import quoted
from risk_model.near_equals import COLUMNS, OFFERED, USUAL
from risk_model.settings import ComparisonSettings

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

DRAWN = "drawn.parquet"
"""What a part of a night hands over of its draw."""
KEY = "key"
KEY_NAME = "comparison"


class DrawRecordError(RiskModelError):
    """The record of a draw is not there, or not the one that was drawn."""


def drawn_table(drawn: pd.DataFrame) -> pa.Table:
    """The rows of :func:`risk_model.near_equals.draw`, with their types even where there are none."""
    import pyarrow as pa

    texts = ("student_id", "school_id", "arm")
    kinds = {"pair": pa.int64(), "risk": pa.float64(), "by_rank": pa.bool_()}
    schema = pa.schema([(name, pa.string() if name in texts else kinds[name]) for name in COLUMNS])
    return pa.Table.from_pandas(drawn[list(COLUMNS)], schema=schema, preserve_index=False)


def keep_draw(
    con: duckdb.DuckDBPyConnection, home: Home, run_id: str, drawn: str, rules: ComparisonSettings
) -> dict[str, Any]:
    """Write the record of a run from the SQL ``drawn``; answers what the run's document tells of it."""
    rows = con.execute(f"select {', '.join(COLUMNS)} from {drawn} order by school_id, pair, arm").df()
    file = _file(home, run_id)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    making = file.with_name(f".{file.name}.{os.getpid()}")
    con.register("drawn", drawn_table(rows))
    con.execute(
        f"copy (from drawn) to {quoted(making)} (format parquet, encryption_config {_key(con, home)})"
    )
    con.unregister("drawn")
    making.chmod(0o400)
    making.replace(file)
    arms = rows["arm"].value_counts()
    return {
        "round": rules.seed, "decided_by": rules.decided_by, "until": str(rules.until), "band": rules.band,
        "pairs": len(rows) // 2, "offered": int(arms.get(OFFERED, 0)), "usual": int(arms.get(USUAL, 0)),
        "digest": _digest(rows),
    }  # fmt: skip


def read_draw(con: duckdb.DuckDBPyConnection, home: Home, run_id: str, digest: str) -> pd.DataFrame:
    """The record of a run.

    Raises
    ------
    DrawRecordError
        It is gone, cannot be opened, or is not the one whose ``digest`` the run tells.
    """
    import duckdb

    file = _file(home, run_id)
    try:
        rows = con.execute(
            f"from read_parquet({quoted(file)}, encryption_config = {_key(con, home, make=False)})"
        ).df()
    except (OSError, duckdb.Error) as error:
        raise DrawRecordError(
            f"The record of the draw {file.name} cannot be read ({str(error).partition(chr(10))[0]}). "
            "Restore data/comparison from a backup."
        ) from error
    if _digest(rows) != digest:
        raise DrawRecordError(
            f"The record of the draw {file.name} is not the one that was drawn: its digest differs from the "
            "run's. Restore it from a backup; nothing is concluded from it."
        )
    return rows


def sweep_draws(home: Home, days: int) -> None:
    """Forget records older than ``days``: they name pupils."""
    oldest = (datetime.now() - timedelta(days=days)).timestamp()
    for file in home.comparison.glob("*.parquet"):
        if file.stat().st_mtime < oldest:
            file.unlink()


def _file(home: Home, run_id: str) -> Path:
    return home.comparison / f"{run_id}.parquet"


def _digest(rows: pd.DataFrame) -> str:
    told = rows[["school_id", "pair", "arm", "student_id"]].sort_values(["school_id", "pair", "arm"])
    lines = "\n".join("\t".join(map(str, row)) for row in told.itertuples(index=False))
    return blake2b(lines.encode(), digest_size=16).hexdigest()


def _key(con: duckdb.DuckDBPyConnection, home: Home, *, make: bool = True) -> str:
    file = home.comparison / KEY
    if make and not file.exists():
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            written.write(base64.b64encode(os.urandom(32)))
    con.execute(f"PRAGMA add_parquet_key('{KEY_NAME}', {quoted(file.read_text())})")
    return f"{{footer_key: '{KEY_NAME}'}}"
