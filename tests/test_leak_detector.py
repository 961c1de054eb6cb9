"""The leak detector: each planted leak is caught and named, an honest county passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from risk_model.features.declared import FEATURES, RELATIONS
from risk_model.features.feature import Relation
from risk_model.settings import TrainingSettings
from tests.made_up_pupils import NAMES, MadeUp
from training.fit import Rows
from training.leaks import KINDS, find_leaks
from training.sources import read_past_the_cut

DAYS = [date(2024, 9, 1) + timedelta(days=30 * month) for month in range(8)]
SETTINGS = TrainingSettings()


@pytest.fixture(scope="module")
def county():
    made = MadeUp(pupils=900)
    return made.rows(DAYS[:5]), made.rows(DAYS[6:]), told(made)


def told(made: MadeUp) -> pd.DataFrame:
    found = made.labels(DAYS)
    return found.assign(happened_on=found["snapshot"] + pd.Timedelta(days=40))


def with_column(rows: Rows, column: np.ndarray) -> Rows:
    return replace(rows, x=np.column_stack([rows.x, column.astype(np.float32)]))


def searched(county, column=None, labels=None, uncut=None):
    fit, calibration, known = county
    names = [*NAMES]
    if column is not None:
        fit, calibration = with_column(fit, column(fit)), with_column(calibration, column(calibration))
        names.append("planted")
    return find_leaks(fit, calibration, names, known if labels is None else labels, SETTINGS, uncut or {})


def noise(rows: Rows, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=len(rows.y))


def test_an_honest_county_passes_and_says_what_was_looked_at(county):
    found = searched(county)
    assert found.findings == ()
    assert found.checked == KINDS
    assert found.document()["not_done"] == []


def days_until(rows: Rows) -> np.ndarray:
    """Days from the snapshot until a leaver leaves, evenly over the label window; infinite for the others."""
    return np.where(rows.y == 1, np.random.default_rng(4).uniform(1, 90, len(rows.y)), np.inf)


def absence_ahead(rows: Rows, days: int) -> np.ndarray:
    """Mean absence of the ``days`` after the snapshot: a leaver is absent on all days after leaving."""
    ordinary = np.random.default_rng(5).beta(1, 15, len(rows.y))
    gone = np.clip((days - days_until(rows)) / days, 0, 1)
    return ordinary + (1 - ordinary) * gone


PLANTED = {
    "copied from the label": (lambda rows: rows.y + 0.1 * noise(rows), "single_feature"),
    "the same, turned round": (lambda rows: -rows.y + 0.1 * noise(rows), "single_feature"),
    "the same, one in twenty copied wrong": (
        lambda rows: np.where(np.abs(noise(rows, 3)) < 0.0627, 1 - rows.y, rows.y) + 0.01 * noise(rows),
        "single_feature",
    ),
    "an exit date": (
        lambda rows: np.where(rows.y == 1, 20_000 + days_until(rows), np.nan), "missingness",
    ),
    "an exit date where nobody's is missing": (
        lambda rows: np.where(rows.y == 1, 20_000 + days_until(rows), 99_999), "single_feature",
    ),
    "a register filled in for leavers": (
        lambda rows: np.where((rows.y == 1) & (noise(rows) > -0.5), noise(rows, 2), np.nan), "missingness",
    ),
    "a register filled in for leavers and a few others": (
        lambda rows: np.where(
            noise(rows) > np.where(rows.y == 1, -0.5, 2.0), noise(rows, 2), np.nan
        ), "missingness",
    ),
    "an average over the future": (lambda rows: absence_ahead(rows, 90), "single_feature"),
}  # fmt: skip


@pytest.mark.parametrize("leak", PLANTED)
def test_a_planted_leak_is_caught_and_its_column_named(county, leak):
    column, kind = PLANTED[leak]
    found = searched(county, column)
    assert {(one.kind, one.column) for one in found.findings} == {(kind, "planted")}
    assert "planted" in found.of(kind)[0].says


def test_an_average_over_a_few_coming_weeks_is_too_weak_for_the_figures_and_is_caught_by_what_it_reads(
    county,
):
    """Whoever leaves late in the window has not begun to be absent: it tells less than honest features do."""
    reads = Relation(
        "ahead",
        "SELECT student_id AS pupil, avg((mark = 'absent_unexcused')::INT) AS absence FROM lake.attendance "
        "WHERE day BETWEEN snapshot AND snapshot + 30 GROUP BY 1",
    )
    planted = replace(FEATURES[0], name="planted", relation="ahead", sql="absence")
    weak = lambda rows: absence_ahead(rows, 30)  # noqa: E731
    assert searched(county, weak).findings == ()
    uncut = read_past_the_cut([*FEATURES, planted], [*RELATIONS, reads])
    (leak,) = searched(county, weak, uncut=uncut).findings
    assert (leak.kind, leak.column) == ("known_after", "planted")
    assert "lake.attendance" in leak.says


PAST_THE_CUT = {
    "the lake": ("SELECT * FROM lake.main.enrolments", "student_id", "lake.main.enrolments"),
    "a file": ("SELECT * FROM 'exits.parquet'", "student_id", "exits.parquet"),
    "a reader": ("SELECT * FROM read_csv('exits.csv')", "student_id", "read_csv(…)"),
    "a question within": ("SELECT * FROM known.students", "(SELECT max(day) FROM lake.marks)", "lake.marks"),
    "within a CTE": ("WITH a AS (SELECT * FROM lake.care) SELECT * FROM a", "student_id", "lake.care"),
    "no SQL": ("SELEC", "student_id", "something that cannot be parsed"),
}


@pytest.mark.parametrize("way", PAST_THE_CUT)
def test_a_feature_that_reads_past_the_cut_is_named_with_what_it_reads(way):
    relation, sql, read = PAST_THE_CUT[way]
    planted = replace(FEATURES[0], name="planted", relation="ahead", sql=sql)
    (found,) = read_past_the_cut([planted], [Relation("ahead", relation)]).values()
    assert found[0].startswith(read)


def test_no_declared_feature_reads_past_the_cut():
    assert read_past_the_cut(FEATURES, RELATIONS) == {}


def test_a_register_half_missing_for_everybody_is_no_leak(county):
    assert searched(county, lambda rows: np.where(noise(rows) > 0, noise(rows, 2), np.nan)).findings == ()


def test_leavers_who_had_left_on_the_snapshot_are_counted(county):
    labels = county[2].copy()
    three = labels.index[labels["label"] == 1][:3]
    labels.loc[three, "happened_on"] = labels.loc[three, "snapshot"]
    (leak,) = searched(county, labels=labels).findings
    assert leak.kind == "already_gone"
    assert leak.says.startswith("3 of ")


def test_the_same_pupil_and_day_in_two_slices_is_an_overlap(county):
    fit, _, labels = county
    found = find_leaks(fit, fit, NAMES, labels, SETTINGS, {})
    assert [leak.kind for leak in found.findings if leak.kind == "overlap"] == ["overlap"]


def test_pupils_who_stand_in_the_registers_twice_are_found(county):
    fit, calibration, labels = county
    renamed = replace(fit, pupils=fit.pupils.assign(student_id=fit.pupils["student_id"] + "-again"))
    found = find_leaks(Rows.concatenated(fit, renamed), calibration, NAMES, labels, SETTINGS, {})
    assert [leak.kind for leak in found.findings] == ["twins"]


def test_a_model_that_knows_something_after_shuffling_is_found(county, monkeypatch):
    """The fit is replaced by one that looks the answers up, as a broken pipeline would."""
    from training import leaks

    monkeypatch.setattr(
        leaks, "_blind", lambda fit, calibration, dice: calibration.y + dice.normal(size=len(calibration.y))
    )
    (leak,) = searched(county).findings
    assert leak.kind == "shuffled_label"
    assert leak.value > 0.7


def test_without_leavers_nothing_is_silently_passed(county):
    fit, calibration, labels = county
    nobody = replace(fit, y=np.zeros_like(fit.y))
    found = find_leaks(nobody, calibration, NAMES, labels, SETTINGS, {})
    assert found.checked == ()
    assert {kind for kind, _ in found.not_done} == set(KINDS)
