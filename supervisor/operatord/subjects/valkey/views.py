"""What each node says about the cluster, and what they say together.

Every node has its own view (``CLUSTER NODES``), and after a failover or in a partition the views differ: a primary
that was cut off still calls itself primary and still claims its slots. Two rules settle it, both Valkey's own: of two
claims on a slot the one with the higher configuration epoch is right, and a node has failed when most of the others
say so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Range = tuple[int, int]
"""First and last slot, both included."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One line of ``CLUSTER NODES``: a node as another one (or itself) sees it."""

    node_id: str
    host: str
    port: int
    flags: frozenset[str]
    primary_id: str
    """Empty for a primary."""
    epoch: int
    """Configuration epoch; of a replica, that of its primary."""
    connected: bool
    slots: tuple[Range, ...]

    @property
    def failing(self) -> bool:
        """Flagged ``fail`` (agreed by the primaries) or ``fail?`` (this node's own suspicion)."""
        return "fail" in self.flags or "fail?" in self.flags

    @property
    def role(self) -> str:
        """``primary`` or ``replica``, as this view has it."""
        return "replica" if "slave" in self.flags or "replica" in self.flags else "primary"


def parse_nodes(text: str) -> list[Peer]:
    """Read the reply of ``CLUSTER NODES``; lines that are not of its form are left out.

    A line is ``id ip:port@cport[,hostname] flags primary ping pong epoch link slot...``
    (https://valkey.io/commands/cluster-nodes/).
    """
    peers = []
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) < 8:
            continue
        host, _, port = words[1].partition("@")[0].rpartition(":")
        if not port.isdigit() or not words[6].isdigit():
            continue
        peers.append(
            Peer(
                node_id=words[0],
                host=host,
                port=int(port),
                flags=frozenset(words[2].split(",")),
                primary_id="" if words[3] == "-" else words[3],
                epoch=int(words[6]),
                connected=words[7] == "connected",
                slots=tuple(_ranges(words[8:])),
            )
        )
    return peers


def _ranges(words: Iterable[str]) -> Iterable[Range]:
    for word in words:
        # "[93-<-id]" is a slot on the move; it is listed as owned besides.
        first, _, last = word.partition("-")
        if first.isdigit() and (last.isdigit() or not last):
            yield int(first), int(last or first)


def parse_info(text: str) -> dict[str, str]:
    """Read the reply of ``INFO`` or ``CLUSTER INFO`` as a flat map."""
    fields = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields[key] = value
    return fields


def slot_owners(views: Iterable[Sequence[Peer]]) -> dict[str, tuple[Range, ...]]:
    """Node id to the slots it owns, by all views together: the claim with the highest epoch wins each slot."""
    claims = {(peer.epoch, peer.node_id, slots) for view in views for peer in view for slots in peer.slots}
    taken: list[Range] = []
    owned: dict[str, list[Range]] = {}
    for _, node_id, claimed in sorted(claims, key=lambda claim: (-claim[0], claim[1], claim[2])):
        won = without(claimed, taken)
        if won:
            owned.setdefault(node_id, []).extend(won)
            taken += won
    return {node_id: tuple(merged(ranges)) for node_id, ranges in owned.items()}


def without(claimed: Range, taken: Iterable[Range]) -> list[Range]:
    """The parts of ``claimed`` that are in none of ``taken``."""
    left = [claimed]
    for first, last in taken:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, first - 1)), (max(start, last + 1), end))
            if part[0] <= part[1]
        ]
    return left


def merged(ranges: Iterable[Range]) -> list[Range]:
    """``ranges`` in order, neighbours joined."""
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def count(ranges: Iterable[Range]) -> int:
    """Number of slots in ``ranges``, which do not overlap."""
    return sum(last - first + 1 for first, last in ranges)


def spelled(ranges: Iterable[Range]) -> str:
    """``0-5460, 16383``: ranges for a person."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the other nodes that answered say about one node."""

    asked: int
    failing: int
    """Of those asked, how many flag it as failing."""
    unknown: int
    """Of those asked, how many do not know it at all."""
    agreed: bool
    """Some view has the flag ``fail``, which needs the agreement of most primaries."""

    @property
    def up(self) -> bool | None:
        """What most of those asked say; None when there is nobody to ask."""
        if not self.asked:
            return None
        return (self.failing + self.unknown) * 2 <= self.asked


def verdict(node_id: str, views: Mapping[str, Sequence[Peer]]) -> Verdict:
    """Ask ``views`` (by the node id of the one who holds it) about ``node_id``; its own view does not count."""
    others = [view for holder, view in views.items() if holder != node_id]
    seen = [next((peer for peer in view if peer.node_id == node_id), None) for view in others]
    return Verdict(
        asked=len(seen),
        failing=sum(peer is not None and peer.failing for peer in seen),
        unknown=sum(peer is None for peer in seen),
        agreed=any(peer is not None and "fail" in peer.flags for peer in seen),
    )
