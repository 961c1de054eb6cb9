"""What challengers would have said: their risks and would-be lists of the nights they scored unseen.

Kept beside the evidence of the runs, in the encrypted DuckLake ``data/runs``, in a table of its own that no
list, page or explanation reads. Written by the night, read when two versions are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from risk_model.home import Home
from risk_model.lake.attaching import attach, connect, has_table
from risk_model.settings import Settings

if TYPE_CHECKING:
    import duckdb

COLUMNS = {
    "student_id": "varchar", "county_id": "varchar", "school_id": "varchar", "class_key": "varchar",
    "grade": "integer", "champion_risk": "double", "champion_listed": "boolean", "risk": "double",
    "rank": "integer", "rank_in_school": "integer", "listed": "boolean",
}  # fmt: skip
"""One row per scored pupil: the champion's risk and list, then what the challenger would have said."""
TABLE = (
    "create table if not exists runs.shadows "
    "(run_id varchar, as_of date, champion varchar, challenger varchar, "
    f"{', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
)


@dataclass(frozen=True)
class Night:
    """One night a challenger scored beside a champion."""

    run_id: str
    as_of: date
    champion: str
    challenger: str
    pupils: int
    listed: int
    """By the champion; then by the challenger, and by both."""
    would_list: int
    both: int

    @property
    def churn(self) -> float | None:
        """Share of the champion's listed whom the challenger would not list; None if it lists nobody."""
        return 1 - self.both / self.listed if self.listed else None


def write_shadow(
    home: Home,
    settings: Settings,
    run_id: str,
    as_of: date,
    versions: tuple[str, str],
    parts: Iterable[pd.DataFrame],
) -> tuple[int, int, int, int]:
    """Store a night of ``versions`` (champion, challenger), in place of what an earlier attempt left.

    The frames of ``parts`` have the columns of ``COLUMNS``. Answers the counts of :class:`Night`: pupils,
    listed by the champion, by the challenger, by both.
    """
    counts = np.zeros(4, dtype=np.int64)
    with _attached(home, settings, write=True) as con:
        con.execute("begin")
        con.execute("delete from runs.shadows where run_id = ?", [run_id])
        for rows in parts:
            con.register("written", rows[list(COLUMNS)])
            con.execute(
                "insert into runs.shadows select ?, ?, ?, ?, * from written", [run_id, as_of, *versions]
            )
            con.unregister("written")
            champions, own = rows["champion_listed"].astype(bool), rows["listed"].astype(bool)
            counts += (len(rows), int(champions.sum()), int(own.sum()), int((champions & own).sum()))
        con.execute("commit")
    pupils, listed, would_list, both = (int(count) for count in counts)
    return pupils, listed, would_list, both


def nights(home: Home, settings: Settings, version: str, other: str | None = None) -> tuple[Night, ...]:
    """The nights ``version`` scored unseen, ascending; with ``other`` those of the two, either way round."""
    if not (home.runs / "catalog.sqlite").exists():
        return ()
    wanted = "challenger = $1" if other is None else "(challenger, champion) in (($1, $2), ($2, $1))"
    with _attached(home, settings, write=False) as con:
        if not has_table(con, "runs", "shadows"):
            return ()
        found = con.execute(
            "select run_id, any_value(as_of), any_value(champion), any_value(challenger), count(*), "
            "count(*) filter (champion_listed), count(*) filter (listed), "
            f"count(*) filter (listed and champion_listed) from runs.shadows where {wanted} "
            "group by run_id order by 2, 1",
            [version] if other is None else [version, other],
        ).fetchall()
    return tuple(Night(*row) for row in found)


def read_shadows(home: Home, settings: Settings, run_ids: Sequence[str]) -> pd.DataFrame:
    """The rows of these nights: ``run_id``, ``as_of`` and the columns of ``COLUMNS``, by run and pupil."""
    with _attached(home, settings, write=False) as con:
        found: pd.DataFrame = con.execute(
            f"select run_id, as_of, {', '.join(COLUMNS)} from runs.shadows "
            "where list_contains(?::varchar[], run_id) order by as_of, student_id",
            [list(run_ids)],
        ).df()
    return found


@contextmanager
def _attached(home: Home, settings: Settings, *, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(settings, home.data / "spill") as con:
        attach(con, home.runs, "runs", write=write)
        if write:
            con.execute(TABLE)
        yield con


def document(night: Night) -> dict[str, Any]:
    """A night as ``score --json`` tells it: counts, never a pupil."""
    return {
        "challenger": night.challenger,
        "pupils": night.pupils,
        "listed": night.listed,
        "would_list": night.would_list,
        "both": night.both,
        "churn": night.churn,
    }
