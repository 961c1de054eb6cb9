"""Sessions: nothing planted before is worth anything, nothing copied after; and only our own forms count."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from serving.web.cookies import form_token
from serving.web.signing_in import own_place
from tests import cast
from tests.service_rig import ORIGIN, Caller, Rig, each_rig, rig_on_sqlite  # noqa: F401

MINUTES = timedelta(minutes=2)
BROWSER = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}


def cookies(response) -> dict[str, str]:
    """What an answer sets, with its attributes."""
    lines = response.headers.get_list("set-cookie")
    return {line.split("=", 1)[0]: line for line in lines}


def value(line: str) -> str:
    return line.split("=", 1)[1].split(";")[0]


def form(rig: Rig) -> tuple[str, str]:
    """The form's cookie and token, as a browser gets them."""
    rig.client.cookies.clear()
    got = rig.client.get("/sign-in", headers={"accept": "text/html"})
    cookie = value(cookies(got)["__Host-form"])
    [token] = re.findall(r'name="csrf" value="([0-9a-f]{64})"', got.text)
    assert token == form_token(cookie)
    return cookie, token


def sign_in(rig: Rig, login: str, password: str = cast.PASSWORD, session: str = "", **more):
    cookie, token = form(rig)
    rig.client.cookies.clear()
    sent = f"__Host-form={cookie}" + (f"; __Host-session={session}" if session else "")
    data = {"login": login, "password": password, "csrf": token, **more}
    headers = BROWSER | {"cookie": sent}
    return rig.client.post("/sign-in", data=data, headers=headers, follow_redirects=False)


@pytest.fixture(autouse=True)
def later(request: pytest.FixtureRequest) -> None:
    """Each test in a minute of its own, or the limit of sign-ins would be reached."""
    for name in ("rig", "sqlite_rig"):
        if name in request.fixturenames:
            clock = request.getfixturevalue(name).clock
            clock.at, clock.step = clock.at.replace(second=0) + MINUTES, timedelta(0)


def test_whoever_knows_the_password_gets_a_protected_cookie(rig: Rig) -> None:
    """A new opaque cookie: of this host alone, over https alone, out of reach of scripts."""
    got = sign_in(rig, "p-a", next="/units/school:A")
    assert got.status_code == 303
    line = cookies(got)["__Host-session"]
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(line.split("; "))
    assert "Domain" not in line
    session = value(line)
    assert Caller(rig.client, cookie=session).get("/api/v1/students/S-MEI").status_code == 200
    assert rig.audit.entries[-2].action == "sign_in"


@pytest.mark.parametrize("login", ["p-a", "nobody-of-this-name", "\x01", "' or 1=1 --"])
def test_one_refusal_for_all(sqlite_rig: Rig, login: str) -> None:
    """A wrong password and an unknown login are answered alike, and no cookie of a session is set."""
    got = sign_in(sqlite_rig, login, "a-wrong-password")
    assert got.status_code == 403
    assert "__Host-session" not in cookies(got)
    text = re.sub(r"[0-9a-f]{64}", "", got.text)
    assert text == re.sub(r"[0-9a-f]{64}", "", sign_in(sqlite_rig, "another", "a-wrong-password").text)


def test_a_planted_session_is_never_taken_up(rig: Rig) -> None:
    """Fixation: a session cookie planted before signing in is not the one that is valid after."""
    planted = "planted-planted-planted-planted"
    session = value(cookies(sign_in(rig, "p-a", session=planted))["__Host-session"])
    assert session != planted
    assert Caller(rig.client, cookie=planted).get("/api/v1/students/S-MEI").status_code == 401


def test_a_copied_cookie_is_worth_nothing_after_signing_out(rig: Rig) -> None:
    """Replay: the session ends in the database, not in the browser alone."""
    caller = rig.signed_in("T-CHEN")
    assert caller.get("/api/v1/students/S-MEI").status_code == 200
    out = caller.post("/sign-out")
    assert out.status_code == 303
    assert "Max-Age=0" in cookies(out)["__Host-session"]
    assert caller.get("/api/v1/students/S-MEI").status_code == 401


def test_another_password_ends_all_sessions(sqlite_rig: Rig) -> None:
    """And begins a new one; the password so far is demanded, and its wrong guesses are few a minute."""
    one, other = sqlite_rig.signed_in("O-T1"), sqlite_rig.signed_in("O-T1")
    assert change(one, "blue-lamp-river-9", password="wrong-wrong").status_code == 403
    assert change(one, "short").status_code == 422
    changed = change(one, "blue-lamp-river-9")
    assert changed.status_code == 303
    session = Caller(sqlite_rig.client, cookie=value(cookies(changed)["__Host-session"]))
    assert session.get("/password").status_code == 200
    assert [caller.get("/password").status_code for caller in (one, other)] == [401, 401]
    assert [entry.action for entry in sqlite_rig.audit.entries[-2:]] == ["password", "sign_in"]
    tries = [change(session, "y", password="x").status_code for _ in range(6)]
    assert tries[-1] == 429


def change(caller: Caller, new: str, *, again: str | None = None, password: str = cast.PASSWORD, **more):
    """Ask for another password."""
    told = {"password": password, "new": new, "again": new if again is None else again}
    return caller.post("/password", data=told, **more)


@pytest.mark.parametrize(
    ("new", "again", "said"),
    [
        ("blue-lamp", None, "密码须为10至256个字符"),
        ("abababababab", None, "密码至少含5个不同字符"),
        ("my-p-a-river-stone", None, "密码中含有账号"),
        ("blue-lamp-river-9", "blue-lamp-river-8", "两次输入的新密码不一致"),
        ("blue-lamp-river-9", cast.PASSWORD, "两次输入的新密码不一致"),
    ],
)
def test_a_poor_password_is_refused_in_the_readers_language(sqlite_rig: Rig, new, again, said) -> None:
    """Short, monotonous, the login, mistyped: said in the form, in Chinese to Chinese readers."""
    headers = {"accept": "text/html", "accept-language": "zh"}
    got = change(sqlite_rig.signed_in("P-A"), new, again=again, headers=headers)
    assert got.status_code == 422
    assert said in got.text


def test_the_first_password_opens_nothing_but_the_choice_of_another(sqlite_rig: Rig) -> None:
    """Zhao's was made by the office: pages lead to the form, the API says so, and the same will not do."""
    zhao = sqlite_rig.signed_in("T-ZHAO")
    page = {"accept": "text/html"}
    for place in ("/", "/pupils/S-HAO", "/pupils/S-MEI", "/units/class:A:7B:2025/list"):
        got = zhao.get(place, headers=page)
        assert (got.status_code, got.headers["location"]) == (303, "/password")
    said = zhao.get("/api/v1/students/S-HAO")
    assert (said.status_code, said.json()["code"]) == (403, "change_password")
    assert said.headers["content-type"] == "application/problem+json"
    assert said.content == zhao.get("/api/v1/students/S-MEI").content
    form = zhao.get("/password", headers=page).text
    assert "Somebody else made the password" in form
    assert 'name="again"' in form
    assert change(zhao, cast.PASSWORD).status_code == 422
    changed = change(zhao, "blue-lamp-river-9")
    assert (changed.status_code, changed.headers["location"]) == (303, "/")
    own = Caller(sqlite_rig.client, cookie=value(cookies(changed)["__Host-session"]))
    assert own.get("/api/v1/students/S-HAO").status_code == 200
    assert "Somebody else made the password" not in own.get("/password", headers=page).text
    assert zhao.get("/password").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://[", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"x-csrf": "0" * 64},
        {"x-csrf": "é"},
    ],
)
def test_a_forged_form_changes_nothing(sqlite_rig: Rig, headers: dict[str, str]) -> None:
    """Cross-origin, from a neighbour's host, or with a guessed token: refused, and the session goes on."""
    caller = sqlite_rig.signed_in("T-CHEN")
    sent = {name: text.encode("latin-1") for name, text in headers.items()}
    assert caller.post("/sign-out", headers=sent).status_code == 403
    assert caller.get("/api/v1/students/S-MEI").status_code == 200


def test_a_form_without_origin_is_refused(sqlite_rig: Rig) -> None:
    """No browser of today sends a form without saying where it comes from."""
    caller = sqlite_rig.signed_in("T-CHEN")
    headers = {"cookie": f"__Host-session={caller.cookie}", "x-csrf": form_token(caller.cookie)}
    sqlite_rig.client.cookies.clear()
    assert sqlite_rig.client.post("/sign-out", headers=headers).status_code == 403


def test_the_sign_in_form_is_tied_to_its_browser(sqlite_rig: Rig) -> None:
    """A token shown to one browser does not sign another one in."""
    cookie, _ = form(sqlite_rig)
    _, token = form(sqlite_rig)
    data = {"login": "p-a", "password": cast.PASSWORD, "csrf": token}
    headers = BROWSER | {"cookie": f"__Host-form={cookie}"}
    sqlite_rig.client.cookies.clear()
    assert sqlite_rig.client.post("/sign-in", data=data, headers=headers).status_code == 403


def test_guesses_are_limited_by_login_and_by_address(rig: Rig) -> None:
    """Counted in the database, so all workers together let through so many and no more."""
    answers = [sign_in(rig, "o-k", f"guess-number-{n}").status_code for n in range(12)]
    assert answers == [403] * 10 + [429] * 2
    others = [sign_in(rig, f"login{n}", "guess-number-1").status_code for n in range(25)]
    assert others[-1] == 429
    rig.clock.at += MINUTES
    assert sign_in(rig, "o-k").status_code == 303


@pytest.mark.parametrize(
    "place",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\x0d\x0a", ""],
)
def test_nobody_is_sent_elsewhere_after_signing_in(place: str) -> None:
    """Whatever could lead to another host leads to the start page."""
    assert own_place(place) == "/"


def test_strangers_are_sent_to_sign_in_by_pages_and_told_by_the_api(sqlite_rig: Rig) -> None:
    """401 as a problem for programs, with the way to authenticate."""
    got = sqlite_rig.nobody.get("/api/v1/students/S-MEI")
    assert (got.status_code, got.headers["www-authenticate"]) == (401, "Bearer")
    assert got.headers["content-type"] == "application/problem+json"


def test_a_bad_token_is_no_way_around_by_cookie(sqlite_rig: Rig) -> None:
    """Where a token is sent, it counts, even beside a good cookie: no confusion between the two."""
    caller = sqlite_rig.signed_in("T-CHEN")
    for token in ("Bearer nonsense-nonsense-nonsense", "Basic dTpw", "Bearer \x7f", "Bearer"):
        assert caller.get("/api/v1/students/S-MEI", headers={"authorization": token}).status_code == 401


def test_a_session_in_use_goes_on_and_one_that_idles_ends(rig: Rig) -> None:
    """Two hours without a request are too many; requests put the end off, to twelve hours at most."""
    caller = rig.signed_in("T-CHEN")
    for _ in range(3):
        rig.clock.at += timedelta(minutes=90)
        assert caller.get("/api/v1/students/S-MEI").status_code == 200
    rig.clock.at += timedelta(minutes=121)
    assert caller.get("/api/v1/students/S-MEI").status_code == 401
