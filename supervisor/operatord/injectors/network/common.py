"""What the faults of the network have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from operator_protocol.errors import BadRequest, Conflict, Unavailable
from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord.injectors.base import Memo, Scene
from operatord.isolation.faults import add_table, delete_queue, delete_tables, fault_tables, queue_of, table_of
from operatord.isolation.names import MEMBER_LINK
from operatord.isolation.network import NOT_ISOLATED, IsolatedNetwork

IN, OUT, BOTH = "in", "out", "both"

DIRECTION = FaultParam(
    "direction",
    "of what goes to the target (in), of what it sends (out), or of both",
    default=BOTH,
    choices=[BOTH, IN, OUT],
)

NOT_ARP = "ether type != arp"
"""What rules apply to. Who cannot resolve addresses cannot send either, though only the other direction was to be cut,
and is still out of reach for a second after the undo."""

NEEDS = "operatord start --isolate (root, iproute2, nftables)"


def text(fault: Fault, param: FaultParam) -> str:
    """Value of a parameter that is text. Raises ``BadRequest``."""
    value = fault.params.get(param.name, param.default)
    if not isinstance(value, str) or (param.choices and value not in param.choices):
        wanted = f"one of {', '.join(param.choices)}" if param.choices else "text"
        raise BadRequest(f"{fault.kind}: {param.name} must be {wanted}, not {value!r}")
    return value


def number(fault: Fault, param: FaultParam) -> float:
    """Value of a parameter that is a number, within its bounds. Raises ``BadRequest``."""
    value = fault.params.get(param.name, param.default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest(f"{fault.kind}: {param.name} must be a number, not {value!r}")
    low = param.minimum if param.minimum is not None else value
    high = param.maximum if param.maximum is not None else value
    if not low <= value <= high:
        raise BadRequest(f"{fault.kind}: {param.name} is {value}; it must be {low:g} to {high:g} {param.unit}".rstrip())
    return float(value)


def require(kind: FaultKind, scene: Scene) -> None:
    """Raise ``Unavailable`` when this host lacks something for ``kind``, or the target has no network of its own."""
    if kind.missing:
        raise Unavailable(f"{kind.name} cannot be injected: {kind.missing}")
    if not scene.target.namespace:
        raise Unavailable(f"{kind.name} cannot be injected: {scene.target.id} is not isolated", NOT_ISOLATED)


class DropFault(ABC):
    """A fault that is a table of rules in the hub: put in force and taken away as a whole."""

    def __init__(self, network: IsolatedNetwork) -> None:
        self._network = network

    @property
    @abstractmethod
    def kind(self) -> FaultKind:
        """Its catalogue entry."""

    async def prepare(self, fault: Fault, scene: Scene) -> dict[str, Scalar]:
        """Raises ``Unavailable``, and ``BadRequest`` for parameters that make no rules."""
        require(self.kind, scene)
        self._drops(fault, scene)
        return {"table": table_of(fault.id)}

    async def inject(self, fault: Fault, scene: Scene, _memo: Memo) -> None:
        """All rules come into force at once."""
        await add_table(self._network.commands, self._network.names, fault.id, self._drops(fault, scene))

    async def undo(self, fault: Fault, _scene: Scene, _memo: Memo) -> None:
        """Take the table away."""
        await delete_tables(self._network.commands, self._network.names, [table_of(fault.id)])

    async def leftovers(self, fault: Fault, _scene: Scene, _memo: Memo) -> str:
        """The table, if it is there."""
        table = table_of(fault.id)
        there = await fault_tables(self._network.commands, self._network.names)
        return f"nftables table bridge {table} in namespace {self._network.names.hub}" if table in there else ""

    @abstractmethod
    def _drops(self, fault: Fault, scene: Scene) -> list[str]:
        """The rules, each with its verdict. Raises ``BadRequest``."""


class Queues:
    """The queues of a fault before and behind its target."""

    def __init__(self, network: IsolatedNetwork, handle: str) -> None:
        self._network = network
        self.handle = handle

    def links(self, scene: Scene, direction: str) -> list[tuple[str, str]]:
        """Namespace and link of each place at which ``direction`` is slowed: a queue only holds up what leaves."""
        names = self._network.names
        out = (names.namespace(scene.target.id), MEMBER_LINK)
        back = (names.hub, names.port(scene.target.id))
        return {OUT: [out], IN: [back], BOTH: [out, back]}[direction]

    async def require_none(self, scene: Scene) -> None:
        """Raise ``Conflict`` when a fault has a queue there already: a link has one."""
        for namespace, link in self.links(scene, BOTH):
            if handle := await self._handle(namespace, link):
                raise Conflict(
                    f"{scene.target.id} has a queue of another fault already ({handle} on {link})", "recover it first"
                )

    async def remove(self, scene: Scene) -> None:
        """Take our queues away, from both places."""
        for namespace, link in self.links(scene, BOTH):
            if self._is_there(namespace):
                await delete_queue(self._network.commands, namespace, link, self.handle)

    async def left(self, scene: Scene) -> str:
        """The queues that are there."""
        found = [
            f"{link} in namespace {namespace}"
            for namespace, link in self.links(scene, BOTH)
            if await self._handle(namespace, link) == self.handle
        ]
        return f"queue {self.handle} on {' and '.join(found)}" if found else ""

    async def _handle(self, namespace: str, link: str) -> str:
        return await queue_of(self._network.commands, namespace, link) if self._is_there(namespace) else ""

    def _is_there(self, namespace: str) -> bool:
        return namespace in self._network.names.namespaces_there()


def interfaces(ports: Sequence[str]) -> str:
    """A set of links, in the syntax of nftables."""
    return "{ " + ", ".join(f'"{port}"' for port in ports) + " }"
