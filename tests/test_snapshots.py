"""Snapshots of a training: the very features of the nightly frame, labelled, counted and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from risk_model.features.compute import compute_features
from risk_model.features.declared import FEATURE_NAMES, FEATURES
from risk_model.settings import Settings
from tests.known_registers import make_known
from tests.town import DAY, town
from training.snapshots import PUPIL, Snapshots

LATER = DAY + timedelta(days=200)


@dataclass
class TownLake:
    """The town as a lake whose registers are known on every day."""

    con: duckdb.DuckDBPyConnection

    def known_on(self, day: date) -> None:
        """Nothing changes."""


@pytest.fixture(scope="module")
def con():
    with duckdb.connect(config={"threads": 1}) as opened:
        registers = town()
        registers["care"] = [{"student_id": "lan", "care_id": "K", "day": DAY, "kind": "opened"}]
        make_known(opened, **registers)
        yield opened


@pytest.fixture(scope="module")
def snapshots(con) -> Snapshots:
    made = Snapshots(TownLake(con), Settings(), FEATURES)
    made.taken = made.add(DAY)
    return made


def test_a_snapshot_holds_the_scored_pupils_of_the_frame_to_the_last_bit(con, snapshots):
    frame = compute_features(con, DAY, Settings())
    scored = frame[frame["status"] == "scored"].reset_index(drop=True)
    everybody = snapshots.everybody(DAY)
    assert snapshots.taken == len(scored) > 10
    assert everybody.pupils.to_numpy().tolist() == scored[list(PUPIL)].to_numpy().tolist()
    np.testing.assert_array_equal(everybody.x, scored[list(FEATURE_NAMES)].to_numpy(np.float32))


def test_labels_are_counted_by_rows_and_by_pupils(con, snapshots):
    snapshots.label_as_known_on(LATER, [DAY])
    con.execute("UPDATE labels SET state = 'unknown', label = NULL, care_affected = student_id <> 'c03'")
    con.execute(
        "UPDATE labels SET state = 'positive', label = 1, dropped_out = true WHERE student_id = 'lan'"
    )
    con.execute("UPDATE labels SET state = 'negative', label = 0 WHERE student_id IN ('c01', 'c02', 'c03')")
    counts = snapshots.counts()
    assert (counts["positive"], counts["negative"], counts["unknown"]) == (1, 3, snapshots.taken - 4)
    assert counts["pupils"] == {"labelled": 4, "left": 1}
    assert counts["care_affected"] == 3, "rows without a label are not counted"
    assert counts["components"]["dropped_out"] == 1
    assert snapshots.leavers([DAY])["student_id"].tolist() == ["lan"]
    assert len(snapshots.labels([DAY])) == snapshots.taken
