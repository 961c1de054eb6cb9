"""Whoever shows a list can tell whose place in it was drawn by lot."""

from __future__ import annotations

from datetime import date

import pytest

from monitoring.runs import open_service
from risk_model import drawn_places as module
from risk_model.draw_record import DrawRecordError
from risk_model.drawn_places import drawn_places
from risk_model.settings import ComparisonSettings, ListSettings, Settings
from tests.nights import MONDAY, CountyOffice, county_office, county_office_with_archive  # noqa: F401

ROUND = ComparisonSettings(
    share=0.3, band=0.5, seed="autumn", decided_by="The county's ethics board", until=date(2026, 7, 1)
)
LISTS = ListSettings(capacity_share=0.4, capacity_per_class=9)


def test_who_was_drawn_and_who_was_left_out_by_lot_is_told_of_a_run(office: CountyOffice):
    office.settings = Settings(list=LISTS, comparison=ROUND)
    document = office.score(MONDAY)
    found = drawn_places(office.home, document["run_id"], document)
    assert found is not None
    with open_service(office.home, office.settings) as service:
        (run,) = service.runs(MONDAY)
        scores = service.scores(run).set_index("student_id")
    told = {pupil: found.offered(pupil) for pupil in scores.index}
    drawn = {pupil for pupil, offered in told.items() if offered is not None}
    assert len(drawn) == 2 * document["comparison"]["pairs"] > 0
    assert all(bool(scores.loc[pupil, "listed"]) == told[pupil] for pupil in drawn)
    assert 0 < len(drawn) < len(scores)
    for pupil in scores.index:
        for language in ("en", "zh"):
            sentence = found.said(pupil, language)
            assert (sentence is None) == (pupil not in drawn)
            assert sentence is None or ("The county's ethics board" in sentence and "2026-07-01" in sentence)
    (left_out, *_), (offered, *_) = (
        [pupil for pupil in drawn if told[pupil] is given] for given in (False, True)
    )
    assert "drawn by lot for another" in found.said(left_out, "en")
    assert "抽签产生" in found.said(offered, "zh")


def test_a_record_is_read_once_and_another_digest_is_never_taken_for_it(office: CountyOffice, monkeypatch):
    office.settings = Settings(list=LISTS, comparison=ROUND)
    document = office.score(MONDAY)
    first = drawn_places(office.home, document["run_id"], document)
    monkeypatch.setattr(module, "read_draw", None)
    assert drawn_places(office.home, document["run_id"], document) == first
    monkeypatch.undo()
    other = {"comparison": {**document["comparison"], "digest": "another"}}
    with pytest.raises(DrawRecordError, match="not the one that was drawn"):
        drawn_places(office.home, document["run_id"], other)


def test_a_run_without_a_draw_has_no_drawn_places(office: CountyOffice):
    office.settings = Settings(list=LISTS)
    document = office.score(MONDAY)
    assert drawn_places(office.home, document["run_id"], document) is None
