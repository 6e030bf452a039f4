"""``latency``, ``bandwidth``, ``loss``: the network of one container, shaped from within its network namespace.

A short-lived helper container sets a queue, or rules, in that namespace and is gone; what it set stays until it is
undone, or until the container ends, since the namespace ends with it. The target itself needs neither tools nor rights,
and the engine may be on another host: nothing of this host's kernel is touched.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence

from operator_protocol.errors import Conflict, Unavailable
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.injectors.network import bandwidth, latency, loss
from operatord.injectors.network.common import BOTH, DIRECTION, IN, OUT, text
from operatord.isolation.faults import HANDLES, TABLE_PREFIX, table_of
from operatord.subjects.base import Observation
from operatord.subjects.tikv.engine import Ended
from operatord.subjects.tikv.faults.base import EVERY, Means, Memo, require_running

LATENCY, BANDWIDTH, LOSS = "latency", "bandwidth", "loss"

_LINK = "eth0"
"""Of the one network of a node; Docker gives a container that is connected again the same name."""
_NO_HELPER = "no image for helper containers is named: set helper_image in [subject.tikv]"
_LIVING = ("running", "paused")
"""States in which a container has a network namespace that a helper can join."""


class Shaping(ABC):
    """What the three have in common. Nothing that a look at the cluster shows tells when they are over."""

    contained = True
    roles = EVERY
    lags = False

    @property
    @abstractmethod
    def kind(self) -> FaultKind:
        """Its catalogue entry."""

    async def prepare(self, fault: Fault, means: Means) -> dict[str, Scalar]:
        """Tried out in a helper without a network: what a kernel and an image can do is not to be had otherwise."""
        await require_running(fault.target, means)
        done = await _beside(fault, means, self._trial(fault), "nothing")
        if done.code != 0:
            raise Unavailable(f"{fault.kind} cannot be injected here: {self._lacking} ({done.complaint})")
        if there := await self._there(fault, means):
            raise Conflict(f"the network of {fault.target} is shaped already: {there}", "recover it first")
        return {"container": (await means.containers.inspect(fault.target)).id}

    async def inject(self, fault: Fault, means: Means, memo: Memo) -> None:
        """It holds at once."""
        await _must(fault, means, self._shape(fault))

    async def undo(self, fault: Fault, means: Means, memo: Memo) -> None:
        """A container that ended took it along; one that runs may be the one that was shaped."""
        await means.containers.helpers(remove=True)
        if await self._left(fault, means):
            await _must(fault, means, self._unshape(fault))
        await means.containers.bring_back(fault.target)

    async def leftovers(self, fault: Fault, means: Means, memo: Memo) -> str:
        """At the helpers, and then by a fresh look from within: one that is under way may yet shape it."""
        if helpers := await means.containers.helpers():
            return f"helper containers are still there: {', '.join(helpers)}"
        found = await self._left(fault, means)
        return f"{found} is still there on {fault.target}" if found else ""

    def holds(self, fault: Fault, memo: Memo, seen: Observation) -> str | None:
        """No look at the cluster can tell."""
        return None

    @property
    @abstractmethod
    def _lacking(self) -> str:
        """What is missing when the trial fails."""

    @abstractmethod
    def _trial(self, fault: Fault) -> list[str]:
        """The same on the loopback of a network that ends with the helper."""

    @abstractmethod
    def _shape(self, fault: Fault) -> list[str]:
        """Puts it in force."""

    @abstractmethod
    def _unshape(self, fault: Fault) -> list[str]:
        """Takes away what is there."""

    @abstractmethod
    async def _there(self, fault: Fault, means: Means) -> str:
        """What of this kind is in force on the target, of whichever fault; empty when nothing is."""

    @abstractmethod
    async def _left(self, fault: Fault, means: Means) -> str:
        """What of this fault is in force; empty when nothing is, or no container that could have it."""


class Queue(Shaping):
    """A queue for what the target sends."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._handle = HANDLES[name]

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        if self._name == LATENCY:
            told = "what the target sends arrives later, so each of its round trips takes that much longer"
            params, queue = [latency.DELAY, latency.JITTER], "netem"
        else:
            told = "what the target sends passes a narrow line: what exceeds the rate waits, and is dropped at last"
            params, queue = [bandwidth.RATE], "tbf"
        needs = f"an image with tc for helper containers (helper_image), and the engine's kernel with its {queue} queue"
        return FaultKind(self._name, told, "removing the queue", params, needs=needs)

    @property
    def _lacking(self) -> str:
        queue = "netem" if self._name == LATENCY else "tbf"
        return f"the engine's kernel has no {queue} queue, module sch_{queue}, or refuses it"

    def _trial(self, fault: Fault) -> list[str]:
        return ["tc", "qdisc", "add", "dev", "lo", "root", *self._words(fault)]

    def _shape(self, fault: Fault) -> list[str]:
        return ["tc", "qdisc", "replace", "dev", _LINK, "root", "handle", self._handle, *self._words(fault)]

    def _unshape(self, fault: Fault) -> list[str]:
        return ["tc", "qdisc", "del", "dev", _LINK, "root", "handle", self._handle]

    async def _there(self, fault: Fault, means: Means) -> str:
        handle = await _queue_of(fault, means)
        return f"a queue of {next(name for name, one in HANDLES.items() if one == handle)}" if handle else ""

    async def _left(self, fault: Fault, means: Means) -> str:
        if not await _is_alive(fault, means):
            return ""
        return f"the queue of {self._name}" if await _queue_of(fault, means) == self._handle else ""

    def _words(self, fault: Fault) -> list[str]:
        return latency.delay_queue(fault) if self._name == LATENCY else bandwidth.token_bucket(fault)


class Loss(Shaping):
    """Rules that drop packets at random, in a table of the fault's own."""

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            LOSS,
            "a share of the packets to and from the target, chosen at random, is lost, clients' included",
            "removing the rules",
            [loss.PERCENT, DIRECTION],
            needs="an image with nft for helper containers (helper_image), and the engine's kernel with nftables",
        )

    @property
    def _lacking(self) -> str:
        return "the engine's kernel has no nftables with numgen, or refuses it"

    def _trial(self, fault: Fault) -> list[str]:
        return self._shape(fault)

    def _shape(self, fault: Fault) -> list[str]:
        table, draw, direction = table_of(fault.id), loss.draw_of(fault), text(fault, DIRECTION)
        script = [f"add table inet {table}"]
        for hook, side, which in (("input", "iifname", IN), ("output", "oifname", OUT)):
            if direction in (which, BOTH):
                script.append(f"add chain inet {table} {hook} {{ type filter hook {hook} priority 0; policy accept; }}")
                script.append(f'add rule inet {table} {hook} {side} "{_LINK}" {draw}counter drop')
        return ["nft", "; ".join(script)]

    def _unshape(self, fault: Fault) -> list[str]:
        return ["nft", f"delete table inet {table_of(fault.id)}"]

    async def _there(self, fault: Fault, means: Means) -> str:
        found = await _tables(fault, means)
        return f"table {found[0]}" if found else ""

    async def _left(self, fault: Fault, means: Means) -> str:
        if not await _is_alive(fault, means):
            return ""
        table = table_of(fault.id)
        return f"nftables table inet {table}" if table in await _tables(fault, means) else ""


async def _is_alive(fault: Fault, means: Means) -> bool:
    return (await means.containers.inspect(fault.target)).state in _LIVING


async def _queue_of(fault: Fault, means: Means) -> str:
    """Handle of the queue of ours that is there; empty when there is none."""
    said = await _must(fault, means, ["tc", "-j", "qdisc", "show", "dev", _LINK])
    try:
        handles = [str(row.get("handle")) for row in json.loads(said or "[]") if row.get("root")]
    except (ValueError, AttributeError, TypeError) as error:
        raise Unavailable(f"tc said of {_LINK} of {fault.target} something else than its JSON") from error
    return next((handle for handle in handles if handle in HANDLES.values()), "")


async def _tables(fault: Fault, means: Means) -> list[str]:
    """The tables of ours that are there."""
    said = await _must(fault, means, ["nft", "-j", "list", "tables", "inet"])
    try:
        names = [str(entry["table"]["name"]) for entry in json.loads(said)["nftables"] if "table" in entry]
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable("nft answered with something else than its JSON") from error
    return [name for name in names if name.startswith(TABLE_PREFIX)]


async def _must(fault: Fault, means: Means, command: Sequence[str]) -> str:
    done = await _beside(fault, means, command)
    if done.code != 0:
        raise Unavailable(f"{fault.kind} {fault.target}: {command[0]} failed: {done.complaint}")
    return done.output


async def _beside(fault: Fault, means: Means, command: Sequence[str], where: str = "network") -> Ended:
    if not means.helper_image:
        raise Unavailable(f"{fault.kind} cannot be injected here: {_NO_HELPER}")
    return await means.containers.beside(fault.target, means.helper_image, command, where)
