"""Care taken out of the service by commands: as a register for the lake, as a table for people."""

from __future__ import annotations

import csv
import json
import stat
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from risk_model.command.main import main
from risk_model.home import Home
from risk_model.settings import Settings
from serving.audit.reading import looks_at
from serving.audit.tables import Record, open_audit
from serving.care import steps, voices
from serving.database import open_database
from tests import cast


@pytest.fixture
def home(tmp_path):
    """The home of the cast; Mei is in care, Lan of another school has a note."""
    home = Home(tmp_path)
    now = datetime.now(UTC)
    with open_database(home, Settings()) as engine, engine.begin() as connection:
        cast.settle(connection)
        teacher = cast.viewer(connection, "T-CHEN")
        case = steps.open_case(connection, teacher, "S-MEI", "T-CHEN", now, text="=1+1")
        told = (now.date(), "talk", "@mother", "moves to her aunt", now)
        steps.contact(connection, teacher, case.id, 1, *told, restricted=True)
        voices.note(connection, teacher, "S-MEI", "came\nlate", now)
        voices.note(connection, teacher, "S-LAN", "of another school", now)
    return home


def run(home, *command, code=0):
    answer = CliRunner().invoke(main, ["--home", str(home.folder), "--json", *map(str, command)])
    assert answer.exit_code == code, answer.output
    return json.loads(answer.stdout) if code == 0 else answer.output


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def recorded(home):
    with open_audit(home, Settings()) as engine, engine.connect() as connection:
        query = Record.__table__.select().order_by(Record.id.desc())
        newest = connection.execute(query).first()
        assert looks_at(connection, "S-MEI") == []
    return newest.action, newest.unit, newest.detail


def test_care_is_exported_as_a_register_and_recorded(home, tmp_path):
    """Days and kinds, no texts; the delivery is whole."""
    told = run(home, "care", "export", tmp_path / "delivery")
    assert told == {"rows": 1, "out": str(tmp_path / "delivery")}
    [row] = rows(tmp_path / "delivery" / "care.csv")
    assert (row["student_id"], row["kind"]) == ("S-MEI", "opened")
    assert (tmp_path / "delivery" / "_DONE").exists()
    assert "aunt" not in (tmp_path / "delivery" / "care.csv").read_text()
    assert recorded(home) == ("export", "all", "care export")


def test_the_ledger_of_a_unit_tells_that_something_is_restricted_and_not_what(home, tmp_path):
    """Only the unit's pupils; no cell is a formula; nobody else reads the file."""
    out = tmp_path / "ledger.csv"
    run(home, "care", "ledger", "--unit", "school:A", "--out", out)
    told = rows(out)
    assert sorted(row["kind"] for row in told) == ["contact", "note", "opened"]
    by_kind = {row["kind"]: row for row in told}
    assert by_kind["opened"]["text"] == "'=1+1"
    assert (by_kind["contact"]["text"], by_kind["contact"]["with_whom"]) == ("", "")
    assert by_kind["contact"]["restricted"] == "true"
    assert by_kind["note"]["text"] == "came\nlate"
    assert {row["student_id"] for row in told} == {"S-MEI"}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert recorded(home) == ("export", "school:A", "care ledger")


def test_restricted_texts_are_for_those_above_alone(home, tmp_path):
    """On behalf of the principal; not of the teacher, of another school's principal, or of nobody."""
    out = tmp_path / "ledger.csv"
    ask = ("care", "ledger", "--unit", "school:A", "--out", out, "--restricted")
    assert "go together" in run(home, *ask, code=2)
    for login in ("t-chen", "p-b", "keeper", "d-k", "t-old"):
        assert "may not read restricted texts" in run(home, *ask, "--for", login, code=2)
    of_class = ("care", "ledger", "--unit", cast.A7A, "--out", out, "--restricted", "--for", "t-two")
    assert "may not read restricted texts" in run(home, *of_class, code=2), "their class teacher today"
    assert not out.exists()
    run(home, *ask, "--for", "p-a")
    [contact] = [row for row in rows(out) if row["kind"] == "contact"]
    assert (contact["text"], contact["with_whom"]) == ("moves to her aunt", "'@mother")
    action, unit, detail = recorded(home)
    assert (action, unit) == ("export", "school:A")
    assert detail.startswith("care ledger with restricted texts for account ")
