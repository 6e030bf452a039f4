"""Choosing a private network that nobody on this host uses: pure arithmetic on the routes."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError

from operator_protocol.errors import BadRequest, Unavailable

_PREFIX = 24
_FIRST_MEMBER = 11
_PRIVATE = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
"""RFC 1918, the largest first: the chance of a clash with a network that comes up later is lowest there."""

_TRIES = 64
"""Candidates looked at in each of them."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A /24 and who has which address in it."""

    network: IPv4Network

    @classmethod
    def parse(cls, text: str) -> "Subnet":
        """From ``10.20.30.0/24``. Raises ``BadRequest`` for anything but a private network of that size."""
        try:
            network = IPv4Network(text)
        except (AddressValueError, NetmaskValueError, ValueError) as error:
            raise BadRequest(f"{text!r} is not a network: {error}", "write it as 10.20.30.0/24") from error
        if network.prefixlen != _PREFIX or not any(network.subnet_of(block) for block in _PRIVATE):
            raise BadRequest(f"{text} is not a private /{_PREFIX}", "write it as 10.20.30.0/24")
        return cls(network)

    @classmethod
    def around(cls, address: str) -> "Subnet":
        """The one that ``address`` is in."""
        return cls.parse(str(IPv4Network((address, _PREFIX), strict=False)))

    @property
    def host(self) -> str:
        """Address of this machine in it."""
        return str(self.network[1])

    def member(self, index: int) -> str:
        """Address of the member at ``index``."""
        return str(self.network[_FIRST_MEMBER + index])

    def with_length(self, address: str) -> str:
        """``address/24``, as ``ip addr add`` takes it."""
        return f"{address}/{_PREFIX}"

    def is_free(self, routed: Iterable[IPv4Network]) -> bool:
        """True when no route leads into it but the default one."""
        return not any(route.prefixlen > 0 and route.overlaps(self.network) for route in routed)


def free_subnet(routed: Iterable[IPv4Network], seed: str) -> Subnet:
    """A private /24 into which no route leads. The order of the candidates follows from ``seed``, so that daemons that
    start at the same moment look at different ones. Raises ``Unavailable`` when none of them is free.
    """
    known = list(routed)
    for candidate in _candidates(random.Random(seed)):
        if candidate.is_free(known):
            return candidate
    raise Unavailable(
        "found no private network that this host does not route already", "name one with network in [isolation]"
    )


def _candidates(rng: random.Random) -> Iterator[Subnet]:
    for block in _PRIVATE:
        first, size = int(block.network_address), 1 << (_PREFIX - block.prefixlen)
        for _ in range(_TRIES):
            yield Subnet(IPv4Network((first + (rng.randrange(size) << (32 - _PREFIX)), _PREFIX)))
