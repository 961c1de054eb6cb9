"""Parts of monitoring by themselves: effect sizes, moves of a list, alerts, small cells, Evidently."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance

from monitoring.alerts import sending
from monitoring.alerts.sending import send
from monitoring.alerts.standing import Alerts
from monitoring.decision import decide
from monitoring.drift.asking import compared
from monitoring.drift.events import events
from monitoring.drift.profile import column_profiles, counted, kept, load_facts, of_array, save
from monitoring.drift.sizes import jensen_shannon, psi, wasserstein
from monitoring.evidently import making
from monitoring.evidently.making import make
from monitoring.fairness.at_list import listed_by_group
from monitoring.findings import Finding
from monitoring.history import History
from monitoring.performance.measuring import at_list
from monitoring.stability.moves import moves
from risk_model.errors import UsageError
from risk_model.home import Home
from risk_model.run_evidence import PartFacts
from risk_model.settings import MonitoringSettings, Settings
from tests.monitored_nights import Watch, made_up_night

TODAY = date(2026, 3, 2)
RULES = MonitoringSettings()


def in_duckdb(values: np.ndarray) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    facts = PartFacts(np.arange(len(values)), values, np.ones_like(values))
    load_facts(con, [facts], [f"c{place}" for place in range(values.shape[1])])
    return con


# effect sizes


def test_counts_over_everybody_are_those_of_numpy_and_nulls_are_apart():
    dice = np.random.default_rng(1)
    values = dice.lognormal(0, 1, (60_000, 2))
    values[::7, 0] = np.nan
    con = in_duckdb(values)
    found = column_profiles(con, ["c0", "c1"])
    column = found["c0"]
    known = values[~np.isnan(values[:, 0]), 0].astype(np.float32)
    expected = np.bincount(
        np.searchsorted(np.float32(column.edges), known, "left"), minlength=len(column.counts)
    )
    assert list(column.counts) == expected.tolist()
    assert (column.n, column.nulls) == (60_000, int(np.isnan(values[:, 0]).sum()))
    assert len(column.edges) >= 15
    assert column.mean == pytest.approx(known.mean(), rel=1e-4)
    assert column.low > values[:, 1].min(), "never a pupil's own smallest value"


def test_the_distance_is_scipys_in_standard_deviations():
    dice = np.random.default_rng(2)
    before, now = dice.normal(0, 2, 30_000), dice.normal(0.8, 2, 30_000)
    reference = of_array(before)
    told = of_array(now, reference.edges)
    expected = wasserstein_distance(before, now) / before.std()
    assert wasserstein(reference, told.counts, told) == pytest.approx(expected, rel=0.06)


def test_rates_over_sixty_days_and_over_sixty_one_are_no_drift():
    """A term is a day longer: hardly a value is the same, and nothing has happened."""
    dice = np.random.default_rng(3)
    absent = dice.poisson(2, 20_000)
    before, now = of_array(absent / 60), absent / 61
    assert psi(before.counts, of_array(now, before.edges).counts) < 0.02


def test_a_shift_psi_misses_is_seen_by_the_distance():
    dice = np.random.default_rng(4)
    before, now = of_array(dice.normal(0, 1, 50_000)), dice.normal(0.35, 1, 50_000)
    told = of_array(now, before.edges)
    assert psi(before.counts, told.counts) < RULES.psi
    assert wasserstein(before, told.counts, told) > RULES.wasserstein


def test_mixes_have_a_distance_between_nought_and_one():
    same = {"A": 10, "B": 30}
    assert jensen_shannon(same, {"A": 100, "B": 300}) == 0
    assert 0 < jensen_shannon(same, {"A": 20, "B": 20}) < jensen_shannon(same, {"C": 5}) == 1


def test_a_profile_is_read_back_as_it_was_kept(tmp_path):
    profile, _ = Watch().profile(made_up_night(0))
    save(profile, tmp_path)
    assert kept(tmp_path, profile.as_of, "run", "digest") == profile
    assert kept(tmp_path, profile.as_of, "run", "another") is None


def test_a_column_that_is_gone_tonight_counts_nobody():
    assert counted(in_duckdb(np.ones((5, 1))), {"gone": (1.0, 2.0)}) == {"gone": (0, 0, 0)}


def test_an_event_that_cannot_be_read_is_told():
    with pytest.raises(UsageError, match="Spring Festival"):
        events(MonitoringSettings(events=("next week",)))


# the list, night to night


def listing(**pupils: tuple[float, bool]) -> pd.DataFrame:
    rows = [(pupil, "A", risk, listed) for pupil, (risk, listed) in pupils.items()]
    return pd.DataFrame(rows, columns=["student_id", "school_id", "risk", "listed"])


def test_every_entry_and_exit_has_a_cause():
    before = listing(up=(0.1, False), line=(0.28, False), top=(0.5, True), down=(0.4, True), gone=(0.3, True))
    now = listing(up=(0.6, True), line=(0.28, True), top=(0.5, True), down=(0.1, False), new=(0.9, True))
    found = moves(before, now, 1)
    assert found.stayed == 1
    assert found.entered == {"data": 1, "boundary": 1, "model": 0, "cohort": 1}
    assert found.left == {"data": 1, "boundary": 0, "model": 0, "cohort": 1}


def test_what_the_new_model_would_have_done_yesterday_is_laid_at_the_model():
    before = listing(up=(0.1, False), down=(0.5, True))
    now = listing(up=(0.6, True), down=(0.2, False))
    again = pd.Series({"up": True, "down": True})
    found = moves(before, now, 1, lambda: again)
    assert found.entered["model"] == 1
    assert found.left == {"data": 1, "boundary": 0, "model": 0, "cohort": 0}


# who is told


def finding(code: str = "schools_gone", level: str = "investigate", owner: str = "data_office") -> Finding:
    return Finding(code, "registers", level, owner, n=2, figures={"names": "A, B"})  # type: ignore[arg-type]


def night(alerts: Alerts, day: date, *findings: Finding) -> list[str]:
    standing = alerts.standing(findings, day, RULES.remind_days)
    due = [one for one in standing if one.due]
    alerts.keep(standing, due, day)
    return [one.finding.key for one in due]


def test_an_alert_that_lasts_is_told_once_and_again_after_a_week(tmp_path):
    alerts = Alerts(tmp_path)
    told = [bool(night(alerts, TODAY + timedelta(days=day), finding())) for day in range(10)]
    assert [day for day, due in enumerate(told) if due] == [0, 7]
    (standing,) = alerts.standing([finding()], TODAY + timedelta(days=10), RULES.remind_days)
    assert (standing.since, standing.nights) == (TODAY, 11)


def test_an_alert_that_was_over_or_became_graver_is_told_again(tmp_path):
    alerts = Alerts(tmp_path)
    assert night(alerts, TODAY, finding())
    assert not night(alerts, TODAY + timedelta(days=1))
    assert night(alerts, TODAY + timedelta(days=2), finding())
    assert not night(alerts, TODAY + timedelta(days=3), finding())
    assert night(alerts, TODAY + timedelta(days=4), finding(level="retrain"))


def test_a_silence_ends_on_its_day(tmp_path):
    alerts = Alerts(tmp_path)
    night(alerts, TODAY, finding())
    alerts.silence("schools_gone:all", TODAY + timedelta(days=8), "They merged.", TODAY)
    days = {day: bool(night(alerts, TODAY + timedelta(days=day), finding())) for day in range(1, 11)}
    assert [day for day, due in days.items() if due] == [9]
    assert decide([finding()], frozenset(alerts.silences(TODAY)))[0] == "keep"
    assert decide([finding()], frozenset(alerts.silences(TODAY + timedelta(days=9))))[0] == "investigate"


@pytest.mark.parametrize(("until", "why"), [(TODAY, "x"), (None, "x"), (TODAY + timedelta(days=3), " ")])
def test_a_silence_needs_a_day_to_come_and_a_reason(tmp_path, until, why):
    alerts = Alerts(tmp_path)
    night(alerts, TODAY, finding())
    with pytest.raises(UsageError, match="--why"):
        alerts.silence("schools_gone:all", until, why, TODAY)


class PostOffice:
    """Stands for a mail server."""

    sent: list = []  # noqa: RUF012 – one office for all connections

    def __init__(self, host: str, port: int, timeout: float) -> None:
        if host == "down":
            raise OSError("connection refused")

    def __enter__(self) -> PostOffice:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send_message(self, message) -> None:
        self.sent.append(message)


DOCUMENT = {"as_of": "2026-03-02", "decision": "investigate", "report": "report.html"}


def test_each_owner_gets_one_digest_of_all_its_alerts(tmp_path, monkeypatch):
    monkeypatch.setattr(sending.smtplib, "SMTP", PostOffice)
    PostOffice.sent.clear()
    whose = ("data_office", "data_office", "data_scientist", "responsible")
    told = [replace(finding(owner=owner), unit=f"unit:{n}") for n, owner in enumerate(whose)]
    standing = Alerts(tmp_path).standing(told, TODAY, RULES.remind_days)
    owners = {"data_office": "office@example.org", "data_scientist": "science@example.org"}
    rules = MonitoringSettings(smtp="mail:25", owners=owners)
    sent = send(standing, DOCUMENT, rules, "en", lambda line: None)
    assert [message["To"] for message in PostOffice.sent] == list(owners.values())
    assert PostOffice.sent[0].get_content().count("schools of the last run") == 2
    assert len(sent) == 3, "nobody answers for the fourth: it stays due"


def test_mail_that_cannot_be_sent_is_said_and_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sending.smtplib, "SMTP", PostOffice)
    standing = Alerts(tmp_path).standing([finding()], TODAY, RULES.remind_days)
    said: list[str] = []
    rules = MonitoringSettings(smtp="down:25", owners={"data_office": "office@example.org"})
    assert send(standing, DOCUMENT, rules, "en", said.append) == []
    assert "connection refused" in said[0]


# small cells


def test_small_cells_are_not_shown():
    rows = pd.DataFrame(
        {"label": [1.0] * 9 + [0.0] * 200, "listed": [True] * 20 + [False] * 189, "risk": 0.1}
    )
    told = at_list(rows, RULES)
    assert (told["positives"], told["recall"]) == (None, None)
    assert told["precision"] == 9 / 20
    groups = pd.DataFrame({"sex": ["F"] * 100 + ["M"] * 5, "listed": [True] * 50 + [False] * 55})
    others = ("ethnicity", "disability", "left_behind", "poverty", "relocated", "boarding")
    told = listed_by_group(groups.assign(**dict.fromkeys(others, "same")), Settings())
    assert told["sex"]["F"] == {"pupils": 100, "listed_share": 0.5}
    assert told["sex"]["M"] == {"pupils": None, "listed_share": None}


# Evidently's process


def test_evidently_that_fails_is_told_and_stops_nothing(tmp_path, monkeypatch):
    rows = pd.DataFrame({"km": np.arange(50.0), "gone": np.nan})
    monkeypatch.setattr(making, "CHILD", "monitoring.evidently.nothing_there")
    told, failed = make(rows, rows, None, tmp_path, "2026-03-02", RULES)
    assert told["dead"] == ["gone"]
    assert "nothing_there" in told["not_done"]
    assert failed is not None
    assert failed.level == "tell"
    assert "do not depend on it" in failed.said("en")


def test_evidently_that_hangs_is_ended(tmp_path, monkeypatch):
    (tmp_path / "hanging.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(making, "CHILD", "hanging")
    rules = RULES.model_copy(update={"evidently_seconds": 1})
    rows = pd.DataFrame({"km": np.arange(50.0)})
    told, _ = make(rows, rows, None, tmp_path / "out", "2026-03-02", rules)
    assert "longer than 1 s" in told["not_done"]


# the history


def test_old_nights_are_forgotten_and_the_latest_is_the_latest(tmp_path):
    history = History(Home(tmp_path))
    for day in (TODAY - timedelta(days=900), TODAY, TODAY - timedelta(days=3)):
        history.keep(day, {"as_of": day.isoformat()})
    history.sweep(TODAY, 800)
    assert [night["as_of"] for night in history.before(TODAY)] == ["2026-02-27"]
    assert json.loads((history.folder / "latest.json").read_text())["as_of"] == TODAY.isoformat()
    assert not Path(history.folder / "nights" / f"{TODAY - timedelta(days=900)}.json").exists()


def test_exams_a_fortnight_later_than_last_year_are_no_fault():
    """Nobody has a score tonight, as nobody had one a fortnight earlier last year."""
    watch = Watch()
    before, _ = watch.profile(made_up_night(-364, seed=2))
    unsat = made_up_night(-378, seed=2)
    unsat.pupils["score_latest"] = unsat.pupils["score_latest"].where(unsat.pupils.index % 2 == 0)
    earlier, _ = watch.profile(unsat)
    night = made_up_night(0)
    night.pupils["score_latest"] = night.pupils["score_latest"].where(night.pupils.index % 2 == 0)
    tonight, _ = watch.profile(night)
    told = {
        weeks: {one.key for one in compared(watch.con, tonight, before, None, [], Settings(), about).findings}
        for weeks, about in (("one", []), ("several", [earlier]))
    }
    assert "null_rise:column:score_latest" in told["one"]
    assert told["several"] == set()
