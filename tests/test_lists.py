"""The list of a unit: who is on it, in which order, what stands beside it – and the pupil's explanation."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from risk_model.command.surface import Office
from risk_model.errors import MissingError, UsageError
from serving import commands
from serving.database import open_database
from serving.explaining import explain
from serving.explanation_text import explanation_text
from serving.lists import KEYS, Asked, published_page
from serving.page_text import page_text
from serving.units import parse_unit
from tests.databases import each_database  # noqa: F401
from tests.known_registers import make_known
from tests.nights import MONDAY, CountyOffice, bundle, county_office, county_office_with_archive  # noqa: F401

TUESDAY = MONDAY + timedelta(days=1)
GOLDEN = Path(__file__).parent / "golden"


def page(office: CountyOffice, unit: str | None = None, **options):
    with open_database(office.home, office.settings, create=False) as engine, engine.connect() as connection:
        return published_page(connection, parse_unit(unit), Asked(**options))


def explained(office: CountyOffice, pupil: str, as_of=None):
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        return explain(connection, office.home, office.settings, pupil, as_of)


def run(office: CountyOffice, subcommand, *arguments: str, as_json: bool = False):
    shell = Office(office.home, office.home.config, as_json=as_json)
    shell.__dict__["settings"] = office.settings
    return CliRunner().invoke(subcommand, [*arguments], obj=shell)


def test_before_anything_is_published_the_way_to_it_is_named(office):
    with pytest.raises(MissingError, match="dropout-risk score"):
        page(office)


def test_rows_have_exactly_the_keys_of_the_contract(office):
    office.score()
    assert all(tuple(row) == KEYS for row in page(office, everybody=True).rows)
    reason = page(office).rows[1]["reasons"][0]
    assert set(reason) == {"feature", "family", "text", "contribution"}


def test_open_cases_head_the_list_and_the_ranked_follow(office):
    office.score()
    for unit, rank in ((None, "rank"), ("school:A", "rank_in_school"), ("class:A:7A:2025", "rank_in_class")):
        rows = page(office, unit).rows
        assert rows[0]["status"] == "absent_long"
        assert rows[0]["risk"] is None
        assert rows[0]["reasons"]
        ranks = [row[rank] for row in rows[1:]]
        assert ranks == sorted(ranks)
        assert all(row["listed"] for row in rows)


@pytest.mark.parametrize(
    ("unit", "schools", "pupils"),
    [(None, "ABC", 90), ("province:P", "ABC", 90), ("county:K", "ABC", 90), ("township:T1", "AB", 60),
     ("school:B", "B", 30), ("class:B:7A:2025", "B", 15)],
)  # fmt: skip
def test_a_unit_holds_the_pupils_of_its_schools(office, unit, schools, pupils):
    office.score()
    rows = page(office, unit, everybody=True).rows
    assert len(rows) == pupils
    assert {row["school_id"] for row in rows} == set(schools)


@pytest.mark.parametrize(
    "unit",
    ["school:Z", "class:A:7A:2024", "class:A", "county:", "A", "all:", "class:Z:7A:2025", "pupil:A7A01"],
)  # fmt: skip
def test_an_unknown_unit_is_said_to_be_unknown(office, unit):
    office.score()
    with pytest.raises(UsageError):
        page(office, unit)


def test_top_asks_for_the_highest_ranked_and_leaves_open_cases_out(office):
    office.score()
    shown = page(office, top=3)
    assert [row["rank"] for row in shown.rows] == [1, 2, 3]
    assert shown.open_cases == 1
    assert "1 pupils without a score" in page_text(shown, "en", 90)


def test_the_expected_precision_is_the_mean_risk_of_the_listed(office):
    office.score()
    shown = page(office, "school:A")
    risks = [row["risk"] for row in shown.rows if row["risk"] is not None]
    assert shown.expected_precision == pytest.approx(sum(risks) / len(risks))
    assert page(office, "school:A", everybody=True).expected_precision == shown.expected_precision


def test_the_page_of_a_school_held_back_is_its_older_list_and_says_so(office):
    office.score()
    office.silent = {"B"}
    office.score(TUESDAY)
    shown = page(office, "school:B")
    assert shown.stale
    assert {row["stale"] for row in shown.rows} == {True}
    assert {row["as_of"] for row in shown.rows} == {"2026-03-02"}
    text = page_text(shown, "en", 90)
    assert "as of 2026-03-02" in text
    assert "an OLDER list" in text
    assert "kept no register" in text


def test_above_a_school_only_the_newest_run_is_ranked_and_the_others_are_named(office):
    office.score()
    office.silent = {"B"}
    office.score(TUESDAY)
    shown = page(office, "county:K", everybody=True)
    assert {row["school_id"] for row in shown.rows} == {"A", "C"}
    assert {row["stale"] for row in shown.rows} == {False}
    [older] = shown.older
    assert (older.school_id, older.as_of) == ("B", MONDAY)
    assert "B (2026-03-02)" in page_text(shown, "en", 90)


def test_the_list_as_it_stood_for_a_day_is_found_again(office):
    office.score()
    before = page(office, everybody=True).rows
    office.frame.loc[office.frame["student_id"] == "C7A00", "absence_30"] = 0.6
    office.new_registers()
    office.score(TUESDAY)
    assert page(office, everybody=True).rows != before
    assert page(office, everybody=True, as_of=MONDAY).rows == before
    with pytest.raises(MissingError):
        page(office, as_of=MONDAY - timedelta(days=1))


def test_a_run_that_came_too_late_is_shown_for_its_day_as_stale(office):
    office.score(TUESDAY)
    office.score(MONDAY)
    rows = page(office, as_of=MONDAY).rows
    assert {row["as_of"] for row in rows} == {"2026-03-02"}
    assert {row["stale"] for row in rows} == {True}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_list_a_principal_reads(office, language):
    settings = office.settings.list.model_copy(update={"language": language})
    office.settings = office.settings.model_copy(update={"list": settings})
    office.score()
    text = page_text(page(office, "school:A", language=language), language, 90)
    assert text == (GOLDEN / f"list_{language}.txt").read_text(encoding="utf-8")


def test_contributions_add_up_to_the_shown_risk(office):
    office.score()
    for row in page(office, "school:A", everybody=True).rows[1:]:
        document = explained(office, row["student_id"])
        total = document["base"] + math.fsum(part["contribution"] for part in document["contributions"])
        assert 1 / (1 + math.exp(-total)) == pytest.approx(document["risk"], abs=1e-9)
        assert document["risk"] == row["risk"]


def test_contributions_come_back_from_the_archive_as_they_were_and_nothing_of_them_lies_in_clear(
    office,
):
    office.score()
    document = explained(office, "B7A13")
    total = document["base"] + math.fsum(part["contribution"] for part in document["contributions"])
    assert 1 / (1 + math.exp(-total)) == pytest.approx(document["risk"], abs=1e-12)
    files = [file for file in office.home.runs.rglob("*") if file.is_file()]
    assert any(file.suffix == ".parquet" for file in files)
    assert not any(b"B7A13" in file.read_bytes() for file in files if file.suffix == ".parquet")


def test_an_explanation_names_every_feature_with_value_and_text(office):
    office.score()
    parts = explained(office, "B7A13")["contributions"]
    assert {part["feature"] for part in parts} == {
        "absence_30", "failed_core_latest", "restricted", "travel_km", "grade_level"
    }  # fmt: skip
    assert all({"feature", "family", "value", "contribution", "text"} <= set(part) for part in parts)
    [ill] = [part for part in parts if part["feature"] == "restricted"]
    assert ill["value"] is None
    assert ill["text"] == "A family circumstance (details are restricted)"


def log_odds(risk: float) -> float:
    return math.log(risk / (1 - risk))


def test_what_changed_since_the_last_run_is_split_with_nothing_left_over(office):
    office.score()
    before = explained(office, "C7A00")
    assert before["changes"] == []
    office.frame.loc[office.frame["student_id"] == "C7A00", ["absence_30", "travel_km"]] = [0.4, 9.0]
    office.new_registers()
    office.score(TUESDAY)
    now = explained(office, "C7A00")
    split = math.fsum(moved["difference"] for moved in now["changes"])
    assert split == pytest.approx(log_odds(now["risk"]) - log_odds(before["risk"]), abs=1e-9)
    assert {moved["feature"] for moved in now["changes"]} == {"absence_30", "travel_km"}
    assert now["changes"][0]["feature"] == "absence_30"
    assert (now["changed_since"], now["model_changed"]) == ("2026-03-02", False)
    text = explanation_text(now, "en", 90)
    assert "Since 2026-03-02 the risk went from" in text
    assert "raises: Missed 40 % of the last 30 school days" in text


def test_a_change_of_the_model_is_part_of_the_split_and_flagged(office, tmp_path):
    from dataclasses import replace

    office.score()
    before = explained(office, "C7A00")
    folder = tmp_path / "next"
    office.champion = replace(office.champion, version="4", folder=folder, digest=bundle(folder, slope=1.3))
    office.score(TUESDAY)
    now = explained(office, "C7A00")
    split = math.fsum(moved["difference"] for moved in now["changes"])
    assert split == pytest.approx(log_odds(now["risk"]) - log_odds(before["risk"]), abs=1e-9)
    assert now["model_changed"]
    [model] = now["changes"]  # nothing moved but the model
    assert (model["feature"], model["text"]) == ("model", "3 → 4")
    assert "3 → 4" in explanation_text(now, "en", 90)


def test_a_pupil_without_a_score_is_explained_by_the_status(office):
    office.score()
    document = explained(office, "A7A03")
    assert document["risk"] is None
    assert document["contributions"] == []
    assert "Absent without excuse" in explanation_text(document, "en", 90)


def test_an_earlier_day_explains_that_days_score(office):
    office.score()
    first = explained(office, "C7A00")
    office.frame.loc[office.frame["student_id"] == "C7A00", "absence_30"] = 0.4
    office.new_registers()
    office.score(TUESDAY)
    assert explained(office, "C7A00", MONDAY) == first


def test_a_pupil_who_changed_identifier_is_found_under_the_old_one(office):
    office.score()
    make_known(office.lake.con, student_aliases=[{"old_student_id": "OLD", "student_id": "C7A00"}])
    assert explained(office, "OLD") == explained(office, "C7A00")


def test_an_unknown_pupil_is_said_to_be_unknown(office):
    office.score()
    with pytest.raises(UsageError, match="no pupil"):
        explained(office, "nobody")


def test_the_shell_prints_the_documents_and_answers_the_exit_codes(office):
    from tests.nights import keep_registers

    keep_registers(office.lake.con, office.frame, MONDAY, {"B"})
    scored = run(office, commands.score, as_json=True)
    assert scored.exit_code == 6
    assert json.loads(scored.stdout)["held_back"][0]["unit"] == "school:B"
    rows = json.loads(run(office, commands.lists, "--unit", "school:A", as_json=True).stdout)
    assert tuple(rows[0]) == KEYS
    document = json.loads(run(office, commands.explain, rows[1]["student_id"], as_json=True).stdout)
    assert document["risk"] == rows[1]["risk"]
    assert run(office, commands.lists, "--unit", "nonsense").exit_code == 2
    assert "School A (school:A)" in run(office, commands.lists, "--unit", "school:A").stdout
    assert "Risk of leaving within 90 days" in run(office, commands.explain, rows[1]["student_id"]).stdout
    text = run(office, commands.score).stdout
    assert "school:B is held back, it has no list" in text


@pytest.mark.parametrize("ending", ["csv", "xlsx", "json", "parquet", "txt"])
def test_a_list_is_written_in_the_format_its_file_asks_for(office, ending, tmp_path):
    office.score()
    out = tmp_path / f"list.{ending}"
    answer = run(office, commands.lists, "--out", str(out))
    assert answer.exit_code == 0
    assert str(out) in answer.stdout
    begins = {"csv": b'"student_id"', "xlsx": b"PK", "json": b"[{", "parquet": b"PAR1", "txt": b"All schools"}
    assert out.read_bytes().startswith(begins[ending])


def test_a_file_that_cannot_be_written_is_named_with_what_to_do(office, tmp_path):
    office.score()
    answer = run(office, commands.lists, "--out", str(tmp_path / "nowhere" / "list.csv"))
    assert answer.exit_code == 2
    assert "nowhere/list.csv cannot be written" in answer.stderr
    assert "Create the folder" in answer.stderr


def test_a_list_in_a_file_is_for_its_owner_alone_even_where_another_lay(office, tmp_path):
    office.score()
    out = tmp_path / "list.csv"
    out.write_text("longer than a list " * 10_000)
    out.chmod(0o644)
    run(office, commands.lists, "--out", str(out), "--top", "1")
    assert out.stat().st_mode & 0o777 == 0o600
    assert len(out.read_text().splitlines()) == 2


@pytest.mark.parametrize("name", ["list.foo", "list"])
def test_an_ending_that_names_no_format_is_refused_and_the_known_ones_are_told(office, name, tmp_path):
    office.score()
    answer = run(office, commands.lists, "--out", str(tmp_path / name))
    assert answer.exit_code == 2
    assert ".csv, .xlsx, .json, .parquet, .txt" in answer.stderr
    assert run(office, commands.lists, "--out", str(tmp_path / name), "--format", "csv").exit_code == 0


def test_machines_get_no_table_made_for_people_and_are_told_who_is_missing(office, monkeypatch):
    office.score()
    office.silent = {"B"}
    office.score(TUESDAY)
    monkeypatch.setattr("serving.page_text.page_text", None)
    answer = run(office, commands.lists, as_json=True)
    assert answer.exit_code == 0
    assert {row["school_id"] for row in json.loads(answer.stdout)} == {"A", "C"}
    assert "its own is older: B (2026-03-02)" in answer.stderr


def test_a_page_of_everybody_says_how_many_of_them_are_listed(office):
    office.score()
    shown = page(office, everybody=True)
    assert f"Showing 90 pupils, {shown.listed} of them listed" in page_text(shown, "en", 90)
    assert f"显示90人，其中{shown.listed}人列入名单" in page_text(shown, "zh", 90)


def test_the_capacity_told_is_that_of_the_night_it_was_listed_by(office):
    office.score()
    before = page(office).capacity, page(office, "class:A:7A:2025").capacity
    assert before == (9, 3)
    other = office.settings.list.model_copy(update={"capacity_share": 0.5, "capacity_per_class": 9})
    office.settings = office.settings.model_copy(update={"list": other})
    assert f"can look at {before[0]}." in run(office, commands.lists).stdout
