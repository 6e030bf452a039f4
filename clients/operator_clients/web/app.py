"""The gateway as one ASGI application: routers, the guard before them, and what runs beside them."""

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version

from fastapi import Depends, FastAPI

from operator_clients.web.commands import Doorkeeper, commands_router
from operator_clients.web.daemons import Daemons
from operator_clients.web.devops import devops_router
from operator_clients.web.errors import install_handlers, responses
from operator_clients.web.health import health_router
from operator_clients.web.live import live_router
from operator_clients.web.metrics import Figures, metrics_router
from operator_clients.web.pages import add_pages
from operator_clients.web.parameters import refuse_unknown
from operator_clients.web.security.guard import Guard
from operator_clients.web.security.token import TokenKeeper
from operator_clients.web.settings import Settings
from operator_clients.web.sources import area_routers

OPENAPI_URL = "/api/openapi.json"
_EVERYWHERE = (403, 421, 422, 429)
"""What may be the answer on any route: the guard stands before it, and no query may name what it does not take."""


def create_app(settings: Settings) -> FastAPI:
    """The application. It follows its daemons from the start of its lifespan to the end."""
    daemons = Daemons(settings.daemons)
    doorkeeper = Doorkeeper(settings, TokenKeeper(settings.token_file))
    figures = Figures(daemons)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(daemons.running())
            yield

    app = FastAPI(
        title="Operator console",
        version=version("operatord"),
        summary="What an operator daemon sees and does, for browsers and programs.",
        lifespan=lifespan,
        openapi_url=OPENAPI_URL,
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        responses=responses(*_EVERYWHERE),
        dependencies=[Depends(refuse_unknown)],
    )
    app.state.daemons = daemons
    install_handlers(app)
    app.add_middleware(Guard, settings=settings, answered=figures.requested)
    app.include_router(live_router(daemons, settings))
    app.include_router(commands_router(daemons, doorkeeper))
    app.include_router(devops_router(daemons))
    for router in area_routers(settings):
        app.include_router(router)
    app.include_router(health_router(daemons))
    app.include_router(metrics_router(figures))
    add_pages(app, settings.static_dir)
    return app
