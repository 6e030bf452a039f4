"""Which node serves which slot of a Valkey Cluster, as the nodes themselves say."""

from binascii import crc_hqx
from collections.abc import Mapping, Sequence
from typing import NamedTuple

SLOTS = 16_384


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def key_slot(key: bytes) -> int:
    """CRC16 (XMODEM) of the key, or of what stands between its first ``{`` and the next ``}``, modulo 16,384.

    That is the rule of the cluster specification, section "Key distribution model".
    """
    opening = key.find(b"{")
    if opening >= 0:
        closing = key.find(b"}", opening + 1)
        if closing > opening + 1:
            key = key[opening + 1 : closing]
    return crc_hqx(key, 0) % SLOTS


class Topology:
    """The owner of each slot. Learns from ``CLUSTER SLOTS``, and one slot at a time from ``MOVED``."""

    def __init__(self) -> None:
        self._owners: list[Address | None] = [None] * SLOTS
        self.nodes: tuple[Address, ...] = ()
        """Every node that was named, replicas included."""

    def owner(self, slot: int) -> Address | None:
        """The primary that serves ``slot``, as far as known."""
        return self._owners[slot]

    def moved(self, slot: int, owner: Address) -> None:
        """A node said that ``slot`` is served by ``owner``."""
        self._owners[slot] = owner

    def replace(self, owners: Mapping[tuple[int, int], Address], nodes: Sequence[Address]) -> None:
        """Take over what a node said. Slots that nobody serves now keep their last owner: it may come back."""
        for (first, last), owner in owners.items():
            self._owners[first : last + 1] = [owner] * (last - first + 1)
        self.nodes = tuple(nodes)


def parse_cluster_slots(reply: object, asked: Address) -> tuple[dict[tuple[int, int], Address], list[Address]]:
    """Owners by range of slots, and all nodes, from the reply to ``CLUSTER SLOTS``.

    A node that does not know its own address leaves it empty, which means: the one that was asked. Raises
    ``ValueError`` for anything that is not such a reply.
    """
    owners: dict[tuple[int, int], Address] = {}
    nodes: list[Address] = []
    for entry in reply if isinstance(reply, list) else [reply]:
        if not isinstance(entry, list) or len(entry) < 3:
            raise ValueError(f"not a range of slots: {entry!r}")
        first, last, *members = entry
        if not (isinstance(first, int) and isinstance(last, int) and 0 <= first <= last < SLOTS):
            raise ValueError(f"not a range of slots: {entry!r}")
        addresses = [_address(member, asked) for member in members]
        owners[first, last] = addresses[0]
        nodes.extend(address for address in addresses if address not in nodes)
    return owners, nodes


def parse_redirection(message: str, asked: Address) -> tuple[int, Address]:
    """Slot and address of ``MOVED 3999 127.0.0.1:6381`` or of the same with ``ASK``."""
    _, slot, where = message.split(" ", 2)
    host, _, port = where.rpartition(":")
    return int(slot), Address(host.strip("[]") or asked.host, int(port))


def _address(member: object, asked: Address) -> Address:
    if not isinstance(member, list) or len(member) < 2 or not isinstance(member[1], int):
        raise ValueError(f"not a node of CLUSTER SLOTS: {member!r}")
    host = member[0].decode() if isinstance(member[0], bytes) else ""
    return Address(host if host and host != "?" else asked.host, member[1])
