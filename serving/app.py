"""The whole service, top to bottom: its parts, its guard, its routes, its errors.

``create_app(home, settings)`` is all there is to it; ``dropout-risk serve`` runs it under uvicorn.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.concurrency import run_in_threadpool

from risk_model.home import Home
from risk_model.settings import Settings, load_settings
from serving.api import care, lists, registry, scoring, students, units
from serving.audit.client import AuditClient
from serving.database import connect, upgrade, url_of
from serving.hot_model import HotModel
from serving.pages import answering, routes
from serving.web import docs, health, signing_in
from serving.web.guard import guard
from serving.web.oidc import demand_configured
from serving.web.policy import demand_policies
from serving.web.problems import install_problems
from serving.web.service import Audit, Service, now
from serving.web.shell import Shell
from serving.web.variables import CONFIG, HOME

ABOUT = (
    "Ranked, explained lists of pupils at risk of leaving school, for those who may see them. A score is "
    "advice: nothing happens to a pupil automatically. Machines send 'Authorization: Bearer …' with a token "
    "of 'dropout-risk tokens'; every look at a pupil is written down before it is answered."
)

LOOK_AT_LAKE_SECONDS = 10.0


def create_app(
    home: Home,
    settings: Settings,
    audit: Audit | None = None,
    clock: Callable[[], datetime] = now,
) -> FastAPI:
    """The service over the lists of ``home``.

    ``audit`` writes down who looked at whom; without one the writer that ``serve`` started does.

    Raises
    ------
    PolicyError
        A route does not say who may call it.
    MissingError
        A provider for signing in is half configured.
    """
    demand_configured(settings.service)
    engine = connect(url_of(home, settings))
    upgrade(engine, home)
    service = Service(home, settings, engine, HotModel(home), audit or AuditClient(home, settings), clock)

    @asynccontextmanager
    async def until_stopped(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.model.warm)
        looking = asyncio.create_task(_let_registers_go(service))
        yield
        looking.cancel()
        service.registers.close()
        engine.dispose()

    app = FastAPI(
        title="dropout-risk",
        description=ABOUT,
        version="1",
        dependencies=[Depends(guard, scope="function")],  # before every route, whoever adds it
        lifespan=until_stopped,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.service = service
    for part in (routes, lists, students, care, units, scoring, registry, signing_in, health, docs):
        app.include_router(part.router)
    app.state.problem_page, app.state.form_page = answering.problem_page, answering.form_page
    install_problems(app)
    app.add_middleware(Shell, settings=settings)
    demand_policies(app)
    return app


async def _let_registers_go(service: Service) -> None:
    """Keep no older state of the lake open than need be, although nobody asks for a pupil."""
    while True:
        await asyncio.sleep(LOOK_AT_LAKE_SECONDS)
        await run_in_threadpool(service.registers.let_go_unused)


def app_of_worker() -> FastAPI:
    """The service of one worker process of ``serve``."""
    return create_app(Home(Path(os.environ[HOME])), load_settings(Path(os.environ[CONFIG])))
