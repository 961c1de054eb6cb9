"""The whole way, told once: read this first.

A county office delivers its registers and reads tonight's list. Nothing on it worries anybody about one
particular pupil – until that pupil stays away. Two weeks of marks later the list has changed and says
why. The pupil leaves; the office learns it three weeks late; the exit becomes a label when its time has
come; and the next model has learnt from it.

Every step is the real command in the home of a simulated county of 1,500 pupils.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.county import dropout_risk, part_of, simulate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TONIGHT = date(2025, 11, 14)
TWO_WEEKS_LATER = TONIGHT + timedelta(days=14)
LEFT_ON = TONIGHT + timedelta(days=17)
LEARNT_ON = LEFT_ON + timedelta(days=21)
MATURED = date(2026, 4, 20)


@dataclass
class County:
    """The home of the story and the registers that are still to come."""

    home: Path
    registers: Path
    deliveries: Path

    def run(self, *arguments: str, codes: tuple[int, ...] = (0, 6)) -> Any:
        answer = dropout_risk(self.home, *arguments)
        assert answer.code in codes, answer.stderr
        return answer.document

    def deliver(self, name: str, *, after: date | None, until: date) -> Path:
        return part_of(self.registers, self.deliveries / name, after=after, until=until)

    def row(self, pupil: str) -> dict[str, Any]:
        return next(row for row in self.run("lists", "--all") if row["student_id"] == pupil)


@pytest.fixture(scope="module")
def county(tmp_path_factory) -> County:
    folder = tmp_path_factory.mktemp("story")
    registers = simulate(folder / "registers", students=1500, years=3)
    return County(folder / "home", registers, folder / "deliveries")


def test_the_story(county: County):
    # The office delivers everything it knows, a model is trained on it, and everybody is scored.
    first = county.run("import", str(county.deliver("first", after=None, until=TONIGHT)))
    assert all(counts["rejected"] == 0 for counts in first["tables"].values())
    trained = county.run("train", "--snapshots", "every:45d", "--promote", "force")
    assert trained["kind"] == "lightgbm"
    score = county.run("score")
    assert score["as_of"] == TONIGHT.isoformat()
    assert score["model_version"] == trained["version"]

    # For every class there is a list with reasons; our pupil, an ordinary one, is not on it.
    before = ordinary_pupil(county.run("lists", "--all"))
    pupil = before["student_id"]
    assert not before["listed"]

    # The pupil stays away without a word. Everybody else's marks come in as usual.
    news = county.deliver("two-weeks", after=TONIGHT, until=TWO_WEEKS_LATER)
    stays_away(news, pupil)
    county.run("import", str(news))
    county.run("score", "--as-of", TWO_WEEKS_LATER.isoformat())

    # The next list says who, and why it changed: the days missed, adding up to the whole difference.
    after = county.row(pupil)
    assert after["listed"]
    assert after["rank"] < before["rank"]
    assert after["reasons"][0]["family"] == "attendance"
    explained = county.run("explain", pupil)
    assert risk_of(explained) == pytest.approx(after["risk"], abs=1e-6)
    change = log_odds(after["risk"]) - log_odds(before["risk"])
    assert sum(moved["difference"] for moved in explained["changes"]) == pytest.approx(change, abs=1e-6)
    biggest = max(explained["changes"], key=lambda moved: moved["difference"])
    assert biggest["family"] == "attendance"

    # The pupil leaves. The office learns it three weeks after the day.
    rest = county.deliver("rest", after=TWO_WEEKS_LATER, until=MATURED)
    leaves(rest, pupil)
    county.run("import", str(rest))

    # Until then nobody could know; now, with the window over and the lag gone by, it is a label.
    assert label_of(county.home, pupil, known_on=LEARNT_ON) is None
    assert label_of(county.home, pupil, known_on=MATURED) == 1

    # The next model is trained on what was learnt, and the registry holds both.
    retrained = county.run("train", "--snapshots", "every:45d", "--promote", "force")
    assert retrained["version"] != trained["version"]
    models = county.run("models", "list")
    champion = next(model for model in models if "champion" in model["aliases"])
    assert champion["version"] == retrained["version"]
    assert {model["version"] for model in models} >= {trained["version"], retrained["version"]}


def ordinary_pupil(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A scored pupil of a junior school in the middle of the county's ranks."""
    scored = [row for row in rows if row["status"] == "scored" and row["grade"] in (7, 8)]
    return sorted(scored, key=lambda row: row["rank"])[len(scored) // 2]


def stays_away(delivery: Path, pupil: str) -> None:
    """Turn the pupil's marks of a delivery into unexcused absences."""
    mark = f"case when student_id = '{pupil}' then 'absent_unexcused' else mark end as mark"
    for file in delivery.glob("attendance*.csv"):
        rewrite(file, f"select * replace ({mark}) from delivered")


def leaves(delivery: Path, pupil: str) -> None:
    """No mark after the day the pupil left; the open spell is closed by a row learnt later."""
    others = f"select * from delivered where student_id <> '{pupil}'"
    for file in delivery.glob("attendance*.csv"):
        rewrite(file, f"{others} or cast(day as date) < date '{LEFT_ON}'")
    file = delivery / "enrolments.csv"
    closed = closed_spell(delivery.parent / "first" / "enrolments.csv", pupil)
    rewrite(file, f"{others} union all by name {closed}" if file.exists() else closed)


def closed_spell(enrolments: Path, pupil: str) -> str:
    """The pupil's latest spell, ended the day the pupil left and recorded when the office learnt it."""
    latest = (
        f"select * from read_csv('{enrolments}', header=true, all_varchar=true) "
        f"where student_id = '{pupil}' order by started_on desc, recorded_on desc limit 1"
    )
    end = f"'{LEFT_ON}' as ended_on, 'dropped_out' as end_reason, '{LEARNT_ON}' as recorded_on"
    return f"(select * replace ({end}) from ({latest}))"


def rewrite(file: Path, query: str) -> None:
    with duckdb.connect() as con:
        if file.exists():
            con.read_csv(str(file), header=True, all_varchar=True).create("delivered")
        con.sql(query).write_csv(str(file), header=True)


def label_of(home: Path, pupil: str, *, known_on: date) -> int | None:
    """What is known on a day about the pupil's leaving in the 90 days after the first list."""
    from risk_model.cohort import build_cohort
    from risk_model.home import Home
    from risk_model.labels import label
    from risk_model.lake.reading import open_lake
    from risk_model.settings import Settings
    from risk_model.timeline import build_diaries, build_timeline

    rules = Settings().labels
    with open_lake(Home(home), Settings()) as lake:
        lake.known_on(TONIGHT)
        build_diaries(lake.con, TONIGHT, since=TONIGHT - timedelta(days=260))
        build_cohort(lake.con, TONIGHT, rules)
        lake.con.execute(f"create temp table pupils as select *, date '{TONIGHT}' as snapshot from cohort")
        lake.known_on(known_on)
        build_timeline(lake.con, known_on, since=TONIGHT - timedelta(days=60))
        label(lake.con, "pupils", known_on, rules)
        found = lake.con.execute("select label from labels where student_id = ?", [pupil]).fetchone()
    assert found is not None, "the pupil was in the cohort"
    return found[0]


def risk_of(explained: dict[str, Any]) -> float:
    total = explained["base"] + math.fsum(part["contribution"] for part in explained["contributions"])
    return 1 / (1 + math.exp(-total))


def log_odds(risk: float) -> float:
    return math.log(risk / (1 - risk))
