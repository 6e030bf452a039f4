"""What changes something: commands to a daemon, for who shows the control token."""

import shlex
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from operator_clients.web.answers import Done, answer
from operator_clients.web.daemons import Daemons
from operator_clients.web.errors import ApiError, responses
from operator_clients.web.live import DaemonName
from operator_clients.web.security.rates import RateLimit
from operator_clients.web.security.token import ROTATE, TokenKeeper
from operator_clients.web.settings import CONTROL_FILE, Settings, default_state_dir

_CHAPTER_DEADLINE_S = 30.0
"""Leaving a chapter backwards may undo a fault first."""
_LONG_DEADLINE_S = 180.0
"""A fault, its verified recovery, and an action that is executed and checked."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="operator"'}
_BEARER = HTTPBearer(
    auto_error=False, scheme_name="controlToken", description="The control token: `operator-web token show`."
)
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
ActionId = Annotated[int, Path(ge=1, le=2**53)]
Scalar = str | int | float | bool | None


def _whole(value: object) -> object:
    """JSON knows one kind of number: ``3.0`` is as good as ``3``."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Index = Annotated[
    int,
    BeforeValidator(_whole),
    Field(ge=0, le=1_000),
    # Behind a function of ours pydantic forgets the names that JSON Schema has for bounds.
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 1_000}),
]


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class GotoOrder(_Order):
    """Which chapter."""

    chapter: _Index | Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="Its index from 0, its title, or the beginning of it."
    )


class FaultOrder(_Order):
    """Which fault, and where."""

    kind: str = Field("kill", min_length=1, max_length=64)
    target: str | None = Field(None, max_length=200, description="A node, a role, or `random`.")
    params: dict[Annotated[str, Field(max_length=64)], Scalar] = Field(default={}, max_length=50)
    countdown: float | None = Field(None, ge=0, le=3_600)


class RecoverOrder(_Order):
    """Which fault to undo; all that is owed if left out."""

    id: str | None = Field(None, max_length=128)


class RejectOrder(_Order):
    """Why not."""

    reason: str = Field("", max_length=300)


class Doorkeeper:
    """Lets through who shows the token, and slows down who guesses."""

    def __init__(self, settings: Settings, token: TokenKeeper) -> None:
        limits = settings.limits
        self._read_only = settings.read_only
        self._token = token
        # The console of a daemon with a state directory of its own has its token there, where nobody would look.
        usual = token.path == default_state_dir() / CONTROL_FILE
        self._rotate = ROTATE if usual else f"{ROTATE} --token-file {shlex.quote(str(token.path))}"
        self._failures = RateLimit(limits.failures_per_min / 60, max(1, int(limits.failures_per_min / 3)))
        self._commands = RateLimit(limits.commands_per_s, limits.commands_burst)

    async def __call__(self, request: Request, shown: Shown) -> None:
        """Raise ``ApiError`` 401, 403 or 429 for who may not."""
        client = request.client.host if request.client else ""
        if self._read_only:
            raise ApiError(403, "read_only", "this gateway only shows", "it was started with --read-only")
        if self._failures.wait(client) > 0:
            raise ApiError(429, "too_many_requests", "too many wrong tokens", "wait a minute")
        verdict = self._token.judge(shown.credentials) if shown is not None else "missing"
        if verdict != "right":
            if verdict == "wrong":
                self._failures.take(client)
            hint = f"rotate it with: {self._rotate}" if verdict == "expired" else "operator-web token show has it"
            raise ApiError(401, f"token_{verdict}", f"the control token is {verdict}", hint, _CHALLENGE)
        if (wait_s := self._commands.take(client)) > 0:
            headers = {"Retry-After": str(int(wait_s) + 1)}
            raise ApiError(429, "too_many_requests", "too many commands at once", "", headers)


def commands_router(daemons: Daemons, doorkeeper: Doorkeeper) -> APIRouter:
    """The routes that change something."""
    router = APIRouter(
        prefix="/api",
        tags=["control"],
        dependencies=[Depends(doorkeeper)],
        responses=responses(400, 401, 403, 404, 409, 413, 422, 501, 502, 503, 504),
    )

    async def perform(daemon: str | None, cmd: str, args: dict[str, Any], deadline_s: float) -> Response:
        chosen = daemons.choose(daemon)
        if not chosen.takes_commands:
            raise ApiError(403, "unauthorized", f"the key for {chosen.name} may only read", "use one that may control")
        return answer({"ok": True, "result": await chosen.perform(cmd, args, deadline_s=deadline_s)})

    @router.post("/session", status_code=204, response_class=Response)
    async def session() -> None:
        """Whether the token is right: 204, or 401."""

    @router.post("/demo/goto", response_model=Done)
    async def goto(order: GotoOrder, daemon: DaemonName = None) -> Response:
        """Go to a chapter."""
        return await perform(daemon, "goto", {"chapter": order.chapter}, _CHAPTER_DEADLINE_S)

    @router.post("/demo/{move}", response_model=Done)
    async def move(move: Literal["next", "previous"], daemon: DaemonName = None) -> Response:
        """Go on to the next chapter, or back one."""
        return await perform(daemon, move, {}, _CHAPTER_DEADLINE_S)

    @router.post("/faults", response_model=Done)
    async def fault(order: FaultOrder, daemon: DaemonName = None) -> Response:
        """Inject a fault after its countdown; answers once it is in force."""
        return await perform(daemon, "fault", order.model_dump(), _LONG_DEADLINE_S)

    @router.post("/faults/recover", response_model=Done)
    async def recover(order: RecoverOrder | None = None, daemon: DaemonName = None) -> Response:
        """Undo one fault, or all that are owed; answers once that is verified."""
        return await perform(daemon, "recover", {"id": order.id if order else None}, _LONG_DEADLINE_S)

    @router.post("/actions/{id}/approve", response_model=Done)
    async def approve(id: ActionId, daemon: DaemonName = None) -> Response:  # noqa: A002 -- the name in the address
        """Approve a proposed action; answers once it is over and checked."""
        return await perform(daemon, "approve", {"id": id}, _LONG_DEADLINE_S)

    @router.post("/actions/{id}/reject", response_model=Done)
    async def reject(id: ActionId, order: RejectOrder | None = None, daemon: DaemonName = None) -> Response:  # noqa: A002
        """Reject a proposed action."""
        return await perform(daemon, "reject", {"id": id, "reason": order.reason if order else ""}, _CHAPTER_DEADLINE_S)

    return router
