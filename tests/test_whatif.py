"""What may be asked of the model, what follows from it, and what is refused with what to ask instead."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_model.errors import UsageError
from risk_model.explanation.change import Scored, in_risk, risk_of, split_change
from risk_model.explanation.derived import FOLLOWS, together
from risk_model.explanation.derived_absence import SPANS
from risk_model.explanation.whatif import plausible, read_changes, what_if
from risk_model.features.declared import BY_NAME, FEATURES
from risk_model.model.bundle import Bundle
from risk_model.model.loading import load
from risk_model.model.logistic import LogisticModel, Term
from risk_model.model.manifest import Reference
from risk_model.model.platt import Platt
from risk_model.model.storing import save_logistic
from tests.bundles import PROVENANCE

NAN = float("nan")
AWAY = {
    "absence_7": 1.0, "absence_14": 0.8, "absence_30": 0.4, "absence_90": 0.2, "absence_term": 0.4,
    "unexcused_7": 0.5, "unexcused_14": 0.4, "unexcused_30": 0.2, "unexcused_90": 0.1, "unexcused_term": 0.2,
    "sick_7": 0.5, "sick_14": 0.4, "sick_30": 0.2, "sick_90": 0.1, "sick_term": 0.2,
    "leave_7": 0.0, "leave_14": 0.0, "leave_30": 0.0, "leave_90": 0.0, "leave_term": 0.0,
    "late_30": 0.1, "late_90": 0.1, "absence_change_30": 0.3, "unexcused_change_30": 0.2,
    "absence_30_over_class": 0.35, "absence_30_over_school": 0.36, "unexcused_30_over_class": 0.2,
    "absence_longest": 8.0, "absence_current": 8.0, "unexcused_longest": 4.0, "unexcused_current": 4.0,
    "days_since_present": 9.0, "never_seen": 0.0, "weeks_in_term": 6.0,
}  # fmt: skip
WAY = {
    "travel_km": 9.0, "day_pupil_km": 9.0, "travel_km_over_school": 5.0, "boarding": 0.0,
    "nearest_school_km": 3.0, "detour_km": 6.0, "travel_minutes": 40.0,
}  # fmt: skip
EXAMS = {"failed_latest": 3.0, "failed_core_latest": 2.0, "z_all_latest": -1.0, "z_change": -0.5}
PUPIL = {**AWAY, **WAY, **EXAMS, "aid_gap": 1.0, "grade_level": 8.0, "score_latest": 0.5}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    folder = tmp_path_factory.mktemp("what-if") / "bundle"
    terms = tuple(Term(name, 0.01 * (place + 1), 0.0) for place, name in enumerate(PUPIL))
    known = {"travel_km": Reference(0.0, tuple(np.linspace(0.2, 12.0, 13).tolist()))}
    made = save_logistic(folder, LogisticModel(-3.0, terms), Platt(), replace(PROVENANCE, reference=known))
    return load(folder, made)


def ask(bundle: Bundle, values=None, **asked: float):
    return what_if(bundle, {**PUPIL, **(values or {})}, asked, BY_NAME)


def test_who_boards_has_no_daily_way(bundle):
    answer = ask(bundle, boarding=1.0)
    assert answer.values_then["day_pupil_km"] == 0.0
    assert answer.followed == ("day_pupil_km",)
    assert set(answer.log_odds) == {"boarding", "day_pupil_km"}
    assert answer.values_then["travel_km"] == 9.0


def test_who_goes_home_every_day_has_the_way_to_school(bundle):
    at_school = {"boarding": 1.0, "day_pupil_km": 0.0}
    assert ask(bundle, at_school, boarding=0.0).values_then["day_pupil_km"] == 9.0
    with pytest.raises(UsageError, match="not known"):
        ask(bundle, {**at_school, "travel_km": NAN}, boarding=0.0)


def test_a_shorter_way_shortens_all_that_is_measured_by_it(bundle):
    then = ask(bundle, travel_km=4.0).values_then
    assert (then["day_pupil_km"], then["travel_km_over_school"], then["detour_km"]) == (4.0, 0.0, 1.0)
    held = ask(bundle, travel_km=4.0).held
    assert held == ("travel_minutes",)  # it may change too, and by how much cannot be computed


def test_a_way_that_is_not_the_straight_line_says_nothing_of_the_detour(bundle):
    assert ask(bundle, {"detour_km": 2.0}, travel_km=4.0).values_then["detour_km"] == 2.0


def test_less_absence_is_less_of_every_kind_in_every_window(bundle):
    then = ask(bundle, absence_30=0.1).values_then
    assert then["absence_7"] == pytest.approx(0.25)
    assert then["absence_90"] == pytest.approx(0.1)
    assert then["unexcused_30"] == pytest.approx(0.05)
    assert then["absence_30_over_class"] == pytest.approx(0.05)
    assert then["absence_change_30"] == pytest.approx(0.0)
    assert then["absence_current"] == 2.0  # two of seven days were missed, so not eight running
    assert then["days_since_present"] == 3.0


@given(
    st.sampled_from([f"{kind}_{span}" for kind in ("absence", "unexcused", "sick") for span in SPANS]),
    st.floats(0, 1),
)
def test_whatever_is_asked_of_absence_stays_possible(name, share):
    """Kinds never exceed the absence, nor days running the days missed, nor all the days there are."""
    then = {**AWAY, name: share, **together(AWAY, {name: share})}
    for span in SPANS:
        kinds = sum(then[f"{kind}_{span}"] for kind in ("unexcused", "sick", "leave"))
        assert 0 <= then[f"absence_{span}"] <= 1
        assert kinds <= min(1, then[f"absence_{span}"]) + 1e-9
    assert then["late_30"] + then["absence_30"] <= 1 + 1e-9
    if then["absence_7"] < 1:
        assert then["absence_current"] <= round(7 * then["absence_7"])


def test_a_pupil_who_is_back_has_one_day_less_of_absence_and_no_days_running(bundle):
    then = ask(bundle, absence_current=0.0).values_then
    assert (then["unexcused_current"], then["days_since_present"]) == (0.0, 1.0)
    assert then["absence_7"] == pytest.approx(6 / 7)
    assert then["absence_30"] == pytest.approx(0.4 - 1 / 30)
    with pytest.raises(UsageError, match="only 0"):
        ask(bundle, absence_current=3.0)


def test_from_no_absence_the_kind_must_be_said(bundle):
    none = {name: 0.0 for name in AWAY if name != "weeks_in_term"}
    with pytest.raises(UsageError, match="unexcused_7 or sick_7 or leave_7"):
        ask(bundle, none, absence_30=0.2)
    then = ask(bundle, none, sick_30=0.2).values_then
    assert then["absence_30"] == pytest.approx(0.2)
    assert then["unexcused_30"] == 0.0


def test_a_failed_core_subject_is_a_failed_subject(bundle):
    assert ask(bundle, failed_latest=1.0).values_then["failed_core_latest"] == 1.0
    assert ask(bundle, failed_core_latest=0.0).values_then["failed_latest"] == 1.0
    assert ask(bundle, z_all_latest=0.0).values_then["z_change"] == 0.5
    with pytest.raises(UsageError, match="cannot be more"):
        ask(bundle, failed_latest=1.0, failed_core_latest=2.0)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "Nothing is asked"),
        ({"shoe_size": 40.0}, "does not use 'shoe_size'"),
        ({"class_percentile": 0.5}, "does not use"),
        ({"grade_level": 9.0}, "cannot be changed by care"),
        ({"aid_gap": 0.0}, "A family circumstance .* nothing can be asked"),
        ({"day_pupil_km": 0.0}, "follows from boarding and travel_km"),
        ({"absence_30_over_class": 0.0}, "follows from absence_30"),
        ({"absence_30": 5.0}, "0 to 1; a share of 5 % is 0.05"),
        ({"boarding": 0.5}, "whole number"),
        ({"failed_latest": 1.5}, "whole number"),
        ({"travel_km": 40.0}, "may be 0.2 to 12"),
        ({"travel_km": math.inf}, "not plausible"),
        ({"travel_km": NAN}, "not plausible"),
        ({"absence_30": 0.1, "absence_7": 0.1}, "hang together"),
        ({"late_30": 0.7}, "more than all days"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_way_out(bundle, asked, why):
    with pytest.raises(UsageError, match=why) as refused:
        ask(bundle, **asked)
    assert "aid_gap" not in str(refused.value)


def test_the_pupils_own_value_is_always_plausible():
    known = Reference(0.1, (1.0, 2.0, 8.0))
    assert plausible("km", 20.0, known) == (1.0, 20.0)
    assert plausible("km", NAN, known) == (1.0, 8.0)
    assert plausible("flag", 0.0, Reference(0.0, (0.0, 0.0, 0.0))) == (0.0, 1.0)
    assert plausible("percent", 0.1, None) == (0.0, 1.0)


def test_all_that_follows_from_others_is_declared_and_leads_to_something_that_can_be_asked():
    for name, sources in FOLLOWS.items():
        assert name in BY_NAME
        assert all(BY_NAME[source].changeable and source not in FOLLOWS for source in sources)
    compared = {feature.name for feature in FEATURES if feature.relation == "compared" and feature.changeable}
    assert compared <= set(FOLLOWS)


@pytest.mark.parametrize("text", ["boarding", "boarding=maybe", "=1", "absence_30=nan", ""])
def test_a_text_that_is_no_question_is_refused(text):
    with pytest.raises(UsageError, match="is no question"):
        read_changes([text])
    with pytest.raises(UsageError, match="once"):
        read_changes(["boarding=true", "boarding=false"])


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=6), st.floats(-9, 9))
def test_parts_of_a_difference_of_risk_add_up_and_keep_their_proportions(parts, before):
    named = {str(place): part for place, part in enumerate(parts)}
    now = before + math.fsum(parts)
    found = in_risk(named, before, now)
    assert math.fsum(found.values()) == pytest.approx(risk_of(now) - risk_of(before), abs=1e-12)
    assert all(found[name] * part >= 0 for name, part in named.items())


def test_nothing_is_asked_of_a_model_where_nothing_moved():
    same = Scored({"travel_km": NAN, "absence_30": 0.1}, -2.0, "d")
    assert split_change(same, same, lambda digest: pytest.fail("no model is needed")).log_odds == {}


def test_risks_that_a_model_does_not_give_are_not_split_by_it(bundle):
    before = Scored(PUPIL, -3.0, bundle.digest)
    found = split_change(
        before, replace(before, values={**PUPIL, "absence_30": 0.1}, log_odds=5.0), lambda _: bundle
    )
    assert found.under is None
    assert found.log_odds == {"whole": 8.0}
