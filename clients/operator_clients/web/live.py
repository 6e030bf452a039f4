"""What is live: daemons, their state, the stream of their frames, tickets, faults, chapters. It changes nothing."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse

from operator_clients.web.answers import (
    ChapterList,
    DaemonList,
    FaultCatalogue,
    LiveState,
    TicketDetail,
    TicketPage,
    answer,
)
from operator_clients.web.daemons import Daemon, Daemons
from operator_clients.web.encoding import age_seconds
from operator_clients.web.errors import ApiError, responses
from operator_clients.web.settings import Settings

DaemonName = Annotated[
    str | None, Query(alias="daemon", max_length=64, description="Which daemon; the first if left out.")
]
TicketStatus = Annotated[str | None, Query(pattern="^(open|diagnosing|diagnosed|acting|resolved|escalated|held)$")]
TicketId = Annotated[int, Path(ge=1, le=2**53)]
_ACTIONS_SHOWN = 1_000


class EventStream(StreamingResponse):
    """Server-Sent Events."""

    media_type = "text/event-stream"


def live_router(daemons: Daemons, settings: Settings) -> APIRouter:
    """The routes that read."""
    router = APIRouter(prefix="/api", tags=["live"], responses=responses(404, 422))
    _add_state(router, daemons, settings)
    _add_tickets(router, daemons)
    return router


def _add_state(router: APIRouter, daemons: Daemons, settings: Settings) -> None:
    @router.get("/daemons", response_model=DaemonList)
    async def list_daemons() -> Response:
        """The daemons that this gateway follows, and how good each link is."""
        told = [_info(daemon) for daemon in daemons]
        return answer({"daemons": told, "control": not settings.read_only})

    @router.get("/state", response_model=LiveState)
    async def state(daemon: DaemonName = None) -> Response:
        """What one daemon last said, as collections (`docs/protocol.md`, State)."""
        return answer(state_document(daemons.choose(daemon)))

    @router.get("/stream", response_class=EventStream, responses=_STREAM_ANSWERS)
    async def stream(
        daemon: DaemonName = None,
        last_event_id: Annotated[str, Header(max_length=64, description="Where the tab left off.")] = "",
    ) -> Response:
        """Server-Sent Events: `snapshot`, then `frame`, `connection`, `changed`, and a `heartbeat` every 5 s."""
        chosen = daemons.choose(daemon)
        if sum(one.stream.tabs for one in daemons) >= settings.limits.streams:
            raise ApiError(503, "too_many_streams", "too many pages are open on this gateway", "close some of them")
        # A proxy that collects answers before it passes them on would hold a stream for ever.
        return EventStream(chosen.stream.follow(last_event_id), headers={"X-Accel-Buffering": "no"})

    @router.get("/chapters", response_model=ChapterList)
    async def chapters(daemon: DaemonName = None) -> Response:
        """The chapters of the story; the titles are those that were seen since the gateway started."""
        chosen = daemons.choose(daemon)
        return answer(chosen.chapters())


def _add_tickets(router: APIRouter, daemons: Daemons) -> None:
    down = responses(501, 502, 503, 504)

    @router.get("/tickets", response_model=TicketPage, responses=down)
    async def tickets(
        daemon: DaemonName = None,
        status: TicketStatus = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
        cursor: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    ) -> Response:
        """Tickets, newest first. `cursor` is the `nextCursor` of the page before."""
        result = await daemons.choose(daemon).perform("tickets", {"status": status, "limit": limit, "before": cursor})
        return answer({"tickets": result.get("tickets") or [], "nextCursor": result.get("next")})

    @router.get("/tickets/{id}", response_model=TicketDetail, responses=down)
    async def ticket(id: TicketId, daemon: DaemonName = None) -> Response:  # noqa: A002 -- the name in the address
        """One ticket with everything that was said of it."""
        chosen = daemons.choose(daemon)
        record = await chosen.perform("ticket", {"id": id, "history": True})
        actions = (await chosen.perform("actions", {"limit": _ACTIONS_SHOWN})).get("actions") or []
        return answer(
            {
                "ticket": record.get("ticket"),
                "violation": record.get("violation") or "",
                "history": record.get("history") or [],
                "actions": [action for action in actions if action.get("ticket") == id],
            }
        )

    @router.get("/faults/catalogue", response_model=FaultCatalogue, responses=down)
    async def faults(daemon: DaemonName = None) -> Response:
        """The faults that can be injected, with their parameters, and those that are owed."""
        result = await daemons.choose(daemon).perform("faults")
        return answer({"kinds": result.get("kinds") or [], "owed": result.get("owed") or []})


def state_document(daemon: Daemon) -> dict[str, Any]:
    """The state of one daemon, with how good the link is."""
    return {
        **daemon.state.to_wire(),
        "daemon": daemon.name,
        "connection": daemon.connection,
        "ageSeconds": age_seconds(daemon.age_s),
    }


def _info(daemon: Daemon) -> dict[str, Any]:
    version = daemon.state.version
    return {
        "name": daemon.name,
        "endpoint": daemon.endpoint.label,
        "connection": daemon.connection,
        "ageSeconds": age_seconds(daemon.age_s),
        "version": version.get("operatord", ""),
        "subject": version.get("subject", ""),
        "control": daemon.takes_commands,
    }


_STREAM_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events for as long as the page is open. Ids are opaque; `data` is JSON.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    **responses(503),
}
