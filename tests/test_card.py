"""The model card: every section, in both shapes, from what the training recorded and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from risk_model.model.manifest import Manifest
from tests.bundles import PROVENANCE
from training.card.content import content
from training.card.plot import plot
from training.card.rendering import render

SECTIONS = (
    "What it is for", "What it was made from", "How often it is right", "Is it fair?", "What moves it",
    "Checks before it may serve", "Where it fails", "How to object",
)  # fmt: skip
MANIFEST = Manifest(**vars(PROVENANCE), kind="lightgbm", features=("absence_30", "boarding"), parts={})
AT = {"1%": 0.3, "2%": 0.4, "5%": 0.5, "10%": 0.6, "capacity": 0.402}
RULE = {"recall_at": dict.fromkeys(AT, 0.151), "precision_at": dict.fromkeys(AT, 0.04)}
GROUP = {
    "students": 1200, "positives": 25, "recall": 0.31, "recall_ratio": 0.75,
    "recall_ratio_interval": [0.6, 0.9], "precision": 0.1, "false_alarm_rate": 0.02, "said": None,
    "expected_over_observed": 1.07, "expected_over_observed_interval": [0.71, 1.44],
}  # fmt: skip
FEW = "too few to tell (40 rows, 2 of them left)"
GRADE = {
    "students": 700, "positives": 12, "listed": 40, "recall_at_capacity": 0.55, "said": None,
    "precision_at_capacity": 0.2, "expected_over_observed": 0.93,
    "intervals": {
        "recall_at_capacity": [0.42, 0.68], "precision_at_capacity": [0.13, 0.27],
        "expected_over_observed": [0.66, 1.31],
    },
}  # fmt: skip
NO_FIGURES = ("recall", "recall_ratio", "precision", "false_alarm_rate", "expected_over_observed")
DOCUMENT = {
    "why": "",
    "gate": {"passed": False, "checks": [{"name": "churn", "passed": False, "says": "80 % would fall off"}]},
    "backtest": [{"snapshot": "2026-01-01"}],
    "pooled": {
        "students": 5000, "positives": 60, "roc_auc": 0.88, "recall_at": AT,
        "precision_at": dict.fromkeys(AT, 0.213), "intervals": {"roc_auc": [0.85, 0.9]},
        "baselines": {"school_rule": RULE},
        "groups": {"grade": {"7": GRADE, "12": {"students": 40, "positives": 2, "said": FEW}}},
        "components": {"non_return": {**GRADE, "positives": 31}},
    },
    "calibration_by_place": [
        {
            "band": "0%–1%",
            "students": 50,
            "expected": 0.31,
            "observed": 0.29,
            "observed_interval": [0.18, 0.41],
        },
        {
            "band": "25%–100%",
            "students": 900,
            "expected": 0.0004,
            "observed": 0.0,
            "observed_interval": None,
        },
    ],
    "label_settings": {
        "reporting_lag_days": 28, "between_spells_days": 100, "long_absence_school_days": 20,
        "grades": list(range(1, 10)),
    },
    "labels": {"positive": 60, "negative": 4940, "censored": 7, "already_out": 2, "unknown": 1},
    "fairness": {
        "attributes": {
            "left_behind": {
                "groups": {"true": GROUP, "false": GROUP},
                "reference": "false",
                "proxy": {"roc_auc": 0.83, "strongest": ["parents_away"], "said": None},
            },
            "ethnicity": {
                "groups": {"true": {**GROUP, **dict.fromkeys(NO_FIGURES), "said": "too few of them"}},
                "proxy": {"roc_auc": None, "strongest": [], "said": "too few to tell them apart"},
            },
        },
        "findings": ["1,200 rows of pupils with left_behind = true: found 0.75 times as often."],
        "not_done": [{"what": "disability", "why": "No row tells it."}],
    },
    "not_done": [],
    "reasons": [
        {"text": "Missed … of the last 30 days", "family": "attendance", "direction": "more of it, more risk"}
    ],
    "stability": [
        {"of": of, "change": "one more day away", "students": 50, "first_stays": stays, "first_is_told": 0.98,
         "all_stay": 0.712, "largest_move": 0.4}
        for of, stays in (("everybody", 0.456), ("highest 5 %", 0.931))
    ],
}  # fmt: skip
UNJUDGED = {
    "why": "120 days of history are too few.",
    "pooled": {"positives": 0},
    "gate": {"passed": True, "checks": []},
}


@pytest.mark.parametrize("shape", ["html", "md"])
def test_a_card_has_every_section_and_begins_with_how_often_it_is_right(shape):
    card = render(content(DOCUMENT, MANIFEST, "7"), shape)
    places = [card.index(section) for section in SECTIONS]
    assert places == sorted(places)
    first = re.sub(r"<[^>]+>|\*", "", card[: places[0]])
    assert "Of 100 pupils on its lists about 21 left" in first
    assert "its lists held about 40; lists as long made by the school's own rule held about 15" in first
    assert "did not pass" in first


@pytest.mark.parametrize("shape", ["html", "md"])
def test_what_was_found_and_what_was_not_looked_at_is_on_the_card(shape):
    card = render(content(DOCUMENT, MANIFEST, "7"), shape)
    for told in (
        "left_behind = true",
        "disability",
        "No row tells it",
        "0.75 (0.60 to 0.90)",
        "0.850 to 0.900",
    ):
        assert told in card
    assert "No rows of: travel" in card


@pytest.mark.parametrize("shape", ["html", "md"])
def test_a_model_nobody_could_judge_yet_says_so_first(shape):
    card = render(content(UNJUDGED, MANIFEST, "7"), shape)
    assert "is not known yet" in card
    assert "120 days of history are too few." in card
    assert "may be used" in card
    assert "Of 100 pupils" not in card


@pytest.mark.parametrize("shape", ["html", "md"])
def test_a_search_for_better_numbers_is_told_with_its_outcome(shape):
    says = "40 settings of the trees were tried on 6 past days before the test days; the default stays"
    assert says in render(content({**DOCUMENT, "search": {"says": says}}, MANIFEST, "7"), shape)
    assert "settings of the trees" not in render(content({**DOCUMENT, "search": None}, MANIFEST, "7"), shape)


EVERYTHING = {
    "purpose and limits": ("ranks the pupils of every class", "It cannot see what no register holds"),
    "label": ("the register says the pupil dropped out", "not seen in the first three weeks of a term"),
    "windows": ("the 90 days after it are looked at", "only 28 days after their end"),
    "lake snapshot and what was assumed": ("lake snapshot 7", "No rows of: travel"),
    "cohort and exclusions": ("grades 1 to 9", "pupils taught at home", "7 censored", "2 already out"),
    "metrics with intervals": ("0.850 to 0.900", "Share of leavers on the list"),
    "groups": ("grade: 7", "55 % (42 % to 68 %)", "0.93 (0.66 to 1.31)", "1.07 (0.71 to 1.44)"),
    "ways of leaving": ("leaving as: no return after a holiday",),
    "the measure of the others": ("the largest group",),
    "what is never a predictor": ("Sex, ethnicity and disability are never predictors",),
    "too few": (FEW, "too few of them"),
    "proxies": ("0.83, most by parents_away", "too few to tell them apart"),
    "calibration": ("0%–1%", "18 % to 41 %"),
    "top reasons with direction": ("Missed … of the last 30 days", "more of it, more risk"),
    "monotone constraints": ("never lowers the risk: absence_30", "never raises the risk: none"),
    "known failure modes": ("first weeks of turning away", "partly luck"),
    "how to contest": ("may object to a fact or to a name",),
}


@pytest.mark.parametrize("shape", ["html", "md"])
@pytest.mark.parametrize("what", EVERYTHING)
def test_a_card_tells(shape, what):
    card = render(content(DOCUMENT, MANIFEST, "7"), shape)
    for told in EVERYTHING[what]:
        assert told in card


def test_the_calibration_is_drawn_with_its_intervals():
    card = render(content(DOCUMENT, MANIFEST, "7"), "html")
    assert card.count("<circle") == 2
    assert card.count('stroke="#5b6f8f"') == 1, "a band without an interval has none"
    at = plot(DOCUMENT["calibration_by_place"])["points"]
    assert at[0]["ends"][0] > at[0]["y"] > at[0]["ends"][1], "upwards is more"
    assert at[1]["y"] == 300, "nobody left: at the lower edge"
    assert "<svg" not in render(content(UNJUDGED, MANIFEST, "7"), "html")


def test_a_guessed_clock_is_told():
    guessed = replace(MANIFEST, recorded_on_assumed=True)
    assert "that day is a guess" in render(content(DOCUMENT, guessed, "7"), "md")
    assert "that day is a guess" not in render(content(DOCUMENT, MANIFEST, "7"), "md")


def test_the_page_fetches_nothing_and_runs_nothing():
    card = render(content(DOCUMENT, MANIFEST, "7"), "html")
    assert not re.search(r"https?:|<script|<link|url\(|src=|@import", card)
    assert len(card.encode()) < 60_000


def test_hostile_text_stays_text():
    evil = "<img src=x onerror=alert(1)> | <b>"
    document = {**DOCUMENT, "fairness": {**DOCUMENT["fairness"], "findings": [evil]}}
    assert "<img" not in render(content(document, MANIFEST, "7"), "html")
    markdown = render(content(document, MANIFEST, "7"), "md")
    assert "<img" not in markdown
    assert "\\|" in markdown


FIGURES_END = (
    "Math.max(...[...document.querySelectorAll('table.fit')].map(t => t.getBoundingClientRect().right))"
)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 900)])
def test_the_page_fits_a_phone_and_a_desk_in_a_real_browser(width, height, tmp_path: Path):
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=quiet)
        page = browser.new_page(viewport={"width": width, "height": height})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.set_content(render(content(DOCUMENT, MANIFEST, "7"), "html"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("h2").count() == len(SECTIONS)
        assert page.locator("text=lists held about").is_visible()
        assert page.evaluate(FIGURES_END) <= width, "figures are read without scrolling sideways"
        assert asked == []
        browser.close()


@pytest.mark.parametrize("shape", ["html", "md"])
def test_the_card_says_whether_reasons_hold_for_the_pupils_whose_reasons_are_read(shape):
    card = render(content(DOCUMENT, MANIFEST, "7"), shape)
    assert all(share in card for share in ("93 %", "98 %", "71 %"))
    assert "46 %" not in card
    assert "Do the reasons hold?" not in render(content(UNJUDGED, MANIFEST, "7"), shape)
