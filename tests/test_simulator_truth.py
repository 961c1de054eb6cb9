"""The hidden truth of the simulated county, held against the numbers of the field survey."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.simulator_rig import plan_of, truth_of, value
from training.simulator.presets import COUNTY, POOR, Preset
from training.simulator.truth import leaving_share, next_week_disengaged, weekly_chance

STAGES = {"grades 1-3": (1, 2, 3), "grades 4-6": (4, 5, 6), "grade 7": (7,), "grade 8": (8,), "grade 9": (9,)}


@pytest.fixture(scope="module")
def county():
    return truth_of(plan_of(24_000))


@pytest.fixture(scope="module")
def poor():
    return truth_of(plan_of(12_000, preset="poor-county"))


def yearly_rate(con, grades) -> float:
    within = f"IN ({','.join(map(str, grades))})"
    leavers = value(con, f"SELECT count(*) FROM leavers WHERE grade {within}")
    return leavers / value(con, f"SELECT count(*) FROM pupils WHERE grade {within}")


def expected(preset: Preset, grades) -> float:
    return sum(preset.annual[grade - 1] for grade in grades) / len(grades)


@pytest.mark.parametrize("stage", STAGES)
def test_as_many_leave_a_county_each_year_as_the_survey_says_with_hidden_dropout(county, stage):
    assert yearly_rate(county, STAGES[stage]) == pytest.approx(expected(COUNTY, STAGES[stage]), rel=0.3)


@pytest.mark.parametrize("stage", STAGES)
def test_as_many_leave_a_poor_county_each_year_as_around_2010(poor, stage):
    assert yearly_rate(poor, STAGES[stage]) == pytest.approx(expected(POOR, STAGES[stage]), rel=0.35)


def test_a_province_mixes_poor_and_better_counties():
    plan = plan_of(6_000, preset="province")
    kinds = [plan.township(index).preset.name for index in range(plan.township_count)]
    assert set(kinds) == {"county", "typical-county", "poor-county"}


def test_hazards_add_up_to_the_number_of_leavers(county):
    chances, leavers = county.execute(
        "SELECT sum(hazard), sum(leaves::INT) FROM hazard WHERE hazard < 1"
    ).fetchone()
    assert leavers == pytest.approx(chances, abs=4 * np.sqrt(chances))


def test_pupils_leave_in_proportion_to_their_hazard(county):
    bands = county.execute(
        "SELECT sum(hazard), sum(leaves::INT) FROM hazard WHERE hazard < 1 GROUP BY floor(log10(hazard))"
        " HAVING sum(hazard) > 20"
    ).fetchall()
    assert len(bands) >= 3
    for chances, leavers in bands:
        assert leavers == pytest.approx(chances, abs=4.5 * np.sqrt(chances))


def test_six_in_ten_leavers_were_disengaged_for_weeks_before(county):
    share, early = county.execute(
        "SELECT avg((ramp_weeks >= 1)::INT), avg((ramp_weeks >= 3)::INT) FROM leavers"
    ).fetchone()
    assert 0.5 <= share <= 0.68
    assert share - early < 0.06


def test_some_who_were_disengaged_recover():
    assert 0.5 < leaving_share() < 0.8
    weeks = next_week_disengaged(np.full(1000, 5, np.int8), np.zeros(1000), np.random.default_rng(1))
    assert 0.05 < (weeks == 0).mean() < 0.15
    assert set(weeks.tolist()) == {0, 6}


def test_a_quarter_leaves_over_a_holiday_without_notice(county):
    share = value(
        county,
        "SELECT avg((ramp_weeks = 0 AND (path = 'non_return' OR month(day) IN (7, 8, 2)))::INT) FROM leavers",
    )
    assert 0.18 <= share <= 0.32


def test_all_three_paths_occur(county, poor):
    for con in (county, poor):
        paths = {path for (path,) in con.execute("SELECT DISTINCT path FROM leavers").fetchall()}
        assert paths == {"dropped_out", "hidden", "non_return"}


def test_hidden_leaving_prevails_today_and_open_leaving_around_2010(county, poor):
    hidden = "SELECT avg((path = 'hidden')::INT) FROM leavers"
    assert value(county, hidden) > 0.4 > 0.25 > value(poor, hidden)


def oracle(con) -> float:
    """Pooled AUC of the hazard in monthly weeks for leaving within the next 90 days."""
    frame = con.execute(
        """
        WITH weeks AS (SELECT DISTINCT monday FROM hazard),
        snapshots AS (SELECT monday FROM weeks WHERE monday <= (SELECT max(monday) - 90 FROM weeks)
                      QUALIFY (row_number() OVER (ORDER BY monday)) % 4 = 0)
        SELECT hazard, EXISTS (FROM leavers l WHERE l.student_id = h.student_id
                               AND l.monday BETWEEN h.monday AND h.monday + 90) AS leaves
        FROM hazard h JOIN snapshots USING (monday) WHERE hazard < 1
        """
    ).fetchnumpy()
    return roc_auc_score(frame["leaves"], frame["hazard"])


def test_even_the_truth_ranks_future_leavers_only_so_well(county, poor):
    assert 0.83 <= oracle(county) <= 0.92
    assert 0.83 <= oracle(poor) <= 0.92


def test_one_row_per_pupil_and_week_and_mondays_only(county):
    rows, distinct, mondays, low, high = county.execute(
        "SELECT count(*), count(DISTINCT (student_id, monday)), bool_and(isodow(monday) = 1),"
        " min(hazard), max(hazard) FROM hazard"
    ).fetchone()
    assert rows == distinct
    assert mondays
    assert low > 0
    assert high <= 1


def test_each_leaver_leaves_in_the_week_the_truth_says(county):
    assert value(
        county,
        "SELECT count(*) FROM leavers l LEFT JOIN hazard h USING (student_id, monday)"
        " WHERE h.leaves IS NOT TRUE OR l.day NOT BETWEEN l.monday AND l.monday + 6",
    ) == 0  # fmt: skip
    assert value(county, "SELECT count(*) FROM leavers") == value(
        county, "SELECT sum(leaves::INT) FROM hazard"
    )


def test_until_a_hidden_leaver_is_out_by_the_registers_the_truth_is_sure(county):
    """They stay in the cohort until the 20th school day; a row with hazard 1 says they are gone."""
    weeks = value(
        county,
        "SELECT avg(n) FROM (SELECT count(h.monday) AS n FROM leavers l"
        " LEFT JOIN hazard h ON h.student_id = l.student_id AND h.monday > l.monday AND h.monday <="
        " l.monday + 42 AND h.hazard = 1"
        " WHERE path = 'hidden' AND month(l.day) IN (3, 4, 11) GROUP BY l.student_id, l.monday)",
    )
    assert 3 <= weeks <= 5
    assert value(county, "SELECT count(*) FROM hazard WHERE hazard = 1 AND leaves") == 0


@pytest.mark.parametrize(
    ("cause", "least"),
    [
        ("results", 1.2),
        ("over_age", 1.2),
        ("guardian", 1.2),
        ("parent_illness", 1.2),
        ("disengagement", 1.3),
        ("school", 1.1),
    ],
)
def test_each_cause_raises_the_chance_of_leaving(causes, cause, least):
    with_cause, without = causes[cause]
    assert with_cause / without > least


@pytest.fixture(scope="module")
def causes():
    """Of each cause: share of leavers among junior pupils with much of it and with none or little."""
    from tests.simulator_rig import lived
    from training.simulator.truth import CAUSES

    shares: dict[str, list[np.ndarray]] = {cause: [] for cause in CAUSES}
    for lives, _, _ in lived(plan_of(14_000, years=2, preset="poor-county")):
        junior = (lives.grade >= 7) & (lives.grade <= 10)
        for number, cause in enumerate(CAUSES):
            shares[cause].append(np.stack([lives.causes[number][junior], lives.left[junior]]))
    answer = {}
    for cause, parts in shares.items():
        amount, left = np.concatenate(parts, axis=1)
        low, high = np.quantile(amount, [0.5, 0.8])
        much = amount > high if (amount > high).any() else amount == high
        answer[cause] = (left[much].mean(), left[amount <= low].mean())
    return answer


def test_nobody_leaves_for_good_in_a_holiday_week_by_walking_out_of_class():
    chance = weekly_chance(np.array([0.5]), np.array([5]), in_term=False, starts=0)
    assert chance.ramp[0] == 0
    assert 0 < chance.hazard[0] < 0.01


def test_the_start_of_a_term_is_when_pupils_fail_to_return():
    rate, calm = np.array([0.05]), np.array([0])
    start = weekly_chance(rate, calm, in_term=True, starts=2).hazard[0]
    assert start > 10 * weekly_chance(rate, calm, in_term=True, starts=0).hazard[0]
