"""A place that was drawn by lot is told to whoever reads the list, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, select

from risk_model.near_equals import OFFERED, USUAL
from serving.lots import keep_lots
from serving.tables import Lot, Published
from tests import cast
from tests.service_rig import Rig, each_rig, rig_on_sqlite  # noqa: F401

PAGE = {"accept": "text/html"}
IN_LIST = "one of the last places, drawn by lot among near-equals"


@pytest.fixture
def drawn(rig: Rig) -> Iterator[Rig]:
    """Mei was offered a place, Lei was not."""
    engine = rig.app.state.service.engine
    with engine.connect() as connection:
        run = connection.execute(select(Published.run).where(Published.school_id == "A")).scalar_one()
    keep_lots(engine, run, [("A", "S-MEI", OFFERED), ("A", "S-LEI", USUAL)])
    yield rig
    with engine.begin() as connection:
        connection.execute(delete(Lot))


def test_the_list_says_whose_place_was_drawn(drawn: Rig) -> None:
    chen = drawn.by_role("T-CHEN")
    assert chen.get(f"/units/{cast.A7A}/list", headers=PAGE).text.count(IN_LIST) == 1
    chinese = chen.get(f"/units/{cast.A7A}/list", headers=PAGE | {"accept-language": "zh-CN"}).text
    assert "在风险相近的学生中抽签决定" in chinese


def test_a_pupil_page_says_what_the_lot_means_and_what_it_does_not(drawn: Rig) -> None:
    chen = drawn.by_role("T-CHEN")
    told = {pupil: chen.get(f"/pupils/{pupil}", headers=PAGE).text for pupil in ("S-MEI", "S-LEI", "S-YAN")}
    assert "drawn by lot among pupils of nearly equal risk: it does not say" in told["S-MEI"]
    assert "this pupil got none: it does not say" in told["S-LEI"]
    assert "by lot" not in told["S-YAN"]
    scores = {pupil: chen.get(f"/api/v1/students/{pupil}").json()["score"]["lot"] for pupil in told}
    assert scores == {"S-MEI": True, "S-LEI": False, "S-YAN": None}


def test_where_nothing_was_drawn_nothing_is_said(rig: Rig) -> None:
    assert "by lot" not in rig.by_role("T-CHEN").get(f"/units/{cast.A7A}/list", headers=PAGE).text
