"""What must be done in a hurry or seldom, in a real browser without a mouse, on a phone and at a desk."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import select, update

from serving.accounts.tables import Account
from tests.pages_browser import DESK, PHONE, RULES
from tests.pages_rig import PASSWORD

pytestmark = pytest.mark.slow
SIZES = pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
CHOSEN = "lamp-river-stone-8"


@pytest.fixture
def first_password(service):
    """Wu's password was made by the office; afterwards everything is as it was."""
    mine = Account.login == "wu"
    with service.engine.begin() as connection:
        kept = connection.execute(select(Account.password).where(mine)).scalar_one()
        connection.execute(update(Account).where(mine).values(must_change=True))
    yield
    with service.engine.begin() as connection:
        connection.execute(update(Account).where(mine).values(must_change=False, password=kept))


def typed(page, *steps):
    """Tab from where one is to each control of this label or text, and type into it; none presses Enter."""
    for name, text in steps:
        for _ in range(120):
            page.keyboard.press("Tab")
            if page.evaluate(NAMED, name):
                break
        else:
            raise AssertionError(f"{name} cannot be reached by keyboard")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert outline != "0px", f"it is not seen that one is at {name}"
        if text is None:
            page.keyboard.press("Enter")
        else:
            page.keyboard.type(text)


NAMED = """name => {
    const at = document.activeElement, told = at.labels?.length ? at.labels[0].innerText : at.innerText;
    return (told || "").trim().startsWith(name);
}"""


def demand_fit_and_clean(page, viewport):
    """Nothing to scroll sideways, nothing a screen reader stumbles over, once the page is whole."""
    page.wait_for_load_state("load")  # what is read as soon as a text appears may not have its stylesheet yet
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    told = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in told] == []


@SIZES
def test_a_first_password_is_changed_before_anything_is_seen(first_password, opened, viewport):
    page = opened(viewport, "wu")
    assert page.url.endswith("/password")
    page.goto("/")
    assert page.url.endswith("/password"), "wherever one goes"
    demand_fit_and_clean(page, viewport)
    typed(
        page, ("Password so far", PASSWORD), ("New password", CHOSEN), ("New password, again", "lamp-river-9")
    )
    page.keyboard.press("Enter")
    assert page.get_by_role("alert").text_content() == (
        "The new password was not typed the same twice; type it again."
    )
    page.get_by_role("button", name="中文").click()
    assert page.get_by_role("heading", name="修改密码").is_visible()
    page.get_by_role("button", name="English").click()
    typed(page, ("Password so far", PASSWORD), ("New password", CHOSEN), ("New password, again", CHOSEN))
    page.keyboard.press("Enter")
    page.wait_for_url("**/")
    assert page.get_by_role("heading", name="Your units").is_visible()


@SIZES
def test_the_glass_is_broken_and_it_is_seen_until_when(service, opened, viewport):
    service.mend_glass()
    pupil = service.listed(service.places.school)[0 if viewport is PHONE else 1]
    page = opened(viewport, "neighbour")
    page.goto("/")
    typed(page, ("See a pupil of another unit in an emergency", None))
    page.wait_for_url("**/break-glass")
    demand_fit_and_clean(page, viewport)
    why = "He sits in our office and nobody answers at home."
    typed(
        page, ("Number of the pupil, exactly", "G000"), ("Why it cannot wait", why), ("Open the page", None)
    )
    assert page.get_by_role("alert").text_content() == "There is no pupil of this number. Type it exactly."
    assert page.get_by_label("Why it cannot wait").input_value() == why
    typed(page, ("Number of the pupil, exactly", pupil), ("Open the page", None))
    page.wait_for_url(f"**/pupils/{pupil}")
    assert "Opened in an emergency, for you alone, until" in page.get_by_role("status").first.text_content()
    demand_fit_and_clean(page, viewport)
    colleague = opened(viewport, "principal")
    colleague.goto(f"/pupils/{pupil}")
    assert colleague.get_by_text(f"马校长: {why}").is_visible()


@SIZES
def test_an_objection_is_answered_and_a_worry_taken_back(service, opened, viewport):
    pupil = service.listed(service.places.school)[0 if viewport is PHONE else 1]
    principal = service.reader("principal")
    principal.post(f"/pupils/{pupil}/objection", fact="absence_30", text="He was ill that week")
    principal.post(f"/pupils/{pupil}/nomination", why="He has grown silent")
    page = opened(viewport, "principal")
    page.goto(f"/pupils/{pupil}")
    assert page.get_by_text("objection: open").first.is_visible()
    typed(page, ("Answer this objection", None), ("upheld and put right", " "))
    typed(page, ("In a sentence", "The mark was a slip of the pen"), ("Answer", None))
    page.get_by_text("Answer: The mark was a slip of the pen").wait_for()
    assert page.get_by_text("objection: upheld and put right").first.is_visible()
    typed(
        page, ("Take this worry back", None), ("Why it is settled", "He laughs again"), ("Take it back", None)
    )
    page.get_by_text("Taken back by 李校长: He laughs again").wait_for()
    demand_fit_and_clean(page, viewport)
