"""The last places of a list by lot: off as ever, and never anybody but near-equal pupils at the line."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from risk_model.draw_record import DrawRecordError, keep_draw, read_draw
from risk_model.home import Home
from risk_model.lake.attaching import connect
from risk_model.near_equals import OFFERED, draw, draws, listed_by_lot
from risk_model.ranking import rank
from risk_model.settings import ComparisonSettings, ListSettings, Settings
from serving.database import open_database
from serving.lots import lots_of
from tests.nights import MONDAY, CountyOffice, county_office, county_office_with_archive  # noqa: F401

LISTS = ListSettings(capacity_share=0.3, capacity_per_class=6, minimum_risk=0.02)
ROUND = ComparisonSettings(
    share=0.3, band=0.5, seed="autumn", decided_by="The county's ethics board", until=date(2026, 7, 1)
)


def ranked(frame: pd.DataFrame, lists: ListSettings = LISTS) -> pd.DataFrame:
    return frame.join(rank(frame, lists))


county = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.sampled_from(["7A", "7B", "7C", None]),
        st.one_of(st.just(float("nan")), st.floats(0.001, 0.9)),
    ),
    min_size=1,
    max_size=90,
).map(
    lambda rows: ranked(
        pd.DataFrame(
            {
                "student_id": [f"P{number:03d}" for number in range(len(rows))],
                "county_id": "K",
                "school_id": [school for school, _, _ in rows],
                "class_key": [name for _, name, _ in rows],
                "risk": [risk for _, _, risk in rows],
            }
        )
    )
)


def logit(risk: pd.Series) -> pd.Series:
    return np.log(risk) - np.log1p(-risk)


@given(county, st.sampled_from(["autumn", "spring"]))
@settings(max_examples=150, deadline=None)
def test_only_pairs_within_the_band_at_the_line_change_places(frame, seed):
    rules = ROUND.model_copy(update={"seed": seed})
    drawn = draw(frame, LISTS, rules)
    after = listed_by_lot(frame["listed"], drawn)
    changed = frame.index[after != frame["listed"]]
    assert set(changed) <= set(drawn.index)
    assert after[frame["risk"].isna()].all(), "open cases stay"
    for school, pupils in frame.groupby("school_id"):
        rows = drawn[drawn["school_id"] == school]
        places = int((pupils["listed"] & pupils["risk"].notna()).sum())
        assert after[pupils.index].sum() == pupils["listed"].sum(), "lists stay as long as they are"
        assert rows["pair"].nunique() <= rules.share * places
        for _, pair in rows.groupby("pair"):
            on, off = (pair[pair["by_rank"] == side].iloc[0] for side in (True, False))
            assert sorted(pair["arm"]) == ["offered", "usual"]
            assert 0 <= logit(pair["risk"]).max() - logit(pair["risk"]).min() <= rules.band
            assert off["risk"] >= LISTS.minimum_risk
            assert on["risk"] >= off["risk"]
    full = frame[after & frame["risk"].notna()].groupby(["school_id", "class_key"], dropna=False).size()
    assert (full <= LISTS.capacity_per_class).all()


@given(county)
@settings(max_examples=50, deadline=None)
def test_the_same_round_draws_the_same_lots_in_whatever_order_pupils_come(frame):
    again = draw(frame.iloc[::-1], LISTS, ROUND)
    pd.testing.assert_frame_equal(draw(frame, LISTS, ROUND).sort_index(), again.sort_index())


@given(county)
@settings(max_examples=50, deadline=None)
def test_who_objected_is_not_drawn_and_keeps_what_the_rank_gave(frame):
    drawn = draw(frame, LISTS, ROUND)
    objects = tuple(drawn["student_id"].iloc[::3])
    without = draw(frame, LISTS, ROUND.model_copy(update={"left_out": objects}))
    assert not set(objects) & set(without["student_id"])
    after = listed_by_lot(frame["listed"], without)
    theirs = frame["student_id"].isin(objects)
    assert (after[theirs] == frame.loc[theirs, "listed"]).all()


def test_each_of_a_pair_is_offered_the_place_in_half_of_the_rounds():
    frame = ranked(
        pd.DataFrame(
            {"student_id": [f"P{n}" for n in range(20)], "county_id": "K", "school_id": "A",
             "class_key": [f"{n}" for n in range(20)], "risk": np.linspace(0.3, 0.2, 20)}
        )
    )  # fmt: skip
    first = [
        draw(frame, LISTS, ROUND.model_copy(update={"seed": f"round {n}"})).iloc[0]["arm"] == OFFERED
        for n in range(400)
    ]
    assert 160 <= sum(first) <= 240


def test_it_is_off_by_default_after_its_last_day_and_without_a_place_to_spare():
    assert not draws(ComparisonSettings(), MONDAY)
    assert draws(ROUND, date(2026, 7, 1))
    assert not draws(ROUND, date(2026, 7, 2))
    few = ranked(pd.DataFrame({"student_id": ["a", "b"], "county_id": "K", "school_id": "A",
                               "class_key": "c", "risk": [0.2, 0.2]}))  # fmt: skip
    assert draw(few, LISTS, ROUND).empty


@pytest.mark.parametrize("missing", ["seed", "decided_by", "until"])
def test_nobody_draws_without_a_name_somebody_who_answers_and_a_last_day(missing):
    told = {"share": 0.1, "seed": "s", "decided_by": "The board", "until": date(2026, 7, 1)}
    with pytest.raises(ValidationError, match=missing):
        ComparisonSettings(**{name: value for name, value in told.items() if name != missing})


def test_a_night_offers_places_by_lot_and_records_them_before_it_is_published(office: CountyOffice):
    from monitoring.runs import open_service

    office.settings = Settings(list=ListSettings(capacity_share=0.4, capacity_per_class=9))
    plain = office.score(MONDAY)
    assert "comparison" not in plain
    office.settings = office.settings.model_copy(update={"comparison": ROUND})
    document = office.score(MONDAY, republish=True)
    told = document["comparison"]
    assert document["run_id"] != plain["run_id"]
    assert document["listed"] == plain["listed"]
    assert (told["round"], told["decided_by"]) == ("autumn", "The county's ethics board")
    assert told["pairs"] == told["offered"] == told["usual"] > 0
    with connect(office.settings, office.home.data / "spill") as con:
        drawn = read_draw(con, office.home, document["run_id"], told["digest"])
        with open_service(office.home, office.settings) as service:
            (run,) = [one for one in service.runs(MONDAY) if one.key == document["run_id"]]
            scores = service.scores(run).set_index("student_id")
        with open_database(office.home, office.settings) as engine, engine.connect() as connection:
            told_to_readers = lots_of(connection, sorted(scores.index))
        assert told_to_readers == dict(zip(drawn["student_id"], drawn["arm"] == OFFERED, strict=True))
        listed = scores.loc[drawn["student_id"], "listed"].to_numpy()
        np.testing.assert_array_equal(listed, drawn["arm"] == OFFERED)
        with pytest.raises(DrawRecordError, match="not the one that was drawn"):
            read_draw(con, office.home, document["run_id"], "another")
        with pytest.raises(DrawRecordError, match="cannot be read"):
            read_draw(con, office.home, "gone", told["digest"])
    assert b"A7A" not in (office.home.comparison / f"{document['run_id']}.parquet").read_bytes()


def test_off_the_digest_of_a_night_is_what_it_was(office: CountyOffice):
    from serving.nightly import settings_digest

    off = Settings(comparison=ComparisonSettings(band=0.4))
    assert settings_digest(off) == settings_digest(Settings())
    assert settings_digest(Settings(comparison=ROUND)) != settings_digest(Settings())


def test_an_empty_draw_is_a_record_too(tmp_path):
    home = Home(tmp_path)
    with connect(Settings(), tmp_path / "spill") as con:
        con.execute("create temp table none_drawn (student_id text, school_id text, pair bigint, arm text, "
                    "risk double, by_rank boolean)")  # fmt: skip
        told = keep_draw(con, home, "run", "none_drawn", ROUND)
        assert told["pairs"] == 0
        assert read_draw(con, home, "run", told["digest"]).empty
