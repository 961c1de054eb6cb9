"""What reading marks and exams out of a state have in common: whose, and at which snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from risk_model.lake.attaching import has_table, quoted
from risk_model.lake.known import ALIASES
from risk_model.state.homes import NOWHERE
from risk_model.state.storage import DAMAGED, STATE

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Kept:
    """A state of which some counties are read."""

    folder: Path
    snapshot: int
    counties: tuple[str, ...] | None = None
    """Counties whose pupils are asked for; none = all. Pupils without a home are always read."""

    def here(self) -> str:
        """SQL: the condition on ``county_id``, after others."""
        if self.counties is None:
            return ""
        return f" AND county_id IN ({', '.join(map(quoted, (NOWHERE, *self.counties)))})"

    def rows_of_pupils(self, con: duckdb.DuckDBPyConnection, *, renamed: bool = True) -> NDArray[np.int32]:
        """(pupils of the state,) the pupil's number in ``timeline_pupils``, −1 for those not asked for.

        An identifier that was changed has the number of the newest; without ``renamed`` it and the newest
        are not asked for.
        """
        told = f"SELECT student_id, pupil FROM {STATE}.pupils WHERE true{self.here()}"
        if has_table(con, "temp", ALIASES):
            told = _UNDER_NEWEST.format(told=told) if renamed else _NOT_RENAMED.format(told=told)
        # By way of a table, as everything that is fetched from a join.
        con.execute(
            "CREATE OR REPLACE TEMP TABLE state_asked AS"
            f" SELECT pupil, student_no FROM ({told}) JOIN timeline_pupils USING (student_id)"
        )
        found = con.execute("FROM state_asked").fetchnumpy()
        pupil, row = np.asarray(found["pupil"]), np.asarray(found["student_no"])
        highest = con.execute(f"SELECT coalesce(max(pupil), 0) FROM {STATE}.pupils").fetchall()[0][0]
        rows = np.full(int(highest) + 1, -1, dtype=np.int32)
        rows[pupil] = row
        return rows


def mark_damaged(folder: Path) -> None:
    """Say that the state in ``folder`` could not be read, so that the next night makes it anew."""
    try:
        (folder / DAMAGED).touch()
    except OSError:  # told tonight, and again by whoever stumbles over it next
        return


_UNDER_NEWEST = f"""
    SELECT coalesce(new_id, student_id) AS student_id, pupil FROM ({{told}})
    LEFT JOIN {ALIASES} ON old_id = student_id"""

_NOT_RENAMED = f"""
    SELECT student_id, pupil FROM ({{told}}) WHERE student_id NOT IN (
        SELECT old_id FROM {ALIASES} UNION SELECT new_id FROM {ALIASES})"""
