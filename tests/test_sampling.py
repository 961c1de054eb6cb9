"""Sampled negatives with exact weights teach what everybody teaches, however rare leaving is."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

from benchmarks.sampling import DAYS, EVERYBODY, NAMES, SPLIT, compared, fitted, made_up, scaled
from risk_model.settings import TrainingSettings
from training.snapshots import sampled_rows


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as opened:
        made_up(opened, pupils=3000, base_rate=0.02, seed=1)
        yield opened


def test_the_weights_of_each_snapshot_add_up_to_its_cohort_and_every_leaver_is_there(con):
    rows = sampled_rows(con, NAMES, SPLIT.fit, TrainingSettings(negatives_per_positive=5))
    assert len(rows.y) < 4 * 3000 * 0.2
    totals = rows.pupils.assign(weight=rows.weight).groupby("snapshot")["weight"].sum()
    np.testing.assert_allclose(totals, 3000)
    left = con.execute("SELECT sum(label) FROM labels WHERE snapshot < ?", [DAYS[4]]).fetchall()[0][0]
    assert rows.positives == left
    assert (rows.weight[rows.y == 1] == 1).all()


def test_at_most_so_many_negatives_are_drawn_and_they_still_stand_for_everybody(con):
    few = TrainingSettings(negatives_per_positive=EVERYBODY, most_negatives=1000)
    rows = sampled_rows(con, NAMES, SPLIT.fit, few)
    assert 850 < (rows.y == 0).sum() < 1150
    assert rows.weight.sum() == pytest.approx(4 * 3000)


def test_the_sampled_fit_equals_the_full_one_within_noise():
    found = compared(pupils=6000, base_rate=0.02, seed=3, ratio=20)
    sampled, full = found["sampled"], found["full"]
    assert sampled["rows"] < full["rows"] / 2
    assert full["roc_auc"] > 0.75, "there is something to learn"
    assert sampled["roc_auc"] == pytest.approx(full["roc_auc"], abs=0.01)
    assert sampled["mean_risk"] == pytest.approx(full["mean_risk"], rel=0.1)


def test_one_in_three_thousand_still_gives_a_calibrated_model():
    """A base rate of 0.03 %: sixty leavers to fit on among 200,000 rows."""
    with duckdb.connect() as con:
        made_up(con, pupils=60_000, base_rate=0.0003, seed=2)
        model = fitted(con, ratio=20, seed=1)
        later = sampled_rows(con, NAMES, DAYS[7:], TrainingSettings(negatives_per_positive=EVERYBODY))
    risk = model.predict(later.x)
    assert len(later.y) == 60_000
    assert 0.00015 < risk.mean() < 0.0006
    assert risk[later.y == 1].mean() > 3 * risk.mean()


def test_the_draw_stays_within_duckdb_and_spills_what_does_not_fit():
    document = scaled(rows=1_200_000, memory="60MB", base_rate=0.001, ratio=5)
    assert document["spilt_mb"] > 10
    assert document["drawn"] < 20_000
    assert document["weight"] == pytest.approx(1_200_000 * 7 / 8)


def test_care_affected_rows_count_for_as_much_as_the_setting_says(con):
    con.execute("UPDATE labels SET care_affected = hash(student_id) % 10 = 0")
    settings = [TrainingSettings(care_weight=weight) for weight in (1.0, 0.5, 0.0)]
    whole, half, none = (sampled_rows(con, NAMES, SPLIT.fit, one) for one in settings)
    touched = np.isclose(half.weight, whole.weight / 2)
    assert 0.05 < touched.mean() < 0.15
    np.testing.assert_allclose(half.weight[~touched], whole.weight[~touched])
    assert len(none.y) == (~touched).sum()
    assert none.positives < whole.positives
    con.execute("UPDATE labels SET care_affected = false")
