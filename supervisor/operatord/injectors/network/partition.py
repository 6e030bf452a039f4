"""Cutting a server off: what it sends, what it is sent, or both, is dropped in the hub."""

from operator_protocol.errors import BadRequest
from operator_protocol.models import Fault, FaultKind, FaultParam
from operatord.injectors.base import Scene
from operatord.injectors.network.common import BOTH, DIRECTION, IN, NEEDS, NOT_ARP, OUT, DropFault, interfaces, text
from operatord.isolation.abilities import NFT

NODES, ALL = "nodes", "all"

_FROM = FaultParam(
    "from",
    "whom the target is cut off from: nodes (all other nodes; clients still reach it), all (clients as well),"
    " or a list of nodes, separated by commas",
    default=NODES,
)


class Partition(DropFault):
    """``partition``."""

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            "partition",
            "the target and other nodes do not hear of each other any more: every packet between them is dropped",
            "removing the rules, and waiting until the target has found its place again",
            [_FROM, DIRECTION],
            needs=NEEDS,
            missing=self._network.missing(NFT),
        )

    def _drops(self, fault: Fault, scene: Scene) -> list[str]:
        port = self._network.names.port(scene.target.id)
        peers = self._peers(fault, scene)
        towards = f" oifname {interfaces(peers)}" if peers else ""
        coming = f"iifname {interfaces(peers)} " if peers else ""
        rules = {
            OUT: f'iifname "{port}"{towards} {NOT_ARP} counter drop',
            IN: f'{coming}oifname "{port}" {NOT_ARP} counter drop',
        }
        direction = text(fault, DIRECTION)
        return [rule for which, rule in rules.items() if direction in (which, BOTH)]

    def _peers(self, fault: Fault, scene: Scene) -> list[str]:
        """The ports behind which the others are; empty means everybody."""
        asked = text(fault, _FROM)
        if asked == ALL:
            return []
        if asked == NODES:
            nodes = [other.id for other in scene.others]
        else:
            nodes = list(dict.fromkeys(part.strip() for part in asked.split(",")))
            if scene.target.id in nodes:
                raise BadRequest(f"partition: {scene.target.id} cannot be cut off from itself")
            known = [other.id for other in scene.others]
            if unknown := [node for node in nodes if node not in known]:
                raise BadRequest(
                    f"partition: there is no other node {unknown[0]!r}", f"from takes nodes, all, or {', '.join(known)}"
                )
        return [self._network.names.port(node) for node in nodes]
