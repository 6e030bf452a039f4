"""Waiting for a gateway, with a deadline."""

import time
from collections.abc import Callable

from tests.real_gateway import RealGateway


def until(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.02)


def until_live(gateway: RealGateway) -> None:
    """Its first daemon answers."""
    until(lambda: gateway.get("/readyz").status_code == 200, "the gateway to follow its daemon")
