"""The challenger scores every night beside the champion: counted, compared by later labels, never shown."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from risk_model.model.logistic import LogisticModel, Term
from risk_model.model.platt import Platt
from risk_model.model.storing import save_logistic
from risk_model.registry import Champion, Registry
from risk_model.shadows import nights, read_shadows
from serving.commands import _score_text
from serving.database import open_database
from serving.lists import Asked, published_page
from serving.tables import Base
from serving.units import parse_unit
from tests.bundles import PROVENANCE
from tests.nights import MONDAY, CountyOffice, county_office, county_office_with_archive  # noqa: F401
from training import shadowed
from training.comparing import _unseen

UNLIKE = {"document", "finished_at", "published_at"}
"""Columns that tell of the night's document or of the hour."""


@pytest.fixture
def challenged(office: CountyOffice, tmp_path, monkeypatch) -> CountyOffice:
    """The office with challenger 4, to whom the school's distance is all."""
    challenger = model(tmp_path / "challenger", "4", Term("travel_km", 0.4, 3.0))
    monkeypatch.setattr(Registry, "challenger", lambda registry: challenger)
    return office


def model(folder: Path, version: str, term: Term) -> Champion:
    """A model of one feature, as the registry answers it."""
    digest = save_logistic(folder, LogisticModel(-3.0, (term,)), Platt(1.0, 0.0), PROVENANCE)
    return Champion(version, folder, digest, datetime(2026, 2, 1, tzinfo=UTC), "D", "test")


def tables(office: CountyOffice) -> dict[str, list]:
    """All of the service database but the documents and times of the runs."""
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        return {
            table.name: [
                tuple(value for name, value in row._mapping.items() if name not in UNLIKE)
                for row in connection.execute(select(table))
            ]
            for table in Base.metadata.sorted_tables
        }


def page(office: CountyOffice):
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        return published_page(connection, parse_unit("county:K"), Asked(everybody=True))


def test_a_night_without_a_challenger_says_so(office):
    assert office.score()["shadow"] is None
    assert nights(office.home, office.settings, "4") == ()


def test_the_challenger_scores_the_same_pupils_and_is_counted(challenged):
    told = challenged.score()["shadow"]
    scored = challenged.frame[challenged.frame["status"] == "scored"]
    (night,) = nights(challenged.home, challenged.settings, "4")
    rows = read_shadows(challenged.home, challenged.settings, [night.run_id])
    assert (night.as_of, night.champion, night.challenger) == (MONDAY, "3", "4")
    assert sorted(rows["student_id"]) == sorted(scored["student_id"])
    both = int((rows["listed"] & rows["champion_listed"]).sum())
    assert told["would_list"] == rows["listed"].sum() > 0
    assert (told["pupils"], told["listed"], told["both"]) == (len(rows), rows["champion_listed"].sum(), both)
    assert told["churn"] == pytest.approx(1 - both / told["listed"])
    assert 0 < told["churn"] <= 1
    far = scored.set_index("student_id")["travel_km"]
    highest = rows.sort_values("rank")["student_id"].iloc[0]
    assert far[highest] == far.max(), "it goes by the distance alone"


def test_nobody_sees_the_challengers_list(challenged, monkeypatch):
    """Every table of the service database and the page are what they are without a challenger."""
    told = challenged.score(MONDAY)
    with_challenger, shown = tables(challenged), page(challenged)
    monkeypatch.setattr(Registry, "challenger", lambda registry: None)
    challenged.home = dataclasses.replace(challenged.home, folder=challenged.home.folder.with_name("alone"))
    challenged.home.folder.mkdir()
    alone = challenged.score(MONDAY)
    assert tables(challenged) == with_challenger
    assert page(challenged) == shown
    assert {**told, "shadow": 0, "seconds": 0, "stages": 0, "peak_memory_mb": 0} == {
        **alone, "shadow": 0, "seconds": 0, "stages": 0, "peak_memory_mb": 0,
    }  # fmt: skip


def test_a_night_asked_for_again_answers_the_same_document_and_is_counted_once(challenged):
    first = challenged.score()
    assert challenged.score() == json.loads(json.dumps(first))
    assert len(nights(challenged.home, challenged.settings, "4")) == 1


@pytest.mark.parametrize("harm", ["damaged", "foreign feature", "archive"])
def test_a_challenger_that_fails_is_told_and_the_night_stands(challenged, monkeypatch, harm):
    challenger = Registry(challenged.home, challenged.settings).challenger()
    if harm == "damaged":
        (challenger.folder / "calibrator.json").write_text("{}")
    elif harm == "foreign feature":
        challenged.frame = challenged.frame.drop(columns="travel_km")
        challenged.champion = model(challenger.folder.with_name("near"), "5", Term("absence_30", 9.0, 0.0))
    else:
        monkeypatch.setattr("serving.shadow.write_shadow", full_disk)
    document = challenged.score()
    assert document["published"] is True
    assert document["shadow"]["challenger"] == "4"
    assert document["shadow"]["failed"]
    assert "challenger 4 could not score" in _score_text(document)
    assert challenged.score() == json.loads(json.dumps(document)), "the failure is kept with the night"


def full_disk(*_: object) -> None:
    raise OSError("no space left")


def test_the_nights_document_is_told_in_words(challenged):
    text = _score_text(challenged.score())
    assert "Unseen, challenger 4 would list" in text


def test_by_later_labels_two_versions_are_compared_on_the_nights_between_them(challenged, monkeypatch):
    """Whoever lives furthest leaves: the challenger would have listed them, the champion did not."""
    for week in (0, 1, 5):
        challenged.new_registers()
        challenged.score(MONDAY + timedelta(days=7 * week))
    far = challenged.frame.nlargest(9, "travel_km")["student_id"]

    def labelled(lake, rows, settings):
        return rows.assign(label=rows["student_id"].isin(far).astype(float))

    monkeypatch.setattr(shadowed, "_labelled", labelled)
    monkeypatch.setattr(shadowed, "open_lake", lambda home, settings: challenged.lake)
    found = shadowed.shadow_between(challenged.home, challenged.settings, "3", "4", since=MONDAY)
    assert found == shadowed.shadow_between(challenged.home, challenged.settings, "4", "3", since=MONDAY)
    assert (found["nights"], found["judged_nights"]) == (3, 2), "a week apart, windows overlap"
    assert found["positives"] == 18
    assert found["recall"]["challenger"] > found["recall"]["champion"]
    change = found["recall_change"]
    assert change["mean"] == pytest.approx(found["recall"]["challenger"] - found["recall"]["champion"])
    assert "18 who left after 2 of these nights" in _unseen(found)[1]
    known = shadowed.shadow_between(
        challenged.home, challenged.settings, "3", "4", since=MONDAY + timedelta(days=90)
    )
    assert (known["nights"], known["judged_nights"], known["recall"]) == (3, 0, None)
    assert "may know their labels" in known["not_done"]


def test_without_matured_labels_nobody_is_said_to_be_better(challenged):
    challenged.score()
    found = shadowed.shadow_between(challenged.home, challenged.settings, "4", "3", since=MONDAY)
    assert (found["nights"], found["recall"]) == (1, None)
    assert "registers" in found["not_done"]
    assert "is not known" in _unseen(found)[1]
    assert shadowed.shadow_between(challenged.home, challenged.settings, "4", "2", since=MONDAY) is None
    assert (
        shadowed.shadow_of(challenged.home, challenged.settings, "4")["first"] == date(2026, 3, 2).isoformat()
    )
