"""Waiting at a client until the daemon's world is whole."""

import time
from collections.abc import Callable

from operator_protocol.follow import Follower
from operator_protocol.state import State

WORKERS = ("monitor", "agent", "ycsb")
NODES = 6


class Unexpected(Exception):
    """The system did something else than what was to be measured."""


def wait_for(follower: Follower, condition: Callable[[State], bool], what: str, timeout_s: float = 40.0) -> None:
    """Follow until ``condition`` holds."""
    deadline = time.monotonic() + timeout_s
    while not condition(follower.state):
        if time.monotonic() > deadline:
            raise Unexpected(f"waited {timeout_s:g} s for {what}")
        follower.poll(0.1)


def whole(state: State) -> bool:
    """Six nodes up, each primary with its replica, nothing violated, and the workers ready."""
    return (
        state.cluster is not None
        and state.cluster.ok is True
        and not state.violations
        and len(state.nodes) == NODES
        and all(node.state == "up" for node in state.nodes.values())
        and sum(node.role == "primary" for node in state.nodes.values()) == NODES // 2
        and all(name in state.processes and state.processes[name].state == "ready" for name in WORKERS)
    )


def follow_for(follower: Follower, for_s: float) -> None:
    """Take frames in for a while."""
    until = time.monotonic() + for_s
    while (left_s := until - time.monotonic()) > 0:
        follower.poll(left_s)


def addresses(state: State) -> list[tuple[str, int]]:
    """Host and port of every node."""
    split = (node.address.rpartition(":") for node in state.nodes.values())
    return [(host, int(port)) for host, _, port in split]
