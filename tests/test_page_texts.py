"""Texts of the pages: all of them in both languages, and nothing left over."""

from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po

from serving.pages.rendering import day_text, environment, render
from serving.pages.translations import LOCALE, translations
from serving.refusing import RefusedError
from tests.catalogs import CARE, PAGES, SERVING, all_texts, texts_of_pages, texts_of_refusals

PLACES = re.compile(r"%\(\w+\)s|%%")


def chinese():
    with (LOCALE / "zh.po").open("rb") as file:
        return read_po(file, locale="zh")


def missing(texts):
    """Texts without a translation, and where they are used."""
    catalog = chinese()
    return {
        message: place
        for message, place in texts.items()
        if (found := catalog.get(message if isinstance(message, str) else message[0])) is None
        or not any([found.string] if isinstance(found.string, str) else found.string)
        or found.fuzzy
    }


def test_every_text_of_the_pages_is_translated():
    assert missing(all_texts()) == {}


def test_every_refusal_of_care_is_translated():
    """And there is none of a kind that would stay English."""
    refusals = texts_of_refusals()
    assert "Before a case closes, say whether you agree with the reasons: review it first." in refusals
    assert "what was agreed" in refusals
    assert missing(refusals) == {}
    of_commands = {"commands.py", "ledger.py"}  # which speak English, as all commands do
    of_care = [place for place in CARE.glob("*.py") if place.name not in of_commands]
    places = [*of_care, SERVING / "access" / "granting.py", SERVING / "accounts" / "passwords.py"]
    assert [place.name for place in places if "UsageError(" in place.read_text()] == []


def test_a_refusal_nobody_translated_is_noticed(tmp_path):
    (tmp_path / "new.py").write_text('raise RefusedError("Nobody translated %(this)s", this=1)')
    assert list(missing(texts_of_refusals(tmp_path))) == ["Nobody translated %(this)s"]


def test_a_refusal_is_told_in_the_language_of_its_reader():
    refusal = RefusedError("Say %(what)s: it is empty.", what="what was agreed")
    assert str(refusal) == refusal.said("en") == "Say what was agreed: it is empty."
    assert refusal.said("zh") == "请填写约定内容，此项不能为空。"


def test_a_text_nobody_translated_is_noticed(tmp_path):
    (tmp_path / "new.html.j2").write_text('{{ _("Nobody translated this") }}')
    assert "Nobody translated this" in texts_of_pages(tmp_path)
    assert chinese().get("Nobody translated this") is None


def test_no_translation_is_left_over():
    used = {message if isinstance(message, str) else message[0] for message in all_texts()}
    kept = {
        message.id if isinstance(message.id, str) else message.id[0] for message in chinese() if message.id
    }
    assert kept - used == set()


def test_translations_keep_every_place_for_a_value():
    for message in chinese():
        if message.id:
            told = message.string if isinstance(message.string, str) else message.string[0]
            wanted = message.id if isinstance(message.id, str) else message.id[1]
            assert sorted(PLACES.findall(told)) == sorted(PLACES.findall(wanted)), wanted


def test_templates_hold_no_bare_words():
    """A text outside of ``_()`` would be English in Chinese pages."""
    for template in (PAGES / "templates").glob("*.j2"):
        text = re.sub(r"{%.*?%}|{{.*?}}", "", template.read_text(), flags=re.S)
        words = re.findall(r">([^<]*[A-Za-z]{3,}[^<]*)<", text)
        assert [word for word in words if word.strip(" ·\n") not in ("dropout-risk", "XLSX", "CSV")] == [], (
            template.name
        )


def test_a_page_says_its_language_and_counts_in_it():
    shell = {"signed_in": False, "csrf": "", "path": "/", "message": None}
    problem = {"title": "T", "detail": "D"}
    assert '<html lang="zh-CN">' in render("problem", "zh", shell=shell, problem=problem)
    assert translations("zh").ngettext("%(num)s listed", "%(num)s listed", 1) == "名单%(num)s人"
    assert day_text(None, "en") == "–"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_text_from_outside_stays_text(language):
    shell = {"signed_in": False, "csrf": "", "path": "/", "message": None}
    evil = "<img src=x onerror=alert(1)>"
    page = render("problem", language, shell=shell, problem={"title": evil, "detail": evil})
    assert "<img" not in page
    assert environment(language).autoescape is True
