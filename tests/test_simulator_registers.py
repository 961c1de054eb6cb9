"""The registers of a clean simulated county: the survey's moments, two clocks, and the truth in them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from risk_model.registers.declared import REGISTERS
from tests.simulator_rig import UNTIL, one, plan_of, registers_of, value
from training.simulator.places import NEVER, found_schools
from training.simulator.school_year import school_years

EVENTS = {
    "attendance": "day", "results": "assessed_on", "families": "observed_on", "travel": "observed_on",
    "aid": "granted_on", "students": "birth_date", "enrolments": "ended_on",
}  # fmt: skip

REGISTERS_SENT = (
    "schools", "students", "enrolments", "attendance", "results", "families", "travel", "aid", "calendar",
    "staff", "assignments",
)  # fmt: skip


@pytest.fixture(scope="module")
def county():
    con = registers_of(plan_of(6_300, seed=6))
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE stages AS SELECT DISTINCT school_id, stage FROM schools;
        CREATE OR REPLACE TEMP TABLE spells AS FROM enrolments
            QUALIFY recorded_on = max(recorded_on) OVER (PARTITION BY student_id, school_id, started_on);
        CREATE OR REPLACE TEMP TABLE marks AS FROM attendance JOIN stages USING (school_id);
        """
    )
    return con


def share(con, table: str, condition: str) -> float:
    return value(con, f"SELECT avg(({condition})::INT) FROM {table}")


@pytest.mark.parametrize("register", REGISTERS_SENT)
def test_columns_and_values_are_those_of_the_contract(county, register):
    declared = REGISTERS[register]
    columns = [row[0] for row in county.execute(f"DESCRIBE {register}").fetchall()]
    assert set(columns) <= {column.name for column in declared.delivered}
    for column in declared.columns:
        if column.required and not column.optional_if_false:
            assert value(county, f"SELECT count(*) FROM {register} WHERE {column.name} IS NULL") == 0
        if column.values and column.name in columns:
            found = {
                row[0] for row in county.execute(f"SELECT DISTINCT {column.name} FROM {register}").fetchall()
            }
            assert found - {None} <= set(column.values)


@pytest.mark.parametrize("register", EVENTS)
def test_nothing_is_recorded_before_it_happened_or_after_the_end(county, register):
    early, late = one(
        county,
        f"SELECT count(*) FILTER ({EVENTS[register]} > recorded_on), count(*) FILTER (recorded_on >"
        f" DATE '{UNTIL}')"
        f" FROM {register}",
    )
    assert (early, late) == (0, 0)


@pytest.mark.parametrize("register", REGISTERS_SENT)
def test_one_key_has_one_content_per_day_of_recording(county, register):
    key = [name for name in REGISTERS[register].key if (register, name) != ("calendar", "school_id")]
    assert value(
        county,
        f"SELECT count(*) FROM (SELECT 1 FROM {register} GROUP BY {', '.join(key)}, recorded_on"
        " HAVING count(*) > 1)",
    ) == 0  # fmt: skip


def test_every_pupil_and_school_named_is_in_its_register(county):
    for register in ("enrolments", "attendance", "results", "families", "travel", "aid"):
        assert value(county, f"SELECT count(*) FROM {register} ANTI JOIN students USING (student_id)") == 0
    assert value(county, "SELECT count(*) FROM enrolments ANTI JOIN schools USING (school_id)") == 0


def test_two_thirds_are_in_grades_1_to_6_in_even_cohorts(county):
    sizes = county.execute(
        "SELECT grade, count(*) FROM spells WHERE started_on = '2023-09-01' GROUP BY grade ORDER BY grade"
    ).fetchall()
    assert [grade for grade, _ in sizes] == list(range(1, 10))
    assert max(n for _, n in sizes) < 1.1 * min(n for _, n in sizes)


def test_schools_and_classes_are_of_a_rural_size(county):
    schools, smallest, largest = one(
        county,
        "SELECT median(n), min(n), max(n) FROM (SELECT count(*) AS n FROM spells WHERE started_on ="
        " '2024-09-01'"
        " GROUP BY school_id)",
    )
    assert 150 <= schools <= 400
    assert smallest >= 80
    assert largest <= 650
    middle, most = one(
        county,
        "SELECT median(n), quantile_cont(n, 0.98) FROM (SELECT count(*) AS n FROM spells"
        " WHERE started_on = '2024-09-01' GROUP BY school_id, class_id)",
    )
    assert 25 <= middle <= 45
    assert most <= 45


def test_demography_is_that_of_the_survey(county):
    assert share(county, "students", "sex = 'F'") == pytest.approx(0.47, abs=0.02)
    assert share(county, "students", "disability") == pytest.approx(0.015, abs=0.005)
    assert share(county, "families", "poverty = 'lifted'") == pytest.approx(0.18, abs=0.025)
    assert share(county, "families", "poverty = 'monitored'") == pytest.approx(0.03, abs=0.012)
    assert share(county, "families", "poverty = 'minimum_living'") == pytest.approx(0.06, abs=0.015)
    assert share(county, "families", "orphan") < 0.008
    assert share(county, "families", "parent_illness") == pytest.approx(0.08, abs=0.02)
    left_behind = "guardian IN ('grandparents', 'relatives', 'nobody')"
    assert share(county, "families", left_behind) == pytest.approx(0.105, abs=0.02)
    assert share(county, f"families WHERE {left_behind}", "guardian = 'grandparents'") == pytest.approx(
        0.89, abs=0.05
    )
    assert value(county, "SELECT avg(siblings) FROM families") == pytest.approx(1.0, abs=0.15)
    mean, spread = one(
        county, "SELECT avg(mother_schooling_years), stddev(mother_schooling_years) FROM families"
    )
    assert mean == pytest.approx(7.5, abs=0.4)
    assert spread == pytest.approx(3, abs=0.4)


def test_brothers_and_sisters_share_a_household(county):
    assert 0.3 < value(
        county,
        "SELECT avg((n > 1)::INT) FROM (SELECT count(DISTINCT student_id) OVER (PARTITION BY"
        " household_id) AS n"
        " FROM (SELECT DISTINCT household_id, student_id FROM families))",
    ) < 0.6  # fmt: skip


def test_ways_to_school_are_lognormal_and_juniors_have_farther_to_go(county):
    ways = {
        stage: (middle, spread, longest)
        for stage, middle, spread, longest in county.execute(
            "SELECT stage, median(distance_km), stddev(ln(greatest(distance_km, 0.1))), max(distance_km)"
            " FROM travel t JOIN spells s ON s.student_id = t.student_id AND year(s.started_on) ="
            " year(t.observed_on)"
            " AND month(s.started_on) = 9 JOIN stages USING (school_id) GROUP BY stage"
        ).fetchall()
    }
    assert ways["primary"][0] == pytest.approx(1.8, rel=0.2)
    assert ways["junior"][0] == pytest.approx(6, rel=0.35)
    assert 0.6 < ways["primary"][1] < 1.0
    assert 0.6 < ways["junior"][1] < 1.1
    assert max(longest for _, _, longest in ways.values()) <= 60


@pytest.mark.parametrize(("grades", "boarders"), [((1, 3), 0.02), ((4, 6), 0.15), ((7, 9), 0.55)])
def test_few_small_children_board_and_most_juniors(county, grades, boarders):
    found = share(county, f"spells WHERE grade BETWEEN {grades[0]} AND {grades[1]}", "boarding")
    assert found == pytest.approx(boarders, rel=0.35)


def test_boarders_live_farther_away(county):
    near, far = one(
        county,
        "SELECT median(distance_km) FILTER (NOT boarding), median(distance_km) FILTER (boarding)"
        " FROM travel t"
        " JOIN spells s ON s.student_id = t.student_id AND year(s.started_on) = year(t.observed_on)"
        " AND grade >= 7",
    )
    assert far > 1.5 * near


def test_absence_is_as_frequent_as_surveyed_and_right_skewed(county):
    assert share(county, "marks WHERE stage = 'primary'", "mark LIKE 'absent%'") == pytest.approx(
        0.025, rel=0.25
    )
    assert share(county, "marks WHERE stage = 'junior'", "mark LIKE 'absent%'") == pytest.approx(
        0.045, rel=0.25
    )
    middle, mean = one(
        county,
        "SELECT median(rate), avg(rate) FROM (SELECT avg((mark LIKE 'absent%')::INT) AS rate FROM"
        " marks GROUP BY student_id)",
    )
    assert middle < 0.85 * mean


def test_absence_peaks_on_mondays_in_harvest_and_after_the_spring_festival(county):
    absent = "mark LIKE 'absent%'"
    usual = share(county, "marks WHERE isodow(day) BETWEEN 2 AND 5 AND month(day) IN (9, 12)", absent)
    assert share(county, "marks WHERE isodow(day) = 1", absent) > 1.1 * usual
    leave = "mark = 'absent_leave'"
    no_harvest = share(county, "marks WHERE month(day) IN (9, 12)", leave)
    assert share(county, "marks WHERE month(day) = 10 AND dayofmonth(day) > 7", leave) > 1.3 * no_harvest
    assert share(county, "marks WHERE day BETWEEN '2024-02-26' AND '2024-03-01'", absent) > 1.3 * usual


def test_sickness_comes_in_waves(county):
    rates = county.execute(
        "SELECT avg((mark = 'absent_sick')::INT) AS rate FROM marks GROUP BY date_trunc('week', day)"
        " HAVING count(*) > 9000"
    ).fetchnumpy()["rate"]
    assert np.quantile(rates, 0.95) > 2 * np.quantile(rates, 0.25)


def test_some_registers_are_missing_and_more_at_some_schools(county):
    """Days on which a class of at least ten has not a single mark, of all days of its school year."""
    kept = county.execute(
        """
        WITH classes AS (SELECT student_id, school_id, class_id FROM spells WHERE started_on = '2024-09-01'),
        kept AS (SELECT a.school_id, class_id, count(DISTINCT day) AS days FROM attendance a
                 JOIN classes USING (student_id, school_id)
                 WHERE day BETWEEN '2024-09-01' AND '2025-07-31'
                 GROUP BY 1, 2 HAVING count(DISTINCT student_id) >= 10),
        year AS (SELECT count(*) AS days FROM calendar WHERE school_day AND recorded_on = '2024-08-20')
        SELECT school_id, 1 - avg(kept.days) / any_value(year.days) AS gap FROM kept, year
        GROUP BY school_id
        """
    ).fetchnumpy()["gap"]
    assert 0.02 <= kept.mean() <= 0.08
    assert kept.max() > 2 * kept.min()


def test_results_last_from_term_to_term_and_differ_by_school(county):
    county.execute(
        """
        CREATE OR REPLACE TEMP TABLE terms AS
        SELECT student_id, grade, school_id, r.term, avg(z) AS z FROM (
            SELECT r.*, grade, school_id,
                   (score - avg(score) OVER w) / stddev(score) OVER w AS z
            FROM results r JOIN spells s ON s.student_id = r.student_id
                 AND year(s.started_on) = left(r.term, 4)::INT AND month(s.started_on) = 9
            WHERE sat WINDOW w AS (PARTITION BY subject, assessed_on, grade)) r
        GROUP BY ALL
        """
    )
    persistence = value(
        county,
        "SELECT corr(a.z, b.z) FROM terms a JOIN terms b USING (student_id) WHERE a.term = '2024-1'"
        " AND b.term = '2024-2'",
    )
    assert 0.65 < persistence < 0.9
    between = value(
        county,
        "SELECT var_pop(m) FROM (SELECT avg(z) AS m FROM terms WHERE term = '2024-1' GROUP BY school_id)",
    )
    assert 0.08 < between / value(county, "SELECT var_pop(z) FROM terms WHERE term = '2024-1'") < 0.35


def test_subjects_begin_with_their_grade_and_scores_stay_within_their_maximum(county):
    first = dict(
        county.execute(
            "SELECT subject, min(grade) FROM results r JOIN spells s ON s.student_id = r.student_id"
            " AND assessed_on BETWEEN s.started_on AND coalesce(s.ended_on, DATE '2030-01-01') GROUP"
            " BY subject"
        ).fetchall()
    )
    assert (first["chinese"], first["english"], first["physics"], first["chemistry"]) == (1, 3, 8, 9)
    assert value(county, "SELECT count(*) FROM results WHERE score > max_score OR score < 0") == 0
    assert value(county, "SELECT count(*) FROM results WHERE sat = (score IS NULL)") == 0


def test_a_tenth_to_a_quarter_of_exits_are_unknown_a_fortnight_later(county):
    late = share(county, "enrolments WHERE end_reason = 'dropped_out'", "recorded_on - ended_on > 14")
    assert 0.10 <= late <= 0.25


def test_the_end_of_a_spell_is_a_second_row_of_its_key(county):
    rows = county.execute(
        "SELECT count(*), count(ended_on) FROM enrolments WHERE started_on = '2023-09-01'"
        " GROUP BY student_id, school_id HAVING max(recorded_on) < '2024-08-01'"
    ).fetchall()
    assert rows
    assert all(total == closed + 1 for total, closed in rows)


def test_pupils_are_promoted_each_summer_and_grade_7_is_at_another_school(county):
    moved, grades = one(
        county,
        "SELECT avg((a.school_id <> b.school_id)::INT) FILTER (a.grade = 6), avg((b.grade = a.grade"
        " + 1)::INT)"
        " FROM spells a JOIN spells b USING (student_id)"
        " WHERE a.end_reason = 'promoted' AND year(b.started_on) = year(a.ended_on) AND"
        " month(b.started_on) = 9",
    )
    assert moved == 1
    assert grades == 1
    assert value(county, "SELECT count(*) FROM spells WHERE end_reason = 'graduated' AND grade <> 9") == 0


def test_pupils_repeat_transfer_and_return(county):
    again = (
        "SELECT count(*) FROM spells a JOIN spells b USING (student_id) WHERE b.started_on > a.ended_on AND "
    )
    assert value(county, again + "a.end_reason = 'other' AND b.grade = a.grade") > 10
    assert value(county, again + "a.end_reason = 'transferred' AND b.school_id <> a.school_id") > 10
    assert value(county, again + "a.end_reason = 'dropped_out'") > 0
    assert value(county, "SELECT count(*) FROM spells WHERE end_reason = 'transferred'") > value(
        county, again + "a.end_reason = 'transferred'"
    )


def test_no_two_spells_of_a_pupil_overlap(county):
    assert value(
        county,
        "SELECT count(*) FROM spells a JOIN spells b USING (student_id) WHERE b.started_on > a.started_on"
        " AND (a.ended_on IS NULL OR a.ended_on >= b.started_on)",
    ) == 0  # fmt: skip


def test_about_fifteen_in_a_hundred_village_schools_close():
    plan = plan_of(300_000)
    closes = [found_schools(plan, plan.township(index)).closes[1:-1] for index in range(plan.township_count)]
    assert 0.11 < (np.concatenate(closes) < NEVER).mean() < 0.19


def test_a_closed_school_teaches_nobody(county):
    closed = value(county, "SELECT count(*) FROM schools WHERE closed_on IS NOT NULL")
    assert closed >= 1
    assert value(
        county,
        "SELECT count(*) FROM attendance a JOIN schools s USING (school_id) WHERE a.day >= s.closed_on",
    ) == 0  # fmt: skip


def test_marks_lie_on_school_days_only(county):
    assert value(
        county,
        "SELECT count(*) FROM attendance a ANTI JOIN (FROM calendar WHERE school_day) c ON a.day = c.day",
    ) == 0  # fmt: skip


def test_years_have_about_190_school_days_in_two_terms():
    for year in school_years(4, date(2026, 6, 30)):
        assert 180 <= len(year.days) <= 205
        gaps = np.diff(year.days).astype(int)
        assert (gaps >= 14).sum() == 1
