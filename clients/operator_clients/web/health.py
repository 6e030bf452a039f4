"""For who runs the gateway: is it alive, and is it of use.

A probe calls it by whatever address it has (a kubelet by that of the pod), so these two are answered under any Host.
They say yes or no and nothing else, because a page of another site may be what asks.
"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from operator_clients.web.daemons import Daemons
from operator_clients.web.errors import ApiError, responses

PROBES = ("/healthz", "/readyz")


class Alive(BaseModel):
    """``GET /healthz``."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """``GET /readyz``."""

    status: Literal["ready"] = "ready"


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
        if not any(daemon.connection == "live" for daemon in daemons):
            raise ApiError(503, "not_ready", "no daemon answers", "start one with: operatord start")
        return Ready()

    return router
