"""The container engine as the control half sees it: requests to whoever speaks with it.

In the daemon that is the docker worker; in ``operatord recover``, which has no workers, the same code in a thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from operator_protocol.errors import BadRequest, Conflict

_COMMAND_S = 40.0


class Engine(Protocol):
    """Takes the requests of ``operatord.workers.docker``."""

    async def open(self, spec: Mapping[str, Any]) -> None:
        """From here on about this project; returns when the engine was found, or found missing."""

    async def ask(self, cmd: str, args: Mapping[str, Any], *, timeout_s: float = _COMMAND_S) -> Mapping[str, Any]:
        """Do it. Raises the typed error of the engine, ``Unavailable`` and ``DeadlineExceeded``."""


class NoEngine:
    """Of a cluster that is only attached to: its servers are in no containers of ours."""

    async def open(self, spec: Mapping[str, Any]) -> None:
        """There is none."""
        raise BadRequest("an attached cluster has no containers of ours")

    async def ask(self, cmd: str, args: Mapping[str, Any], *, timeout_s: float = _COMMAND_S) -> Mapping[str, Any]:
        """There is none."""
        raise BadRequest("an attached cluster has no containers of ours")


@dataclass(frozen=True, slots=True)
class Attachment:
    """How a container hangs on a network."""

    network: str
    address: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command beside a container ended."""

    code: int
    output: str
    error: str

    @property
    def complaint(self) -> str:
        """What it said when it failed, in one line."""
        lines = [line.strip() for line in (self.error or self.output).splitlines() if line.strip()]
        return lines[-1] if lines else f"status {self.code}"


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of a container."""

    name: str
    at: str
    """Where it is mounted."""
    options: Mapping[str, str]
    """Of its driver."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the engine says of one container."""

    state: str
    """As Docker words it: running, paused, exited, created, restarting, …"""
    id: str
    cpu_quota: int
    """Microseconds in each 100 ms; 0 and -1 are no limit."""


class Containers:
    """The containers of a project by service; each call returns when the engine has done it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def up(self, services: Sequence[str], *, timeout_s: float) -> None:
        """Create and start, until all are healthy."""
        await self.engine.ask("up", {"services": list(services), "timeout_s": timeout_s}, timeout_s=timeout_s + 5.0)

    async def down(self, *, grace_s: float) -> None:
        """Remove containers, network and data."""
        within_s = _COMMAND_S + grace_s
        args = {"volumes": True, "grace_s": grace_s, "timeout_s": within_s}
        await self.engine.ask("down", args, timeout_s=within_s + 5.0)

    async def require_compose(self) -> None:
        """Raises ``Unavailable`` when the compose plugin is missing."""
        await self.engine.ask("compose", {})

    async def beside(self, name: str, image: str, command: Sequence[str], where: str = "network") -> Ended:
        """Run the command in a helper container that shares the network or the volumes of this one.

        Raises ``Unavailable`` without the image, or the program in it. A command that fails is no error.
        """
        args = {"service": name, "image": image, "command": list(command), "where": where}
        found = await self.engine.ask("beside", args)
        return Ended(int(found["code"]), str(found["output"]), str(found["error"]))

    async def helpers(self, *, remove: bool = False) -> list[str]:
        """Helper containers that are there; with ``remove`` those that did not run, and are removed now."""
        return [str(one) for one in (await self.engine.ask("helpers", {"remove": remove})).get("ids") or []]

    async def volumes(self, name: str) -> list[Volume]:
        """Those of its container."""
        found = (await self.engine.ask("volumes", {"service": name})).get("volumes") or []
        return [
            Volume(
                str(one["name"]),
                str(one["at"]),
                {str(key): str(value) for key, value in (one["options"] or {}).items()},
            )
            for one in found
        ]

    async def states(self) -> dict[str, str]:
        """A fresh look: the state of each container by its service."""
        found = (await self.engine.ask("ps", {})).get("containers")
        return {str(name): str(about.get("state")) for name, about in (found or {}).items()}

    async def inspect(self, name: str) -> Inspected:
        """Raises ``NotFound``."""
        found = await self.engine.ask("inspect", {"service": name})
        quota = found.get("cpu_quota")
        return Inspected(str(found.get("state")), str(found.get("id") or ""), quota if isinstance(quota, int) else 0)

    async def kill(self, name: str) -> None:
        """SIGKILL."""
        await self.engine.ask("kill", {"service": name, "signal": "KILL"})

    async def stop(self, name: str, *, grace_s: float = 10.0) -> None:
        """TERM, then KILL."""
        await self.engine.ask("stop", {"service": name, "grace_s": grace_s}, timeout_s=_COMMAND_S + grace_s)

    async def start(self, name: str) -> None:
        """Running is success."""
        await self.engine.ask("start", {"service": name})

    async def restart(self, name: str, *, grace_s: float = 10.0) -> None:
        """Stop and start."""
        await self.engine.ask("restart", {"service": name, "grace_s": grace_s}, timeout_s=_COMMAND_S + grace_s)

    async def pause(self, name: str) -> None:
        """Freeze it."""
        await self.engine.ask("pause", {"service": name})

    async def unpause(self, name: str) -> None:
        """Let it go on."""
        await self.engine.ask("unpause", {"service": name})

    async def limit_cpu(self, name: str, quota: int) -> None:
        """Microseconds in each 100 ms; -1 for as much as there is."""
        await self.engine.ask("update_cpu", {"service": name, "quota": quota})

    async def attachment(self, name: str) -> Attachment | None:
        """None when it is cut off."""
        try:
            found = await self.engine.ask("attachment", {"service": name})
        except Conflict:
            return None
        aliases = found.get("aliases") or []
        return Attachment(str(found["network"]), str(found["address"]), tuple(str(alias) for alias in aliases))

    async def disconnect(self, name: str) -> None:
        """Cut it off."""
        await self.engine.ask("disconnect", {"service": name})

    async def connect(self, name: str, there: Attachment) -> None:
        """Bring it back with its address and all its names."""
        args = {"service": name, "network": there.network, "address": there.address, "aliases": list(there.aliases)}
        await self.engine.ask("connect", args)

    async def bring_back(self, name: str) -> str:
        """Started if it does not run, woken if it is paused; returns what was done, empty when nothing had to be."""
        state = (await self.inspect(name)).state
        if state == "paused":
            await self.unpause(name)
            return "resumed"
        if state not in ("running", "restarting"):
            await self.start(name)
            return "started"
        return ""
