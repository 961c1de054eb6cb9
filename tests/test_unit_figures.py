"""Attendance and exams of units: summed by the night, kept with the run, small cells suppressed."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from serving import pruning, publication
from serving.cells import Tree, published
from serving.figures import figures_of
from serving.tables import ClassFigure
from serving.unit_counts import tables_of
from tests import cast
from tests.service_rig import Rig, each_rig, frame, rig_on_sqlite  # noqa: F401


def by_figure(told, name):
    return {row["class_key"]: row for row in told if row["figure"] == name}


def test_what_is_not_known_is_no_zero() -> None:
    """A pupil without a register is in no mean, and a class without any has no row."""
    known = pd.DataFrame(
        {
            "school_id": ["A", "A", "A", "B"],
            "class_key": ["A:7", "A:7", "A:7", "B:8"],
            "absence_30": [0.1, 0.3, np.nan, np.nan],
            "failed_share": [0.0, 0.25, 0.5, 0.0],
        }
    )
    told = figures_of(known)
    absence = by_figure(told, "absence")
    assert set(absence) == {"A:7"}
    assert (absence["A:7"]["pupils"], absence["A:7"]["many"]) == (2, 2)
    assert absence["A:7"]["total"] == pytest.approx(0.4)
    failed = by_figure(told, "failed exams")
    assert [(row["pupils"], row["many"]) for row in failed.values()] == [(3, 2), (1, 0)]
    assert by_figure(told, "missed exams") == {}  # a register that is absent


def test_the_night_keeps_what_the_features_say(rig: Rig) -> None:
    """The means of a county are those of the frame, on both databases."""
    tables = tables_of(rig.app.state.service.engine, 10)
    made = frame()
    for unit, inside in (
        ("county:K", made["county_id"] == "K"),
        (cast.A7A, made["class_key"] == "A:7A:2025"),
    ):
        expected = 1 - made.loc[inside, "absence_30"].mean()
        assert tables.attendance(unit) == pytest.approx(expected, abs=0.0006), unit
    many = int((made.loc[made["county_id"] == "K", "absence_30"] >= 0.1).sum())
    counted = "missed a tenth or more of 30 school days"
    assert tables.counts[counted]["county:K"].tolist() == [many, 98 - many]
    assert many >= 10
    assert tables.means["failed exams"].of("county:K") is None  # the made-up night has no results


def test_the_scientist_reads_figures_and_no_pupil_on_either_database(rig: Rig) -> None:
    """Models, figures of units and classes, the API's summary: the same behind PostgreSQL's wall."""
    scientist = rig.by_role("D-K")
    page = scientist.get("/models").text
    assert "/units/county%3AK/figures" in page
    for path in ("county:K", "school:A", cast.A7A):
        page = scientist.get(f"/units/{path}/figures", headers={"accept": "text/html"})
        assert page.status_code == 200, path
        assert "Attendance and exams" in page.text
        assert not re.search("S-MEI|X-A7A|王美", page.text)
        told = scientist.get(f"/api/v1/units/{path}/summary").json()
        assert told["pupils"] > 30
        assert {one["name"] for one in told["shares"]} == {"attendance", "failed exams", "missed exams"}
        assert told["shares"][0]["share"] is not None
    assert scientist.get("/api/v1/models").status_code == 200
    foreign = [scientist.get(f"/units/{one}/figures") for one in ("county:M", "county:none", cast.C7A)]
    assert {(one.status_code, one.content) for one in foreign} == {(404, foreign[0].content)}
    assert scientist.get(f"/units/{cast.A7A}").status_code == 404  # the page with names


def test_officers_see_figures_of_their_units_in_both_languages(sqlite_rig: Rig) -> None:
    page = {"accept": "text/html"}
    officer = sqlite_rig.by_role("O-K")
    told = officer.get("/units/county:K", headers=page).text
    assert "Attendance and exams" in told
    assert re.search(r"school days attended \(last 30\)</dt><dd>\d\d(\.\d)? %", told)
    assert "考勤与考试" in officer.get("/units/county:K", headers=page | {"accept-language": "zh-CN"}).text
    assert sqlite_rig.by_role("T-CHEN").get("/units/school:A/figures", headers=page).status_code == 404


@given(st.lists(st.lists(st.integers(0, 45), min_size=1, max_size=7), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_no_mean_over_few_is_shown_or_worked_out(schools: list[list[int]]) -> None:
    """A mean is shown over ten pupils at least; hidden ones are two at least, over ten together."""
    counts = {"all": np.array([sum(map(sum, schools))])}
    children = {"all": tuple(f"s{n}" for n in range(len(schools)))}
    for number, classes in enumerate(schools):
        counts[f"s{number}"] = np.array([sum(classes)])
        children[f"s{number}"] = tuple(f"s{number}c{n}" for n in range(len(classes)))
        counts |= {f"s{number}c{n}": np.array([pupils]) for n, pupils in enumerate(classes)}
    shown = published(Tree("all", counts, children), 10)
    assert all(counts[unit][0] >= 10 for unit in shown)
    for parent in shown & set(children):
        hidden = [counts[one][0] for one in children[parent] if counts[one][0] and one not in shown]
        assert not hidden or (len(hidden) >= 2 and sum(hidden) >= 10)
    if all(pupils >= 10 for classes in schools for pupils in classes):
        assert shown == set(counts)


def test_figures_go_with_their_run(sqlite_rig: Rig) -> None:
    """A run that is thinned away leaves none behind."""
    engine = sqlite_rig.app.state.service.engine
    row = {
        "school_id": "A",
        "class_key": "A:7A:2025",
        "figure": "absence",
        "pupils": 30,
        "total": 1.5,
        "many": 3,
    }
    key = cast.run_key(cast.TODAY - timedelta(days=400), 99)
    run = publication.begin(engine, key, -3.0, ["absence_14"])
    publication.stage(engine, run, [], [{**cast._schools([])[0], "pupils": 0}], [row])
    count = select(func.count()).select_from(ClassFigure).where(ClassFigure.run == run)
    with engine.connect() as connection:
        assert connection.execute(count).scalar() == 1
    pruning.forget(engine, run)
    with engine.connect() as connection:
        assert connection.execute(count).scalar() == 0
    publication.sweep(engine)
