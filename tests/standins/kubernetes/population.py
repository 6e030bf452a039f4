"""Who lives in the stand-in cluster: so many nodes and pods, a few of them in trouble, the same ones every time."""

import time
from collections.abc import Iterator
from typing import Any

from .objects import Container, Pod, event, node, node_metrics, pod, stats_summary

NAMESPACES = ("default", "kube-system", "payments", "search", "staging", *(f"team-{letter}" for letter in "abcdefghij"))
_APPS = ("api", "cache", "checkout", "gateway", "indexer", "ledger", "mailer", "orders", "worker")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
NOT_READY = 7
"""The node with this number is not ready; it tells no figures of its use, either."""
SILENT = 11
"""The node with this number was not heard from."""


class Population:
    """``nodes``, ``pods``, ``metrics`` by name, as they are served. ``now`` is the moment of all of it."""

    def __init__(self, nodes: int, pods: int, now: float | None = None) -> None:
        self.now = time.time() if now is None else now
        self.nodes = dict(self._nodes(nodes))
        named = sorted((pod(one, self.now) for one in _pods(pods, nodes)), key=_key)
        self.pods = {_key(one): one for one in named}
        self.metrics = {
            name: node_metrics(name, *usage(number), self.now)
            for number, name in enumerate(self.nodes)
            if number not in (NOT_READY, SILENT)
        }

    def summary(self, name: str) -> dict[str, Any] | None:
        """The stats of a node; None of one that does not answer."""
        number = list(self.nodes).index(name)
        if number in (NOT_READY, SILENT):
            return None
        return stats_summary(name, disk_share(number), self.now, max(1, len(self.pods) // len(self.nodes)))

    def events(self) -> Iterator[dict[str, Any]]:
        """Two for each pod that is in trouble, one for each node that is."""
        number = 0
        for one in self.pods.values():
            for told in _troubles(one):
                number += 1
                yield event(number, one, "Pod", self.now, told)
        for index, one in enumerate(self.nodes.values()):
            if index in (NOT_READY, SILENT):
                number += 1
                told = ("Warning", "NodeNotReady", f"Node {one['metadata']['name']} status is now: NodeNotReady")
                yield event(number, one, "Node", self.now, told)

    def _nodes(self, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
        for number in range(count):
            name = node_name(number)
            ready = {NOT_READY: "False", SILENT: "Unknown"}.get(number, "True")
            roles = ("control-plane",) if number < min(3, count - 1) else ()
            yield name, node(number, name, self.now, ready, roles=roles)


def node_name(number: int) -> str:
    return f"node-{number:04}"


def usage(number: int) -> tuple[int, int]:
    """Nanocores and KiB that a node uses."""
    return 400_000_000 + number * 7_919_113 % 6_000_000_000, 3_000_000 + number * 48_611 % 24_000_000


def disk_share(number: int) -> float:
    """How full its disk is, 0 to 1."""
    return 0.2 + number * 13 % 70 / 100


def log_lines(count: int) -> Iterator[str]:
    """What a container printed."""
    for number in range(count):
        yield f"2026-11-21T12:00:{number // 1000 % 60:02}.{number % 1000:03}Z level=info request={number} took=3ms"


def _pods(count: int, nodes: int) -> Iterator[Pod]:
    for number in range(count):
        app = _APPS[number % len(_APPS)]
        namespace = NAMESPACES[number % len(NAMESPACES)]
        tag = f"{_word(number // 20, 5)}"
        kind = ("ReplicaSet", "ReplicaSet", "ReplicaSet", "StatefulSet", "DaemonSet")[number % 5]
        node = node_name(number % nodes)
        containers = [Container(app, f"images.standin.invalid/{app}:1.{number % 7}")]
        if number % 3 == 0:
            containers.append(Container("proxy", "images.standin.invalid/proxy:3.1"))
        owner = f"{app}-{tag}"
        name = f"{owner}-{_word(number, 5)}"
        age_s = 60.0 + number * 997 % 2_000_000
        one = Pod(number, name, namespace, node, "Running", kind, owner, containers, age_s)
        yield _in_trouble(one)


def _in_trouble(one: Pod) -> Pod:
    """Of each hundred: one waits for a node, one failed, one was evicted, two ended well, three have a container."""
    name, image = one.containers[0][:2]
    match one.number % 100:
        case 3:
            waiting = [Container(*found[:2], "waiting:ContainerCreating", ready=False) for found in one.containers]
            return one._replace(node="", phase="Pending", containers=waiting)
        case 13:
            ended = Container(name, image, "terminated:Error:1", ready=False)
            return one._replace(phase="Failed", owner_kind="Job", containers=[ended])
        case 23:
            return one._replace(phase="Failed", reason="Evicted")
        case 33 | 34:
            ended = Container(name, image, "terminated:Completed:0", ready=False)
            return one._replace(phase="Succeeded", owner_kind="Job", containers=[ended])
        case 43:
            looping = Container(name, image, "waiting:CrashLoopBackOff", 17, "terminated:OOMKilled:137", ready=False)
            return one._replace(containers=[looping, *one.containers[1:]])
        case 53:
            waiting = [Container(name, image, "waiting:ImagePullBackOff", ready=False)]
            return one._replace(phase="Pending", containers=waiting)
        case 63:
            setup = Container("setup", image, "terminated:Completed:0", ready=True)
            return one._replace(owner_kind="", owner="", init_containers=[setup])
        case 73:
            return one._replace(deleted=True)
        case _:
            return one


def _troubles(one: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for status in one["status"].get("containerStatuses", ()):
        reason = status["state"].get("waiting", {}).get("reason")
        if reason == "CrashLoopBackOff":
            yield "Normal", "Pulled", f'Container image "{status["image"]}" already present on machine'
            yield "Warning", "BackOff", f"Back-off restarting failed container {status['name']}"
        elif reason == "ImagePullBackOff":
            yield "Normal", "Pulling", f'Pulling image "{status["image"]}"'
            yield "Warning", "Failed", f"Error: {reason}"
    if "nodeName" not in one["spec"]:
        yield "Warning", "FailedScheduling", "0/500 nodes are available: 500 Insufficient cpu."


def _key(one: dict[str, Any]) -> tuple[str, str]:
    return one["metadata"]["namespace"], one["metadata"]["name"]


def _word(number: int, length: int) -> str:
    found = ""
    number = number * 2_654_435_761 % 2**32
    for _ in range(length):
        number, rest = divmod(number, len(_LETTERS))
        found += _LETTERS[rest]
    return found
