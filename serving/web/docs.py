"""``/docs`` and ``/openapi.json``: the API described, by a page that loads nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from serving.api import API
from serving.web.policy import static

if TYPE_CHECKING:
    from jinja2 import Environment

router = APIRouter(include_in_schema=False)
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ told.info.title }}: the API</title>
<main><h1>{{ told.info.title }}: the API</h1><p>{{ told.info.description }}</p>
<p><a href="/openapi.json">openapi.json</a></p>
<ul>{% for path, methods in told.paths.items() %}{% for method, one in methods.items() %}
<li><a href="#{{ one.operationId }}">{{ method|upper }} {{ path }}</a> – {{ one.summary }}</li>
{% endfor %}{% endfor %}</ul>
{% for path, methods in told.paths.items() %}{% for method, one in methods.items() %}
<section id="{{ one.operationId }}"><h2>{{ method|upper }} {{ path }}</h2><p>{{ one.description }}</p>
{% if one.parameters %}<h3>Parameters</h3><dl>{% for parameter in one.parameters %}
<dt><code>{{ parameter.name }}</code> ({{ parameter.in }}{{ ", required" if parameter.required }})</dt>
<dd>{{ parameter.description }} <code>{{ parameter.schema|tojson }}</code></dd>{% endfor %}</dl>{% endif %}
{% if one.requestBody %}<h3>Body</h3>
{% for media, body in one.requestBody.content.items() %}<p>{{ media }}</p>
<pre>{{ shape(body.schema)|tojson(2) }}</pre>{% endfor %}{% endif %}
<h3>Answers</h3><dl>{% for status, answer in one.responses.items() %}<dt>{{ status }}</dt>
<dd>{{ answer.description }}{% for body in (answer.content or {}).values() %}{% if "$ref" in body.schema %}
<pre>{{ shape(body.schema)|tojson(2) }}</pre>{% endif %}{% endfor %}</dd>{% endfor %}</dl></section>
{% endfor %}{% endfor %}</main></html>"""


@router.get("/openapi.json")
@static
def description(request: Request) -> Response:
    """The description as OpenAPI 3.1."""
    return JSONResponse(described(request.app))


@router.get("/docs")
@static
def documentation(request: Request) -> Response:
    """The same for people."""
    told = described(request.app)
    return HTMLResponse(
        _environment().from_string(PAGE).render(told=told, shape=lambda one: _shape(told, one))
    )


def described(app: FastAPI) -> dict[str, Any]:
    """The framework's description, and how callers say who they are."""
    told = app.openapi()
    told.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "Of 'dropout-risk tokens add'."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-session",
            "description": "Of /sign-in.",
        },
    }
    for path, methods in told["paths"].items():
        for operation in methods.values():
            operation["security"] = [{"token": []}, {"session": []}] if path.startswith(API) else []
    return told


def _shape(told: dict[str, Any], schema: Any, depth: int = 4) -> Any:
    """The schema with what it refers to put in its place."""
    if isinstance(schema, list):
        return [_shape(told, one, depth) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return _shape(told, told["components"]["schemas"][name], depth - 1) if depth else {"see": name}
    return {key: _shape(told, value, depth) for key, value in schema.items() if key != "title"}


@cache
def _environment() -> Environment:
    from jinja2 import Environment

    return Environment(autoescape=True)
