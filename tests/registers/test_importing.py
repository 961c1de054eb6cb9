"""What a delivery leaves behind: facts with two clocks, names apart, everything or nothing."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from office import SCHOOLS, STUDENTS, TODAY, TestOffice, accounts, quarantined

from risk_model.command.main import main
from risk_model.errors import InputRefusedError, LockHeldError, MissingError, UsageError
from risk_model.lake.attaching import attach, connect
from risk_model.lake.reading import open_lake
from risk_model.registers import importing, staging
from risk_model.registers.printing import as_markdown
from risk_model.settings import Settings

SPELLS = "student_id,school_id,started_on,grade,ended_on,end_reason\n"


def test_the_same_delivery_again_changes_nothing_even_on_a_later_day(office: TestOffice) -> None:
    first = office.deliver(schools=SCHOOLS, students=STUDENTS)
    again = office.deliver(schools=SCHOOLS, students=STUDENTS, today=date(2025, 12, 9))
    assert accounts(first, "students") == (2, 2, 0, 0)
    assert accounts(again, "students") == (2, 0, 0, 2)
    assert again.snapshot == first.snapshot


def test_a_row_is_known_from_the_day_it_was_recorded_not_the_day_it_happened(office: TestOffice) -> None:
    office.deliver(
        attendance="student_id,day,mark,recorded_on\nS1,2025-09-01,late,2025-09-10\nS2,2025-09-01,late,\n",
        recorded_on="2025-09-05",
    )
    seen = [
        [row[0] for row in office.known("attendance", date(2025, 9, day), "student_id")]
        for day in (4, 5, 9, 10)
    ]
    assert seen == [[], ["S2"], ["S2"], ["S1", "S2"]]


def test_a_correction_is_in_force_from_its_day_and_the_past_keeps_what_was_known(office: TestOffice) -> None:
    header = "student_id,day,mark,recorded_on\n"
    office.deliver("one", attendance=header + "S1,2025-09-01,absent_unexcused,2025-09-02\n")
    report = office.deliver("two", attendance=header + "S1,2025-09-01,absent_sick,2025-09-20\n")
    assert accounts(report, "attendance") == (1, 1, 0, 0)
    marks = [office.known("attendance", date(2025, 9, day), "mark") for day in (2, 19, 20)]
    assert marks == [[("absent_unexcused",)], [("absent_unexcused",)], [("absent_sick",)]]


def test_a_late_row_takes_its_place_in_history_and_hides_nothing(office: TestOffice) -> None:
    header = "student_id,day,mark,recorded_on\n"
    office.deliver("new", attendance=header + "S1,2025-09-01,present,2025-09-20\n")
    office.deliver("late", attendance=header + "S1,2025-09-01,late,2025-09-03\n")
    assert office.known("attendance", date(2025, 9, 10), "mark") == [("late",)]
    assert office.known("attendance", date(2025, 9, 20), "mark") == [("present",)]


def test_a_retracted_row_is_gone_from_its_day_on(office: TestOffice) -> None:
    office.deliver("one", attendance="student_id,day,mark,recorded_on\nS1,2025-09-01,late,2025-09-02\n")
    office.deliver(
        "two", attendance="student_id,day,mark,recorded_on,retracted\nS1,2025-09-01,,2025-09-08,true\n"
    )
    assert office.known("attendance", date(2025, 9, 7), "mark") == [("late",)]
    assert office.known("attendance", date(2025, 9, 8), "mark") == []


def test_event_plus_n_tells_an_ended_spell_as_two_facts(office: TestOffice) -> None:
    report = office.deliver(
        recorded_on="event+7",
        students=STUDENTS,
        schools=SCHOOLS + "Z,Old,C1,primary\n",
        enrolments=SPELLS + "S1,A,2024-09-01,7,2025-03-01,dropped_out\nS2,A,2024-09-15,7,,\n",
    )
    assert accounts(report, "enrolments") == (2, 2, 0, 0), "a row is one row however many facts it tells"
    told = [
        office.known("enrolments", day, "student_id, ended_on, end_reason")
        for day in (date(2024, 9, 7), date(2024, 9, 8), date(2025, 3, 7), date(2025, 3, 8))
    ]
    left = ("S1", date(2025, 3, 1), "dropped_out")
    assert told == [
        [],
        [("S1", None, None)],
        [("S1", None, None), ("S2", None, None)],
        [left, ("S2", None, None)],
    ]
    assert office.known("students", date(2024, 9, 21), "student_id") == [("S1",)], (
        "known with the first spell"
    )
    assert len(office.known("schools", date(2024, 9, 8))) == 3, "known with the earliest event"
    with open_lake(office.home, Settings()) as lake:
        assert lake.assumed()
        assert lake.registers() == {"students", "schools", "enrolments"}
        assert lake.first_day() == date(2024, 9, 1)
        assert lake.latest_recorded_on() == date(2025, 3, 8)


def test_event_plus_n_closes_a_school_when_it_closed_and_knows_the_calendar_from_august(
    office: TestOffice,
) -> None:
    office.deliver(
        recorded_on="event+2",
        schools="school_id,name,county_id,opened_on,closed_on\nA,First,C1,1958-09-01,2025-07-01\n",
        calendar="day,county_id,school_day\n2025-09-01,C1,true\n2025-06-02,C1,true\n",
    )
    assert office.known("schools", date(2025, 7, 2), "closed_on") == [(None,)]
    assert office.known("schools", date(2025, 7, 3), "closed_on") == [(date(2025, 7, 1),)]
    assert office.known("calendar", date(2025, 7, 31), "day") == [(date(2025, 6, 2),)]
    assert len(office.known("calendar", date(2025, 8, 1))) == 2


def test_event_plus_n_again_changes_nothing(office: TestOffice) -> None:
    spells = SPELLS + "S1,A,2024-09-01,7,2025-03-01,dropped_out\n"
    first = office.deliver(recorded_on="event+7", enrolments=spells)
    again = office.deliver(recorded_on="event+7", enrolments=spells)
    assert (accounts(again, "enrolments"), again.snapshot) == ((1, 0, 0, 1), first.snapshot)


def test_marks_under_an_old_identifier_belong_to_the_newest_one_as_known_then(office: TestOffice) -> None:
    office.deliver(
        attendance="student_id,day,mark,recorded_on\n"
        "old,2025-09-01,late,2025-09-01\nmid,2025-09-02,late,2025-09-02\n"
        "new,2025-09-01,present,2025-09-03\nelse,2025-09-01,late,2025-09-01\n",
        student_aliases="old_student_id,student_id,recorded_on\nold,mid,2025-09-05\nmid,new,2025-09-06\n",
    )
    who = "student_id, day, mark"
    first, second = date(2025, 9, 1), date(2025, 9, 2)
    assert office.known("attendance", date(2025, 9, 5), who) == [
        ("else", first, "late"),
        ("mid", first, "late"),
        ("mid", second, "late"),
        ("new", first, "present"),
    ]
    assert office.known("attendance", date(2025, 9, 6), who) == [
        ("else", first, "late"),
        ("new", first, "present"),
        ("new", second, "late"),
    ], "where both identifiers have a mark the latest recorded one wins"


def test_names_lie_in_the_identity_lake_only_and_features_do_not_need_it(office: TestOffice) -> None:
    office.deliver(students=STUDENTS, staff="staff_id,name,email\nT1,王五,w@x.cn\n")
    con = connect(Settings(), office.home.staging / "spill")
    attach(con, office.home.identity, "identity")
    assert con.execute("SELECT name FROM identity.students ORDER BY name").fetchall() == [
        ("张三",),
        ("李四",),
    ]
    con.close()
    shutil.rmtree(office.home.identity)
    with open_lake(office.home, Settings()) as lake:
        columns = lake.con.execute(
            "SELECT DISTINCT column_name FROM duckdb_columns() WHERE database_name = 'lake'"
        )
        held = {name for (name,) in columns.fetchall()}
    assert not held & {"email", "phone", "guardian_name"}
    assert [row[0] for row in office.known("staff", columns="staff_id")] == ["T1"]


def test_no_identifier_or_name_is_readable_in_the_files_of_the_lakes(office: TestOffice) -> None:
    students = "student_id,name\n" + "".join(f"PUPIL{number},CANARY{number}\n" for number in range(3000))
    office.deliver(students=students)
    files = list(office.home.data.rglob("*.parquet"))
    assert len(files) >= 2
    for file in files:
        assert b"PUPIL" not in file.read_bytes()
        assert b"CANARY" not in file.read_bytes()
    assert (office.home.lake.stat().st_mode & 0o777, office.home.identity.stat().st_mode & 0o777) == (
        0o700,
        0o700,
    )
    assert not list(office.home.staging.glob("*.duckdb*")), "the working copy is gone"


def test_too_many_rejected_rows_of_one_register_refuse_everything(office: TestOffice) -> None:
    office.deliver("yesterday", schools=SCHOOLS)
    with pytest.raises(InputRefusedError, match="1 of 2 rows of students are rejected") as caught:
        office.deliver(
            "tonight",
            max_rejected=0.02,
            schools=SCHOOLS + "Z,Third,C1,primary\n",
            students="student_id,name,sex\nS1,张三,M\nS2,李四,X\n",
        )
    document = caught.value.document
    assert document is not None
    assert document["tables"]["students"] == {"read": 2, "accepted": 1, "rejected": 1, "unchanged": 0}
    assert len(office.known("schools")) == 2, "yesterday stays live"
    assert "李四" not in Path(document["quarantine"]).read_text(encoding="utf-8")


def test_a_wrong_name_is_hidden_in_quarantine(office: TestOffice) -> None:
    report = office.deliver(population="national_id_hash,name\n11010119900101123X,赵六\n")
    assert [row["value"] for row in quarantined(report)] == ["(hidden, 18 characters)"]


def test_a_pupil_in_quarantine_is_no_reason_to_reject_their_marks(office: TestOffice) -> None:
    report = office.deliver(
        students="student_id,name,sex\nS1,张三,X\n", attendance="student_id,day,mark\nS1,2025-09-01,late\n"
    )
    assert accounts(report, "attendance") == (1, 1, 0, 0)


def test_without_pupils_in_the_lake_nobody_is_unknown(office: TestOffice) -> None:
    report = office.deliver(attendance="student_id,day,mark\nS9,2025-09-01,late\n")
    assert accounts(report, "attendance") == (1, 1, 0, 0)


def test_a_register_may_come_in_several_files_and_the_truth_is_never_read(office: TestOffice) -> None:
    folder = office.write(
        "delivery",
        **{
            "attendance_2025-09.csv": "student_id,day,mark\nS1,2025-09-01,late\n",
            "考勤2025-10.csv": "学籍号,日期,出勤情况\nS1,2025-10-09,旷课\n".encode("gb18030"),
            "readme.txt": "hello",
        },
    )
    (folder / "truth").mkdir()
    (folder / "truth" / "attendance.csv").write_text("student_id,day,mark\nS1,2025-11-01,late\n")
    report = office.take(folder)
    assert accounts(report, "attendance") == (2, 2, 0, 0)
    assert {file.path: file.status for file in report.files}["readme.txt"] == "unknown"


def test_parquet_is_checked_like_text(office: TestOffice) -> None:
    import duckdb

    folder = office.write("delivery")
    rows = "VALUES ('S1', DATE '2025-09-01', 'late'), ('S2', DATE '2031-09-01', 'late')"
    target = folder / "attendance.parquet"
    duckdb.sql(f"FROM ({rows}) AS t (student_id, day, mark)").write_parquet(str(target))
    report = office.take(folder)
    assert accounts(report, "attendance") == (2, 1, 1, 0)
    assert quarantined(report)[0]["line"] == "2"


def test_two_imports_at_once_do_not_meet(office: TestOffice) -> None:
    with office.home.lock("lake"), pytest.raises(LockHeldError):
        office.deliver(schools=SCHOOLS)


def test_a_day_of_knowledge_that_lies_ahead_is_a_wrong_call(office: TestOffice) -> None:
    with pytest.raises(UsageError, match="lies ahead"):
        office.deliver(schools=SCHOOLS, recorded_on="2025-12-02")
    with pytest.raises(UsageError, match="neither a day"):
        office.deliver(schools=SCHOOLS, recorded_on="event-3")


def test_a_home_without_registers_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="dropout-risk import"):
        open_lake(TestOffice(tmp_path).home, Settings())


def test_a_reader_sees_one_state_whatever_is_imported_meanwhile(office: TestOffice) -> None:
    office.deliver("one", schools=SCHOOLS)
    with open_lake(office.home, Settings()) as lake:
        lake.known_on(TODAY)
        office.deliver("two", schools=SCHOOLS + "Z,Third,C1,primary\n")
        assert len(lake.con.execute("FROM known.schools").fetchall()) == 2
    assert len(office.known("schools")) == 3


def test_import_prints_its_accounts_as_json_and_exits_with_3_when_it_refuses(office: TestOffice) -> None:
    runner = CliRunner()
    folder = office.write("good", schools=SCHOOLS)
    result = runner.invoke(main, ["--home", str(office.home.folder), "--json", "import", str(folder)])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["tables"]["schools"] == {"read": 2, "accepted": 2, "rejected": 0, "unchanged": 0}
    assert set(document) >= {"tables", "files", "quarantine", "snapshot"}
    bad = office.write("bad", schools=SCHOOLS + "Z,Third,,primary\n")
    refused = runner.invoke(main, ["--home", str(office.home.folder), "import", str(bad), "--json"])
    assert refused.exit_code == 3
    document = json.loads(refused.stdout)
    assert document["tables"]["schools"]["rejected"] == 1
    assert document["taken"] is False
    office.home.config.write_text("[registers]\nmax_rejected = 1.0\n")
    allowed = runner.invoke(main, ["--home", str(office.home.folder), "import", str(bad), "--json"])
    assert json.loads(allowed.stdout)["taken"] is True
    strict = ["--home", str(office.home.folder), "import", str(bad), "--max-rejected", "0.01"]
    assert runner.invoke(main, strict).exit_code == 3, "the option goes before the setting"


def test_contract_prints_every_register_in_each_form() -> None:
    runner = CliRunner()
    document = json.loads(runner.invoke(main, ["contract", "--json"]).stdout)
    names = {register["name"] for register in document["registers"]}
    assert {"attendance", "student_aliases", "department_list"} <= names
    text = runner.invoke(main, ["contract"]).stdout
    assert "学籍号" in text
    assert "旷课" in text


def test_the_printed_documentation_of_registers_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "registers.md"
    assert page.read_text(encoding="utf-8") == as_markdown(), (
        "run dropout-risk contract --format md > docs/registers.md"
    )


def test_hash_ids_replaces_numbers_by_keyed_hashes(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a province key of length\n")
    (tmp_path / "list.csv").write_bytes(
        "身份证号,类别\n11010119900101123x,低保\n 11010119900101123X ,低保\n,低保\n".encode("gb18030")
    )
    out = tmp_path / "poverty_list.csv"
    call = [
        "hash-ids",
        str(tmp_path / "list.csv"),
        "--column",
        "身份证号",
        "--key-file",
        str(tmp_path / "key"),
        "--out",
        str(out),
        "--json",
    ]
    result = CliRunner().invoke(main, call)
    assert json.loads(result.stdout) == {"out": str(out), "rows": 3, "empty": 1}
    header, first, second, third = out.read_text(encoding="utf-8").split()
    assert header == "national_id_hash,类别"
    assert first == second
    assert len(first.split(",")[0]) == 64
    assert third == ",低保"


def test_a_short_province_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short")
    (tmp_path / "list.csv").write_text("id\n1\n")
    call = [
        "hash-ids",
        str(tmp_path / "list.csv"),
        "--column",
        "id",
        "--key-file",
        str(tmp_path / "key"),
        "--out",
        str(tmp_path / "out.csv"),
    ]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 2
    assert "needs 16 or more" in result.stderr


def test_a_delivery_too_big_for_memory_is_staged_in_a_file_with_the_same_accounts(
    office: TestOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = "student_id,day,mark\nS1,2025-09-01,present\nS1,2025-09-02,asleep\n"
    marks += "S2,2025-09-01,late\nS2,2025-09-01,present\n"
    small = office.deliver("marks", attendance=marks, max_rejected=1.0)
    told = quarantined(small)
    monkeypatch.setattr(staging, "sweep", lambda folder: seen.append(list(folder.glob("import.duckdb*"))))
    monkeypatch.setattr(importing, "unpacked_bytes", lambda files: 1 << 50)
    seen: list[list[Path]] = []
    big = office.deliver("marks", attendance=marks, max_rejected=1.0)
    assert accounts(small, "attendance") == (4, 1, 3, 0)
    assert accounts(big, "attendance") == (4, 0, 3, 1)
    assert quarantined(big) == told
    assert [len(files) for files in seen] == [0, 1]
