"""A pupil explained: for and against, by family, what changed, what if – and nothing restricted told."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from risk_model.errors import BundleError, MissingError, UsageError
from risk_model.explanation.whatif import NO_PROMISE
from risk_model.features.declared import BY_NAME
from risk_model.model.platt import Platt
from risk_model.model.storing import save_lightgbm
from risk_model.registry import Champion
from risk_model.shelf import Shelf
from serving import commands
from serving.database import open_database
from serving.explaining import explain
from serving.explanation_text import explanation_text
from serving.lists import published_page
from serving.units import parse_unit
from tests.bundles import PROVENANCE
from tests.nights import FEATURES, CountyOffice, bundle, county_office, county_office_with_archive, shelve  # noqa: F401
from tests.test_lists import GOLDEN, TUESDAY, explained, run

PUPIL = "C7A00"
HIDDEN = ("parent_illness", "seriously ill", "重病")
"""What must not be told of the restricted feature of these nights."""


def next_model(office: CountyOffice, folder: Path, slope: float = 1.3) -> None:
    """A new champion, found by its digest."""
    digest = bundle(folder, slope=slope)
    shelve(office.home, folder)
    assert office.champion is not None
    office.champion = replace(office.champion, version="4", folder=folder, digest=digest)


def trees(folder: Path, office: CountyOffice) -> str:
    """Trees over the features of these nights, grown on made-up leavers; their digest."""
    x = np.tile(office.frame[list(FEATURES)].to_numpy(dtype=float), (12, 1))
    dice = np.random.default_rng(3)
    x = x + dice.normal(0, 0.05, x.shape)
    y = (dice.random(len(x)) < 1 / (1 + np.exp(2 - 12 * np.nan_to_num(x[:, 0]) - x[:, 2]))).astype(int)
    options = {
        "objective": "binary",
        "max_depth": 3,
        "verbosity": -1,
        "num_threads": 1,
        "min_data_in_leaf": 5,
    }
    data = lightgbm.Dataset(x, y, feature_name=list(FEATURES))
    return save_lightgbm(folder, lightgbm.train(options, data, 40), Platt(0.9, -0.2), PROVENANCE)


def asked(office: CountyOffice, **values: float) -> dict:
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        return explain(connection, office.home, office.settings, PUPIL, None, values)


def change(office: CountyOffice, **values: float) -> None:
    office.frame.loc[office.frame["student_id"] == PUPIL, list(values)] = list(values.values())
    office.new_registers()


def log_odds(risk: float) -> float:
    return math.log(risk / (1 - risk))


def assert_split(before: dict, now: dict) -> None:
    """Both splits of the difference leave nothing over."""
    changes = now["changes"]
    assert math.fsum(one["difference"] for one in changes) == pytest.approx(
        log_odds(now["risk"]) - log_odds(before["risk"]), abs=1e-9
    )
    assert math.fsum(one["risk_difference"] for one in changes) == pytest.approx(
        now["risk"] - before["risk"], abs=1e-12
    )


def test_families_and_their_groups_add_up_to_the_contributions(office):
    office.score()
    document = explained(office, PUPIL)
    total = math.fsum(part["contribution"] for part in document["contributions"])
    assert math.fsum(family["contribution"] for family in document["families"]) == pytest.approx(
        total, abs=1e-12
    )
    for family in document["families"]:
        assert math.fsum(group["contribution"] for group in family["groups"]) == pytest.approx(
            family["contribution"], abs=1e-12
        )
    assert {family["family"] for family in document["families"]} == {
        "attendance", "learning", "family", "distance", "time"
    }  # fmt: skip


def test_what_speaks_against_leaving_is_told_with_the_class_where_the_pupil_stands_better(office):
    change(office, absence_30=0.0, travel_km=math.nan)
    office.score()
    told = explained(office, PUPIL)["protective"]
    assert told[0]["feature"] == "absence_30"
    assert all(reason["contribution"] < 0 for reason in told)
    assert "(class: " in told[0]["text"]
    assert not {"travel_km", "grade_level"} & {reason["feature"] for reason in told}


def test_a_restricted_fact_that_protects_is_told_as_its_family(office):
    change(office, parent_illness=0.0)
    office.score()
    told = explained(office, PUPIL)["protective"]
    assert [reason["text"] for reason in told if reason["feature"] == "restricted"] == [
        "A family circumstance (details are restricted)"
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_restricted_is_told_anywhere_in_an_explanation(office, tmp_path, language):
    settings = office.settings.list.model_copy(update={"language": language})
    office.settings = office.settings.model_copy(update={"list": settings})
    change(office, parent_illness=0.0)
    office.score()
    change(office, parent_illness=1.0, absence_30=0.3)
    next_model(office, tmp_path / "next")
    office.score(TUESDAY)
    document = asked(office, absence_30=0.05)
    hidden = [one for one in document["changes"] if one["feature"] == "restricted"]
    assert [(one["family"], one["value"], one["value_before"]) for one in hidden] == [("family", None, None)]
    assert hidden[0]["difference"] == pytest.approx(0.9)
    told = json.dumps(document, ensure_ascii=False) + explanation_text(document, language, 90)
    assert not [words for words in HIDDEN if words in told]


def test_what_is_restricted_cannot_be_asked_and_the_refusal_does_not_name_it(office):
    office.score()
    for value in (0.0, 1.0):
        with pytest.raises(UsageError, match="A family circumstance") as refused:
            asked(office, parent_illness=value)
        assert not [words for words in HIDDEN if words in str(refused.value)]


@pytest.mark.parametrize("kind", ["rule", "trees"])
def test_only_what_moved_has_a_part_in_the_change(office, tmp_path, kind):
    if kind == "trees":
        folder = tmp_path / "trees"
        digest = trees(folder, office)
        shelve(office.home, folder)
        office.champion = replace(office.champion, folder=folder, digest=digest)
    office.score()
    before = explained(office, PUPIL)
    change(office, absence_30=0.25, travel_km=9.0)
    office.score(TUESDAY)
    now = explained(office, PUPIL)
    assert_split(before, now)
    assert {one["feature"] for one in now["changes"]} <= {"absence_30", "travel_km"}
    assert now["changes"][0]["value"] == 0.25
    assert now["changes_note"] is None


def test_a_change_of_values_and_of_model_is_split_between_them(office, tmp_path):
    office.score()
    before = explained(office, PUPIL)
    change(office, absence_30=0.25)
    next_model(office, tmp_path / "next")
    office.score(TUESDAY)
    now = explained(office, PUPIL)
    assert_split(before, now)
    parts = {one["feature"]: one["difference"] for one in now["changes"]}
    assert set(parts) == {"absence_30", "model"}
    old = before["contributions"]
    was = next(part["value"] for part in old if part["feature"] == "absence_30")
    assert parts["absence_30"] == pytest.approx(12.0 * (0.25 - was))  # by the model of then
    assert "that alone makes" in explanation_text(now, "en", 90)


def test_from_the_rule_to_trees_and_back_nothing_is_left_over(office, tmp_path):
    office.score()
    before = explained(office, PUPIL)
    change(office, absence_30=0.25)
    folder = tmp_path / "trees"
    digest = trees(folder, office)
    shelve(office.home, folder)
    office.champion = replace(office.champion, version="4", folder=folder, digest=digest)
    office.score(TUESDAY)
    assert_split(before, explained(office, PUPIL))


def lose(office: CountyOffice, digest: str) -> None:
    place = Shelf(office.home).folder(digest)
    place.rename(place.with_name("lost"))


def test_where_the_earlier_model_is_lost_the_change_is_weighed_by_todays_and_it_says_so(office, tmp_path):
    office.score()
    before = explained(office, PUPIL)
    old = office.champion.digest
    change(office, absence_30=0.25)
    next_model(office, tmp_path / "next", slope=2.0)
    office.score(TUESDAY)
    lose(office, old)
    now = explained(office, PUPIL)
    assert_split(before, now)
    was = next(part["value"] for part in before["contributions"] if part["feature"] == "absence_30")
    parts = {one["feature"]: one["difference"] for one in now["changes"]}
    assert parts["absence_30"] == pytest.approx(2.0 * 12.0 * (0.25 - was))
    assert "today's model" in now["changes_note"]
    assert now["changes_note"] in explanation_text(now, "en", 90)


def test_where_no_model_can_be_had_the_difference_stays_whole_and_it_says_so(office):
    office.score()
    before = explained(office, PUPIL)
    change(office, absence_30=0.25)
    office.score(TUESDAY)
    lose(office, office.champion.digest)
    now = explained(office, PUPIL)
    assert_split(before, now)
    assert [one["feature"] for one in now["changes"]] == ["whole"]
    assert "Restore mlruns/bundles" in now["changes_note"]
    with pytest.raises(MissingError, match="cannot be read"):
        asked(office, absence_30=0.1)


def test_a_question_is_answered_with_risk_now_and_then_and_the_reasons_that_moved(office):
    change(office, absence_30=0.3)
    office.score()
    document = asked(office, absence_30=0.05)
    answer = document["what_if"]
    assert answer["risk"] == pytest.approx(document["risk"], abs=1e-12)
    assert log_odds(answer["risk_then"]) == pytest.approx(log_odds(document["risk"]) - 12.0 * 0.25)
    [moved] = answer["reasons_moved"]
    assert (moved["feature"], moved["value"], moved["value_then"]) == ("absence_30", 0.3, 0.05)
    assert moved["difference"] == pytest.approx(-3.0)
    assert moved["risk_difference"] == pytest.approx(answer["risk_difference"])
    assert answer["says"] == NO_PROMISE["en"]
    assert "what_if" not in explained(office, PUPIL)


def test_nothing_can_be_asked_of_a_pupil_without_a_score(office):
    office.score()
    with (
        open_database(office.home, office.settings) as engine,
        engine.connect() as connection,
        pytest.raises(UsageError, match="no score"),
    ):
        explain(connection, office.home, office.settings, "A7A03", None, {"absence_30": 0.1})


def test_questions_come_through_the_shell(office):
    change(office, absence_30=0.3)
    office.score()
    question = ("--what-if", "absence_30=0.05", "--what-if", "travel_km=1")
    answered = run(office, commands.explain, PUPIL, *question, as_json=True)
    assert answered.exit_code == 0, answered.stderr
    assert json.loads(answered.stdout)["what_if"]["changes"] == {"absence_30": 0.05, "travel_km": 1.0}
    text = run(office, commands.explain, PUPIL, *question).stdout
    assert "If it were so: absence_30 = 0.05, travel_km = 1" in text
    assert NO_PROMISE["en"] in text
    assert run(office, commands.explain, PUPIL, "--what-if", "grade_level=3").exit_code == 2
    assert run(office, commands.explain, PUPIL, "--what-if", "boarding").exit_code == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_explanation_a_teacher_reads(office, tmp_path, language):
    settings = office.settings.list.model_copy(update={"language": language})
    office.settings = office.settings.model_copy(update={"list": settings})
    office.score()
    change(office, absence_30=0.2, travel_km=9.0, parent_illness=1.0)
    next_model(office, tmp_path / "next")
    office.score(TUESDAY)
    text = explanation_text(asked(office, absence_30=0.05), language, 90)
    assert text + "\n" == (GOLDEN / f"explanation_{language}.txt").read_text(encoding="utf-8")


class Unbalanced:
    """A scorer whose contributions of one pupil do not add up, and that counts whom it explains."""

    def __init__(self, honest, wrong: bool) -> None:
        self.honest, self.wrong, self.explained = honest, wrong, 0

    def margin(self, matrix, threads):
        return self.honest.margin(matrix, threads)

    def contributions(self, matrix, threads):
        base, parts = self.honest.contributions(matrix, threads)
        self.explained += len(matrix)
        parts[len(parts) // 2, 0] += 0.01 * self.wrong
        return base, parts

    def answer(self, matrix, threads):
        return *self.contributions(matrix, threads), self.margin(matrix, threads)


@pytest.mark.parametrize("wrong", [False, True])
def test_every_night_checks_of_everybody_that_the_reasons_add_up_to_the_risk(office, monkeypatch, wrong):
    """One pupil of ninety whose reasons are a hundredth off, and nothing is published."""
    honest = office.champion.load()
    scorer = Unbalanced(honest.scorer, wrong)
    monkeypatch.setattr(Champion, "load", lambda champion: replace(honest, scorer=scorer))
    if wrong:
        with pytest.raises(BundleError, match="In 1 of 89 rows the contributions do not add up"):
            office.score()
        with (
            open_database(office.home, office.settings) as engine,
            engine.connect() as connection,
            pytest.raises(MissingError),
        ):
            published_page(connection, parse_unit(None))
    else:
        document = office.score()
        assert scorer.explained >= document["status"]["scored"] == 89


def test_every_family_and_group_that_is_shown_has_a_name_in_both_languages():
    from risk_model.explanation.families import FAMILIES, GROUPS
    from risk_model.explanation.sentences import is_restricted

    groups = {feature.group for feature in BY_NAME.values() if not is_restricted(feature)} - {""}
    for language in ("en", "zh"):
        assert {feature.family for feature in BY_NAME.values()} <= set(FAMILIES[language])
        assert groups <= set(GROUPS[language])
