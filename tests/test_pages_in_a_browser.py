"""The pages in a real browser: with and without a mouse, a script, a large screen or a network beyond."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe

from serving.pages.published import published_scores
from serving.tables import Score
from tests.pages_browser import DESK, PHONE, RULES, sign_in
from tests.pages_rig import PASSWORD, name_of

pytestmark = pytest.mark.slow


def paths(service):
    places = service.places
    pupil = service.listed(places.school)[0]
    school = quote(places.school, safe="")
    return {
        "home": "/", "unit": f"/units/{school}", "list": f"/units/{school}/list", "pupil": f"/pupils/{pupil}",
        "print": f"/pupils/{pupil}/print", "pack": f"/units/{school}/pack",
        "what-if": f"/pupils/{pupil}/what-if?feature=absence_30&value=0",
    }  # fmt: skip


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_pages_fit_and_are_clean_for_a_screen_reader_in_both_languages(service, opened, viewport):
    page = opened(viewport, "principal")
    found = {}
    for language in ("English", "中文"):
        if language == "中文":
            page.get_by_role("button", name="中文").click()
        for name, path in paths(service).items():
            page.goto(path)
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], (
                name,
                language,
            )
            told = (
                Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
            )
            if told:
                found[name, language] = [(one["id"], one["nodes"][0]["html"][:120]) for one in told]
    assert found == {}


def test_sign_in_models_figures_and_problems_are_clean_too(service, opened):
    page = opened(PHONE)
    figures = f"/units/{quote(service.places.county, safe='')}/figures"
    for path in ("/sign-in", "/sign-in?language=zh", "/models", figures, "/nothing-here"):
        if path == "/models":
            sign_in(page, "scientist")
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        told = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
        assert told == [], path


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_administrators_page_is_clean_and_ends_sessions(service, opened, viewport):
    page = opened(viewport)
    sign_in(page, "keeper")
    assert page.get_by_role("heading", level=1, name="Accounts").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    told = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
    assert told == []
    service.session("neighbour")
    page.goto("/accounts?q=neighbour")
    page.get_by_role("button", name="End sessions: neighbour").click()
    page.goto("/accounts?q=neighbour")
    assert page.get_by_role("button", name="End sessions: neighbour").count() == 0


def test_care_from_assignment_to_closing_without_any_script(service, opened):
    """Scripts are switched off, as in the whole service: forms and links do it all, on a phone."""
    pupil = service.listed(service.places.school)[-2]
    page = opened(PHONE, "principal", java_script_enabled=False)
    page.goto(paths(service)["list"])
    page.get_by_role("link", name=name_of(pupil), exact=True).first.click()
    page.get_by_label("Assign to").select_option(label="陈老师")
    page.get_by_role("button", name="Begin care").click()
    assert page.get_by_text("assigned to").first.is_visible()
    page.get_by_text("Make a plan").click()
    page.get_by_role("button", name="Save the plan").click()
    page.get_by_text("Write down a contact").click()
    page.get_by_label("With whom").fill("Mother")
    page.get_by_label("What was agreed").fill("He comes on Monday")
    page.get_by_role("button", name="Save the contact").click()
    page.get_by_text("Close the case").click()
    assert page.get_by_text("Write a review first").is_visible()
    page.get_by_text("Review the reasons").click()
    page.get_by_label("the reasons are right").check()
    page.get_by_role("button", name="Save the review").click()
    page.get_by_text("Close the case").click()
    page.get_by_role("button", name="Close it").click()
    assert page.get_by_text("The last case was closed.").is_visible()
    page.goto(f"{paths(service)['list']}?care=none")
    assert page.locator(f'a[href="/pupils/{pupil}"]').count() == 0, "followed up"
    page.goto(f"{paths(service)['list']}?care=closed")
    assert page.locator(f'a[href="/pupils/{pupil}"]').count() == 1


def test_the_whole_way_by_keyboard_alone(service, opened):
    page = opened(DESK)
    page.goto("/sign-in")
    _tab_to(page, "Login")
    page.keyboard.type("principal")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    first = page.locator("ol.rows a").first.text_content()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == first
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline != "0px", "where one is can be seen"
    page.keyboard.press("Enter")
    page.wait_for_url("**/pupils/*")
    _tab_to(page, "New value (a share as 5 %; yes or no)")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    page.wait_for_url("**/what-if**")
    assert page.get_by_text("The risk would be").is_visible()


def _tab_to(page, label):
    named = f"document.activeElement.labels?.[0]?.innerText.startsWith({label!r})"
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(named):
            return
    raise AssertionError(f"{label} cannot be reached by keyboard")


def test_the_language_is_switched_and_kept(service, opened):
    page = opened(PHONE, "principal")
    page.get_by_role("button", name="中文").click()
    assert "学生需要关注" in page.get_by_role("heading", level=1).text_content()
    page.goto(paths(service)["pupil"])
    assert page.get_by_role("heading", name="为什么是这名学生").is_visible()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.get_by_role("button", name="English").click()
    assert page.get_by_role("heading", name="Why this pupil").is_visible()


def test_paper_shows_the_pupil_and_not_the_forms(service, opened):
    page = opened(DESK, "principal")
    page.emulate_media(media="print")
    for name in ("print", "pack", "pupil"):
        page.goto(paths(service)[name])
        assert page.locator("main").is_visible()
        assert not page.locator("header.top").is_visible()
        assert not any(button.is_visible() for button in page.get_by_role("button").all()), name
        assert page.pdf(format="A4")[:4] == b"%PDF"


def test_signing_out_closes_the_door_behind(service, opened):
    page = opened(DESK, "principal")
    pupil = paths(service)["pupil"]
    page.goto(pupil)
    page.get_by_role("button", name="Sign out").click()
    page.goto(pupil)
    assert "/sign-in" in page.url


def test_more_than_half_a_class(service, opened):
    """The banner is on the list of the class before its pupils, and leads to the class."""
    key = service.places.own_class.partition(":")[2]
    with service.by_hand() as connection:
        kept = connection.execute(
            published_scores(Score.run, Score.student_id).where(Score.class_key == key, Score.listed)
        ).all()
        connection.execute(Score.__table__.update().where(Score.class_key == key).values(listed=True))
    page = opened(PHONE, "chen")
    page.goto(f"/units/{quote(service.places.own_class, safe='')}/list")
    page.get_by_role("link", name="Overview of class").click()
    assert page.get_by_role("heading", name="Follow-up").is_visible()
    with service.by_hand() as connection:
        table = Score.__table__
        connection.execute(table.update().where(table.c.class_key == key).values(listed=False))
        for run, student in kept:
            mine = (table.c.run == run) & (table.c.student_id == student)
            connection.execute(table.update().where(mine).values(listed=True))
