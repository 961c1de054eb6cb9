"""``monitor`` on the real commands of a simulated county: a clean night, labels that mature, a school that
stops sending, a model whose files were changed; what it writes, whom it tells, and that it names no pupil.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest

from monitoring.evidently.reasons import IN_CHINESE
from monitoring.fairness.over_time import Trend
from monitoring.report.content import content
from monitoring.report.writing import render
from monitoring.runs import open_service
from risk_model.home import Home
from risk_model.settings import Settings
from tests.county import dropout_risk, part_of, simulate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TRAINED = date(2025, 10, 6)
FAULT = date(2026, 3, 23)
NIGHT = date(2026, 4, 9)
LISTS = (TRAINED, date(2025, 11, 3), FAULT)
MEGABYTES = 2_000_000


class Listener(HTTPServer):
    """Takes what is posted to it."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Taking)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/alerts"


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@dataclass
class Office:
    """A home whose school S stops sending after the fault."""

    home: Path
    registers: Path
    listener: Listener
    school: str = ""
    answers: dict[str, Any] = field(default_factory=dict)

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Any:
        answer = dropout_risk(self.home, *arguments)
        assert answer.code in codes, answer.stderr
        return answer.document


@pytest.fixture(scope="module")
def office(tmp_path_factory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("monitor")
    registers = simulate(folder / "registers", students=1500, years=3)
    listener = Listener()
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    county = Office(folder / "home", registers, listener)
    county.home.mkdir()
    county.run("import", str(part_of(registers, folder / "first", until=FAULT)))
    county.run("train", "--snapshots", "every:45d", "--promote", "force", "--as-of", TRAINED.isoformat())
    for day in LISTS:
        county.run("score", "--as-of", day.isoformat(), codes=(0, 6))
    county.answers["clean"] = county.run("monitor", "--as-of", FAULT.isoformat())
    yield county
    listener.shutdown()
    listener.server_close()
    thread.join()


def silenced_school(office: Office) -> str:
    with open_service(Home(office.home), Settings()) as service:
        sizes = service.schools(service.runs(FAULT)[-1]).sort_values("pupils", ascending=False)
    return str(sizes["school_id"].iloc[0])


def without_marks_of(delivery: Path, school: str) -> None:
    """Nothing of a school's attendance reaches the office."""
    enrolments = delivery.parent / "first" / "enrolments.csv"
    pupils = (
        f"(select student_id from read_csv('{enrolments}', all_varchar = true) where school_id = '{school}')"
    )
    for file in delivery.glob("attendance*.csv"):
        with duckdb.connect() as con:
            con.read_csv(str(file), header=True, all_varchar=True).create("told")
            con.sql(f"from told where student_id not in {pupils}").write_csv(str(file), header=True)


def keys(document: dict[str, Any]) -> set[str]:
    return {alert["key"] for alert in document["alerts"]}


def test_a_clean_night_has_all_its_parts(office: Office):
    told = office.answers["clean"]
    assert told["decision"] in ("keep", "investigate", "retrain")
    assert "question" not in " ".join(keys(told)), told["alerts"]
    comparison = told["drift"]["comparison"]
    assert comparison["source"] == "registers"
    assert comparison["reference"] == "2025-03-03", "as far into a term begun earlier"
    assert len(comparison["columns"]) > 80
    states = {cohort["as_of"]: cohort["state"] for cohort in told["performance"]["cohorts"]}
    assert states == {"2025-10-06": "mature", "2025-11-03": "mature", "2026-03-23": "immature"}
    mature = told["performance"]["cohorts"][-1]["figures"]
    assert mature["counts"]["positives"] > 0
    assert 0 <= mature["recall"] <= 1
    assert mature["rule"]["recall"] is not None
    assert told["care_effect"]["text"].startswith("Cannot tell")
    assert told["stability"]["before"] > 0
    assert told["fairness"]["sex"]["F"]["pupils"] > 100
    assert told["evidently"]["rows"][0] > 1000
    html = Path(told["evidently"]["html"])
    assert html.stat().st_size > 0
    assert html.with_name(f"{FAULT}-classification.html").exists()


@pytest.mark.parametrize("reason", sorted(IN_CHINESE))
def test_why_there_is_no_report_of_evidently_is_told_in_the_readers_language(office: Office, reason: str):
    document = office.answers["clean"] | {"evidently": {"not_done": reason}}
    chinese, english = (render(content(document, [], language, 10)) for language in ("zh", "en"))
    assert IN_CHINESE[reason] in chinese
    assert reason not in chinese
    assert reason in english


def test_groups_over_time_stand_in_the_report_in_both_languages(office: Office):
    trend = Trend("sex", "F", "M", "2025-01-06", "2025-10-03", 4, 600, 1.08, 0.57, -0.68, (-0.9, -0.46), 0.0)
    line = [replace(trend, falls=True).as_document()]
    clean = office.answers["clean"]
    assert "Groups over time" not in render(content(clean, [], "en", 10))
    for language, said in (("en", "Groups over time"), ("zh", "群体随时间变化")):
        page = render(content(clean | {"fairness_over_time": line}, [], language, 10))
        assert said in page
        assert all(figure in page for figure in ("2025-01-06 … 2025-10-03", "600", "1.08", "0.57", " *"))


def test_the_report_stands_alone_in_both_languages(office: Office):
    for language, word in (("en", "What matters tonight"), ("zh", "今晚要点")):
        page = Path(office.answers["clean"]["reports"][language]).read_text()
        assert len(page.encode()) <= MEGABYTES
        assert word in page
        assert f'lang="{language}"' in page
        assert page.count("<svg") >= 4
        assert not re.search(r"<script|https?://|@import|url\(", page)


def test_what_is_kept_names_no_pupil(office: Office):
    with open_service(Home(office.home), Settings()) as service:
        pupils = set(service.scores(service.runs(FAULT)[-1])["student_id"])
    folder = Home(office.home).monitoring
    kept = [file for file in folder.rglob("*") if file.suffix in (".json", ".html")]
    assert len(kept) > 8
    for file in kept:
        words = set(re.findall(r"[A-Za-z0-9]{8,}", file.read_text()))
        assert not words & pupils, file


def test_asked_again_the_same_night_says_the_same(office: Office):
    again = office.run("monitor", "--as-of", FAULT.isoformat())
    first = office.answers["clean"]
    assert keys(again) == keys(first)
    assert [alert["nights"] for alert in again["alerts"]] == [alert["nights"] for alert in first["alerts"]]
    assert again["performance"] == first["performance"]


def test_a_school_that_stops_sending_keeps_its_list_and_everybody_is_told_once(office: Office):
    office.school = silenced_school(office)
    delivery = part_of(office.registers, office.home.parent / "news" / "part", after=FAULT, until=NIGHT)
    delivery = delivery.rename(office.home.parent / "part")
    without_marks_of(delivery, office.school)
    inbox = office.home.parent / "inbox"
    inbox.mkdir()
    delivery = delivery.rename(inbox / "part")
    (delivery / "_DONE").touch()
    (office.home / "dropout-risk.toml").write_text(f'[monitoring]\nwebhook = "{office.listener.url}"\n')
    night = office.run("nightly", "--as-of", NIGHT.isoformat(), "--inbox", str(inbox), codes=(6,))
    told = night["monitor"]
    held = f"held_back:school:{office.school}"
    assert held in keys(told)
    alert = next(alert for alert in told["alerts"] if alert["key"] == held)
    assert FAULT.isoformat() in alert["text"]
    assert alert["owner"] == "data_office"
    assert "silent_schools:all" in keys(told) or "few_marks:all" in keys(told)
    assert told["decision"] != "keep"
    theirs = office.run("lists", "--all", "--unit", f"school:{office.school}")
    assert {row["as_of"] for row in theirs} == {FAULT.isoformat()}
    others = office.run("lists", "--all")
    assert {row["as_of"] for row in others} == {NIGHT.isoformat()}
    assert office.school not in {row["school_id"] for row in others}
    (post,) = office.listener.posts
    assert held in {alert["key"] for alert in post["alerts"]}
    office.run("monitor", "--as-of", NIGHT.isoformat())
    assert len(office.listener.posts) == 1


def test_fail_on_ends_with_six_until_the_alert_is_silenced_for_a_reason(office: Office):
    night = ("monitor", "--as-of", NIGHT.isoformat())
    told = office.run(*night, "--fail-on", "investigate", codes=(6,))
    no_reason = dropout_risk(office.home, "monitor", "--silence", told["alerts"][0]["key"])
    assert no_reason.code == 2
    assert "--why" in no_reason.document["error"]
    until = (date.today() + timedelta(days=30)).isoformat()
    for alert in told["alerts"]:
        office.run(
            "monitor", "--silence", alert["key"], "--until", until, "--why", "The school is on a trip."
        )
    quiet = office.run(*night, "--fail-on", "investigate")
    assert quiet["decision"] == "keep"
    assert {alert["silenced_why"] for alert in quiet["alerts"]} == {"The school is on a trip."}
    unknown = dropout_risk(office.home, "monitor", "--silence", "nothing", "--until", until, "--why", "x")
    assert unknown.code == 2


def test_the_figures_for_prometheus_tell_the_decision(office: Office):
    text = (office.home / "data" / "metrics" / "monitor.prom").read_text()
    assert 'dropout_risk_decision{command="monitor",decision="keep"} 1' in text


def test_a_model_whose_files_were_changed_is_told(office: Office):
    """After the score: the list of tonight is good, that of tomorrow would not be."""
    part = next(file for file in Home(office.home).bundles.rglob("calibrator.json"))
    kept = part.read_bytes()
    part.chmod(0o600)
    part.write_bytes(kept.replace(b"1", b"2", 1))
    told = office.run("monitor", "--as-of", NIGHT.isoformat())
    part.write_bytes(kept)
    assert "model_altered:all" in keys(told)
    assert told["drift"]["comparison"] is not None


def test_without_a_run_it_says_what_to_do(tmp_path):
    answer = dropout_risk(tmp_path, "monitor")
    assert answer.code == 1
    assert "score" in answer.document["error"]
