"""For who runs the gateway: is it alive, and is it of use."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from operator_clients.web.daemons import Daemons
from operator_clients.web.errors import ApiError, responses


class Alive(BaseModel):
    """``GET /healthz``."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """``GET /readyz``."""

    status: Literal["ready"] = "ready"
    live: list[str]


def health_router(daemons: Daemons) -> APIRouter:
    """``/healthz`` and ``/readyz``."""
    router = APIRouter(tags=["operation"])

    @router.get("/healthz")
    async def alive() -> Alive:
        """The process answers."""
        return Alive()

    @router.get("/readyz", responses=responses(503))
    async def ready() -> Ready:
        """It follows a daemon that is live."""
        live = [daemon.name for daemon in daemons if daemon.connection == "live"]
        if not live:
            raise ApiError(503, "not_ready", "no daemon answers", "start one with: operatord start")
        return Ready(live=live)

    return router
