"""The files of ``dropout-risk simulate``: the same bytes for the same seed, in the formats asked for."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from risk_model.registers.declared import REGISTERS
from training.simulator.command import simulate
from training.simulator.files import Output
from training.simulator.layout import Plan
from training.simulator.run import simulate_into

UNTIL = date(2026, 6, 30)
SMALL = Plan(2_100, 1, "county", 3, UNTIL)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def written(folder: Path, plan: Plan, output: Output | None = None, workers: int = 1) -> dict[str, str]:
    simulate_into(folder, plan, output or Output(dirty=plan.dirty), workers=workers)
    return digests(folder)


def call(*arguments: str | Path) -> dict:
    result = CliRunner().invoke(simulate, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("format_", ["csv", "parquet"])
@pytest.mark.slow
def test_two_processes_write_the_bytes_of_one(tmp_path, format_):
    one = written(tmp_path / "one", SMALL, Output(format_))
    two = written(tmp_path / "two", SMALL, Output(format_), workers=2)
    assert one == two


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path):
    plan = Plan(300, 1, "county", 3, UNTIL, dirty=True)
    first, again = written(tmp_path / "first", plan), written(tmp_path / "again", plan)
    other = written(tmp_path / "other", Plan(300, 1, "county", 4, UNTIL, dirty=True))
    assert first == again
    assert first["students.csv"] != other["students.csv"]


def test_more_townships_leave_the_first_ones_as_they_are(tmp_path):
    """The unit of randomness is a township, so a county can be cut into any number of pieces."""
    small, large = Plan(1_050, 1, "county", 3, UNTIL), Plan(2_100, 1, "county", 3, UNTIL)
    written(tmp_path / "small", small)
    written(tmp_path / "large", large)
    for name in ("students.csv", "enrolments.csv", "attendance_2026-03.csv"):
        lines = (tmp_path / "small" / name).read_bytes()
        assert (tmp_path / "large" / name).read_bytes().startswith(lines)


def test_csv_and_parquet_hold_the_same_rows(tmp_path):
    plan = Plan(300, 1, "county", 3, UNTIL)
    written(tmp_path / "csv", plan)
    written(tmp_path / "parquet", plan, Output("parquet"))
    con = duckdb.connect()
    for name in ("attendance_2026-03", "enrolments", "results"):
        lines = f"read_csv('{tmp_path}/csv/{name}.csv', all_varchar=true)"
        columns = f"SELECT COLUMNS(*)::VARCHAR FROM '{tmp_path}/parquet/{name}.parquet'"
        if name == "results":
            columns = f"SELECT student_id, subject, sat FROM ({columns})"
            lines = f"(SELECT student_id, subject, sat FROM {lines})"
        assert con.execute(f"(FROM {lines} EXCEPT ALL {columns}) LIMIT 1").fetchall() == []
        assert con.execute(f"({columns} EXCEPT ALL FROM {lines}) LIMIT 1").fetchall() == []


def test_the_command_answers_how_many_pupils_and_which_files(tmp_path):
    document = call(tmp_path / "out", "--students", "300", "--years", "1", "--seed", "2")
    assert document["students"] == 300
    assert {name: document[name] for name in ("years", "preset", "seed")} == {
        "years": 1,
        "preset": "county",
        "seed": 2,
    }
    assert {"students.csv", "attendance_2025-09.csv", "truth/hazard.parquet", "truth/leavers.parquet"} <= set(
        document["files"]
    )
    for file in document["files"]:
        assert (tmp_path / "out" / file).stat().st_size > 0
    names = [file.removesuffix(".csv").split("_2")[0] for file in document["files"] if file.endswith(".csv")]
    assert set(names) <= set(REGISTERS)


def test_the_truth_has_the_columns_of_the_contract(tmp_path):
    call(tmp_path / "out", "--students", "300", "--years", "1")
    assert pq.read_schema(tmp_path / "out/truth/hazard.parquet").names == [
        "student_id",
        "monday",
        "hazard",
        "leaves",
    ]


def test_without_a_summer_after_it_no_empty_month_is_written(tmp_path):
    document = call(tmp_path / "out", "--students", "300", "--years", "1", "--until", "2026-01-31")
    months = [file for file in document["files"] if file.startswith("attendance")]
    assert months[0] == "attendance_2025-09.csv"
    assert months[-1] == "attendance_2026-01.csv"


def test_the_summer_after_the_last_year_can_be_part_of_the_period(tmp_path):
    call(tmp_path / "out", "--students", "300", "--years", "1", "--until", "2026-08-15")
    hazard = pq.read_table(tmp_path / "out/truth/hazard.parquet", columns=["monday"])["monday"]
    assert max(hazard.to_pylist()) == date(2026, 8, 3)


def test_gb18030_files_are_gb18030_and_not_utf8(tmp_path):
    call(tmp_path / "out", "--students", "300", "--years", "1", "--encoding", "gb18030")
    for name in ("students.csv", "schools.csv"):
        content = (tmp_path / "out" / name).read_bytes()
        assert "小学" in content.decode("gb18030") or "族" in content.decode("gb18030")
        with pytest.raises(UnicodeDecodeError):
            content.decode()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dirty") / "out"
    call(folder, "--students", "300", "--years", "1", "--dirty")
    return folder


def test_a_dirty_delivery_mixes_encodings(mixed):
    def is_utf8(name: str) -> bool:
        try:
            (mixed / name).read_bytes().decode()
        except UnicodeDecodeError:
            (mixed / name).read_bytes().decode("gb18030")
            return False
        return True

    assert is_utf8("schools.csv")
    assert not is_utf8("students.csv")
    assert not is_utf8("families.csv")


@pytest.mark.parametrize(
    ("file", "register", "encoding"),
    [("families", "families", "gb18030"), ("travel", "travel", "utf-8"),
     ("attendance_2026-03", "attendance", "utf-8"), ("attendance_2025-10", "attendance", "gb18030")],
)  # fmt: skip
def test_some_files_have_chinese_headers_and_values_that_are_declared(mixed, file, register, encoding):
    lines = (mixed / f"{file}.csv").read_text(encoding).splitlines()
    declared = REGISTERS[register]
    headers = lines[0].split(",")
    columns = [next(column for column in declared.delivered if name in column.aliases) for name in headers]
    assert headers[0] == "学籍号"
    chinese = 0
    for line in lines[1:200]:
        for column, cell in zip(columns, line.split(","), strict=True):
            if column.values and cell:
                assert cell in column.value_aliases
                chinese += 1
    assert chinese > 100


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "mine.csv").write_text("1")
    result = CliRunner().invoke(simulate, [str(tmp_path), "--students", "300"])
    assert result.exit_code == 2
    assert "not empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_a_period_whose_spring_festivals_nobody_knows_is_refused(tmp_path):
    result = CliRunner().invoke(simulate, [str(tmp_path / "out"), "--until", "2050-06-30"])
    assert result.exit_code == 2
    assert "2035" in result.stderr


def test_the_command_imports_nothing_heavy_before_it_is_called():
    heavy = ("numpy", "pyarrow", "duckdb")
    code = f"import sys, training.simulator.command; print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
