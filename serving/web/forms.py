"""The plain forms of signing in and changing a password, where no pages of the house are wired.

``app.state.form_page(request, name, **content)`` takes their place: ``name`` is ``sign_in`` or ``password``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from serving.web.language import language_of

if TYPE_CHECKING:
    from jinja2 import Environment

SAID = {
    "en": {
        "sign_in": "Sign in",
        "login": "Login",
        "password": "Password",
        "oidc": "Sign in with the office's account",
        "change": "Change password",
        "now": "Password so far",
        "new": "New password",
        "again": "New password, again",
        "refused": "Login or password are wrong, or the account is closed.",
        "recorded": "This service shows data of minors. Every look is recorded.",
    },
    "zh": {
        "sign_in": "登录",
        "login": "账号",
        "password": "密码",
        "oidc": "使用单位账号登录",
        "change": "修改密码",
        "now": "当前密码",
        "new": "新密码",
        "again": "再次输入新密码",
        "refused": "账号或密码错误，或账号已停用。",
        "recorded": "本服务显示未成年人数据，每次查看都会被记录。",
    },
}
PAGE = """<!doctype html><html lang="{{ language }}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ said[title] }}</title>
<main><h1>{{ said[title] }}</h1>{% if refused %}<p role="alert">{{ refused }}</p>{% endif %}
<form method="post" action="{{ action }}"><input type="hidden" name="csrf" value="{{ csrf }}">
{% if name == "sign_in" %}<input type="hidden" name="next" value="{{ next }}">
<p><label>{{ said.login }} <input name="login" autocomplete="username" required maxlength="200"></label></p>
<p><label>{{ said.password }} <input type="password" name="password" autocomplete="current-password" required
 maxlength="256"></label></p>{% else %}
<p><label>{{ said.now }} <input type="password" name="password" autocomplete="current-password" required
 maxlength="256"></label></p>
<p><label>{{ said.new }} <input type="password" name="new" autocomplete="new-password" required minlength="10"
 maxlength="256"></label></p>
<p><label>{{ said.again }} <input type="password" name="again" autocomplete="new-password" required
 minlength="10" maxlength="256"></label></p>{% endif %}
<p><button>{{ said[title] }}</button></p></form>
{% if oidc %}<p><a href="/sign-in?provider=oidc&amp;next={{ next|urlencode }}">{{ said.oidc }}</a></p>
{% endif %}
<p>{{ said.recorded }}</p></main></html>"""


def form_page(request: Request, name: str, *, status: int = 200, **content: Any) -> Response:
    """The form; of the house's pages if there are any."""
    of_house = getattr(request.app.state, "form_page", None)
    if of_house is not None:
        found: Response = of_house(request, name, status=status, **content)
        return found
    language = language_of(request)
    title, action = ("sign_in", "/sign-in") if name == "sign_in" else ("change", "/password")
    words = {"title": title, "action": action, "language": language, "said": SAID[language]}
    content = {"next": "/", "oidc": False, "refused": None, **content, **words}
    page = _environment().from_string(PAGE)
    told = page.render(name=name, **content)
    return HTMLResponse(told, status)


def refusal(request: Request) -> str:
    """What is said when nobody was signed in; the same whatever was wrong."""
    return SAID[language_of(request)]["refused"]


@cache
def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined

    return Environment(autoescape=True, undefined=StrictUndefined)
