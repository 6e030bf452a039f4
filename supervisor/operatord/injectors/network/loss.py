"""A line that loses packets: in the hub each packet is dropped with a set probability."""

from operator_protocol.models import Fault, FaultKind, FaultParam
from operatord.injectors.base import Scene
from operatord.injectors.network.common import BOTH, DIRECTION, IN, NEEDS, NOT_ARP, OUT, DropFault, number, text
from operatord.isolation.abilities import NFT

PERCENT = FaultParam(
    "percent", "share of the packets that is lost, in each direction", default=30.0, unit="%", minimum=0.01, maximum=100
)

_PARTS = 10_000
"""The draw is a whole number below this: hundredths of a percent."""


def draw_of(fault: Fault) -> str:
    """The match that hits the share of the packets, in the words of ``nft``. Raises ``BadRequest``."""
    share = round(number(fault, PERCENT) / 100 * _PARTS)
    # A draw that always hits is no draw in the eyes of nftables.
    return f"numgen random mod {_PARTS} < {share} " if share < _PARTS else ""


class Loss(DropFault):
    """``loss``."""

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            "loss",
            "a share of the packets to and from the target, chosen at random, is lost, clients' included",
            "removing the rules",
            [PERCENT, DIRECTION],
            needs=NEEDS,
            missing=self._network.missing(NFT),
        )

    def _drops(self, fault: Fault, scene: Scene) -> list[str]:
        port = self._network.names.port(scene.target.id)
        draw = draw_of(fault)
        direction = text(fault, DIRECTION)
        sides = {OUT: "iifname", IN: "oifname"}
        return [
            f'{side} "{port}" {NOT_ARP} {draw}counter drop'
            for which, side in sides.items()
            if direction in (which, BOTH)
        ]
