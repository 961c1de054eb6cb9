"""Charts of the pages: what is drawn is what is told, and nothing is said by colour alone."""

from __future__ import annotations

from datetime import date
from math import exp, fsum, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.pages.charts.attendance import Month, draw_attendance
from serving.pages.charts.contributions import draw_contributions
from serving.pages.charts.distance import Way, draw_distance
from serving.pages.charts.results import Term, draw_results

WEIGHTS = st.lists(st.floats(-4, 4), max_size=6)


@given(st.floats(-6, 0), WEIGHTS)
def test_bars_of_contributions_add_up_to_the_risk(base, weights):
    chart = draw_contributions(
        base, [{"name": str(n), "contribution": w} for n, w in enumerate(weights)], "rest"
    )
    odds = exp(base) * exp(fsum(log(bar.times) for bar in chart.bars))
    assert odds / (1 + odds) == pytest.approx(chart.risk, abs=1e-9)
    assert 1 / (1 + exp(-(base + fsum(weights)))) == pytest.approx(chart.risk, abs=1e-9)
    ends = [chart.start, *(bar.ends for bar in chart.bars)]
    for begin, bar in zip(ends, chart.bars, strict=False):
        assert begin == pytest.approx(bar.x if bar.raises else bar.x + bar.width, abs=1.6)
    assert ends[-1] == pytest.approx(chart.end, abs=0.11)


def test_a_family_too_small_to_see_is_not_lost():
    parts = [{"name": "a", "contribution": 1.0}, {"name": "b", "contribution": 0.004}]
    chart = draw_contributions(-3.0, parts, "the rest")
    assert [bar.name for bar in chart.bars] == ["a", "the rest"]


def months(*days):
    return [Month(date(2026, number, 1), told) for number, told in enumerate(days, start=1)]


def test_a_month_without_a_register_is_no_absence():
    chart = draw_attendance(months({"present": 20}, {}, {"absent_unexcused": 5, "present": 10}), [])
    assert chart is not None
    empty = chart.columns[1]
    assert (empty.pieces, empty.month.missed, empty.month.marked) == ((), 0, 0)
    assert [piece.kind for piece in chart.columns[2].pieces] == ["absent_unexcused", "present"], "worst below"
    assert chart.kinds == ("present", "absent_unexcused")
    assert draw_attendance(months({}, {}), []) is None


def test_bars_are_as_high_as_their_days_and_care_stands_on_its_day():
    care = [(date(2026, 2, 15), "opened"), (date(2024, 1, 1), "contact")]
    chart = draw_attendance(months({"present": 20}, {"present": 5, "absent_sick": 5}), care)
    assert chart is not None
    whole, half = (sum(piece.height for piece in column.pieces) for column in chart.columns)
    assert half == pytest.approx(whole / 2, abs=0.2)
    [marker] = chart.markers
    assert chart.columns[1].x < marker.x < chart.columns[1].x + chart.columns[1].width


def test_an_exam_not_sat_is_no_zero():
    terms = [Term("2025/26-1", 0.5, 0.7, 0), Term("2025/26-2", None, 0.6, 3)]
    chart = draw_results(terms)
    assert chart is not None
    assert [dot.share for dot in chart.pupil] == [0.5]
    assert [dot.share for dot in chart.of_class] == [0.7, 0.6]
    assert draw_results([Term("2025/26-2", None, 0.6, 3)]) is None


def test_the_way_is_drawn_to_scale_and_an_unknown_one_not_at_all():
    sketch = draw_distance(Way(8.0, 40, "bus", False, 2.0, None))
    assert sketch is not None
    assert sketch.nearest is not None
    assert (sketch.nearest - sketch.home) * 4 == pytest.approx(sketch.school - sketch.home, abs=0.5)
    assert sketch.middle is None
    assert draw_distance(Way(None, 40, "bus", False, 2.0, None)) is None
