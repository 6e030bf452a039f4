"""Recorded troubles of a server that lives: figures as they were measured on a real cluster with each of them.

The host was a busy one with two cores; the figures are those of looks half a second apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from operator_protocol.models import Node, Scalar, SignalState
from operatord.tickets.dossier import Dossier

from .agent_cases import T0, Story, changed, dead, frozen, server

WELL: dict[str, Scalar] = {
    "cpu_share": 0.026,
    "cpu_wait_share": 0.024,
    "stopped_share": 0.0,
    "retrans_share": 0.001,
    "retransmits": 1,
    "segments_in": 200,
    "ping_least_ms": 0.05,
    "ping_median_ms": 0.25,
    "asked_ms": 1.0,
    "asked_chars": 8_700,
    "disk_used": 930_000,
    "oom_kills": 0,
    "pinged": True,
}


class Strained(Story):
    """A cluster of which the host tells everything."""

    def __init__(self) -> None:
        super().__init__()
        self.set(-60.0, **WELL)

    def set(self, at: float, *names: str, **detail: Scalar) -> None:
        """A look in which ``names`` (all, if none is named) tell ``detail``."""
        changes = {
            name: replace(node, detail={**node.detail, **detail})
            for name, node in self.nodes.items()
            if name in (names or self.nodes)
        }
        self.look(at, dict(changes))

    def run(self, node: str, looks: Sequence[Mapping[str, Scalar]], invariant: str = "p99_latency") -> Dossier:
        """Those looks at ``node`` from the onset on, and the ticket of ``invariant`` about it."""
        self.violate(0.1, invariant, node, value=14.0)
        at = 0.0
        for number, detail in enumerate(looks):
            at = number * 0.5
            self.set(at, node, **detail)
            self.sample(at + 0.01, 1_980.0)
        return self.dossier(at + 0.1, invariant, node, opened=3.1)


def _ramp(*looks: Mapping[str, Scalar]) -> list[Mapping[str, Scalar]]:
    """Each twice: what is measured over 4 s changes slowly."""
    return [look for look in looks for _ in range(3)]


def stop_and_go() -> Dossier:
    """Stopped for 14 of every 20 ms."""
    asked = (
        {"stopped_share": 0.2, "asked_ms": 8.4},
        {"stopped_share": 0.44, "asked_ms": 13.1},
        {"stopped_share": 0.36},
    )
    return Strained().run("valkey-1", _ramp(*({**one, "p99_ms": 14.4} for one in asked)))


def stop_and_go_seldom() -> Dossier:
    """For 40 % of the time: its latency stays under the limit."""
    return Strained().run("valkey-1", _ramp({"stopped_share": 0.21, "p99_ms": 8.0}), "stopped_at_times")


def cpu_starved() -> Dossier:
    """A quota of 2 % of a core."""
    looks = (
        {"throttled_share": 0.5, "cpu_wait_share": 0.4, "asked_ms": 20.1},
        {"throttled_share": 0.95, "cpu_wait_share": 0.82, "asked_ms": 1.7},
        {"throttled_share": 1.0, "cpu_wait_share": 0.83, "asked_ms": 63.0},
    )
    return Strained().run("valkey-1", _ramp(*({**one, "p99_ms": 91.9} for one in looks)))


def packets_lost() -> Dossier:
    """A tenth of them, each way."""
    looks = ({"retrans_share": 0.046, "retransmits": 79}, {"retrans_share": 0.119, "retransmits": 148, "asked_ms": 3.5})
    return Strained().run("valkey-1", _ramp(*({**one, "p99_ms": 95.9} for one in looks)))


def line_narrow() -> Dossier:
    """256 KiB/s where 600 kB/s are wanted."""
    looks = ({"asked_ms": 86.9, "retrans_share": 0.003}, {"asked_ms": 113.4, "ping_least_ms": 0.2}, {"asked_ms": 142.5})
    return Strained().run("valkey-1", _ramp(*({**one, "p99_ms": 101.7, "retransmits": 4} for one in looks)))


def line_narrow_and_its_queue_full() -> Dossier:
    """128 KiB/s: what the queue has no room for is sent again, and is not lost by chance."""
    looks = ({"asked_ms": 56.7, "retrans_share": 0.016, "retransmits": 15}, {"asked_ms": 55.1, "retrans_share": 0.024})
    return Strained().run("valkey-4", _ramp(*({"retransmits": 26, **one, "p99_ms": 73.8} for one in looks)))


def line_too_narrow_for_a_look() -> Dossier:
    """64 KiB/s: what the cluster says to itself comes through, the answers to a look do not."""
    story = Strained()
    told = {**WELL, "retrans_share": 0.03, "retransmits": 19, "segments_in": 43, "silent_for_s": 4.9}

    def choked(node: Node) -> Node:
        quiet = frozen(node, process_state="running")
        return replace(quiet, detail={**quiet.detail, **told, "pinged": False})

    story.look(0.4, {"valkey-1": choked})
    story.violate(1.4, "node_down", "valkey-1")
    story.set(2.4, "valkey-1", pinged=True)
    story.set(4.9, "valkey-1", pinged=False, contact="unreachable")
    return story.dossier(5.0, "node_down", "valkey-1", opened=1.5)


def line_slow() -> Dossier:
    """100 ms more for whatever it sends. Reckoned, not measured: that kernel had no such queue."""
    late = {"ping_least_ms": 100.1, "ping_median_ms": 100.3, "asked_ms": 101.5, "p99_ms": 101.0}
    return Strained().run("valkey-1", _ramp(late))


def clients_paused_a_second_ago(**before: Scalar) -> Dossier:
    """As it is first looked at: its peers may not have noticed yet. ``before`` is what it told until then."""
    story = Strained()
    story.set(-1.0, "valkey-1", **before)
    of_the_host = {name: value for name, value in WELL.items() if not name.startswith(("ping", "asked"))}

    def paused(node: Node) -> Node:
        quiet = frozen(node, process_state="running")
        told = {**of_the_host, "segments_in": 67, "silent_for_s": 1.4, "pinged": False}
        return replace(quiet, detail={**quiet.detail, **told})

    story.look(0.4, {"valkey-1": paused})
    story.violate(1.4, "node_down", "valkey-1")
    return story.dossier(1.5, "node_down", "valkey-1", opened=1.5)


def clients_paused() -> Dossier:
    """CLIENT PAUSE: it lives, follows and votes, and answers nobody."""
    story = Strained()
    told = {**WELL, "retransmits": 0, "segments_in": 67, "silent_for_s": 5.4, "pinged": False}

    def paused(node: Node) -> Node:
        quiet = frozen(node, process_state="running")
        return replace(quiet, detail={**quiet.detail, **told})

    story.look(0.4, {"valkey-1": paused})
    story.violate(1.4, "node_down", "valkey-1")
    story.sample(2.0, 300.0)
    story.set(5.4, "valkey-1")
    return story.dossier(5.5, "node_down", "valkey-1", opened=1.5)


def clients_paused_soon_after_a_restart() -> Dossier:
    """As it was recorded: killed and started at once, up 1.5 s later, its clients paused 5 s after that."""
    story = Strained()
    story.process(-8.3, "valkey-4", "stopped", signal=9)
    story.process(-8.27, "valkey-4", "starting", pid=204)
    story.process(-8.2, "valkey-4", "ready", pid=204)
    story.look(-8.29, {"valkey-4": lambda node: dead(node, cluster="up")})
    former = story.violate(-8.29, "node_down", "valkey-4")
    fresh = replace(server(4), detail={**server(4).detail, **WELL, "run_id": "f" * 40})
    story.look(-7.8, {"valkey-4": replace(fresh, state="degraded")})
    story.look(-6.8, {"valkey-4": fresh})
    story.close(-5.8, former)
    quiet = frozen(fresh, process_state="running")
    story.look(-1.4, {"valkey-4": replace(quiet, detail={**quiet.detail, **WELL, "pinged": False})})
    story.violate(0.0, "node_down", "valkey-4")
    story.set(0.0, "valkey-4", silent_for_s=1.4)
    story.sample(1.0, 1_990.0)
    story.set(2.1, "valkey-4", silent_for_s=3.5)
    return story.dossier(2.2, "node_down", "valkey-4", opened=0.1)


def cut_off_and_all_it_says_lost() -> Dossier:
    """Dropped between it and the other nodes: what it sends them is sent again, and we reach it as ever."""
    story = Strained()
    node = story.nodes["valkey-3"]
    lost = {**node.detail, "retrans_share": 0.3, "retransmits": 60}
    cut = replace(node, state="degraded", signals={"process": "up", "probe": "up", "cluster": "down"}, detail=lost)
    story.look(1.0, {"valkey-3": cut})
    story.violate(1.0, "node_cut_off", "valkey-3")
    story.look(5.0)
    return story.dossier(6.0, "node_cut_off", "valkey-3", opened=4.1)


def cut_off_soon_after_it_was_slow() -> Dossier:
    """As it was recorded: its latency was back within its limit for six seconds."""
    story = Strained()
    former = story.violate(-50.0, "p99_latency", "valkey-3", value=58.0)
    story.close(-5.5, former)
    return _cut_off(story, story.nodes["valkey-3"], 0.125)


def cut_off_soon_after_it_was_brought_back() -> Dossier:
    """As it was recorded: killed, started 4.2 s later, up for four seconds, then cut off from its peers."""
    story = Strained()
    story.process(-9.5, "valkey-3", "stopped", signal=9)
    story.look(-9.48, {"valkey-3": dead})
    former = story.violate(-9.48, "node_down", "valkey-3")
    story.process(-5.3, "valkey-3", "starting", pid=203)
    story.process(-5.3, "valkey-3", "ready", pid=203)
    fresh = replace(server(3), detail={**server(3).detail, **WELL, "run_id": "e" * 40})
    story.look(-4.2, {"valkey-3": fresh})
    story.close(-3.2, former)
    return _cut_off(story, fresh, 0.171)


def _cut_off(story: Strained, node: Node, retrans_share: float) -> Dossier:
    """We reach it, and its peers do not."""
    lost = {**node.detail, "retrans_share": retrans_share, "retransmits": 60}
    signals: dict[str, SignalState] = {"process": "up", "probe": "up", "cluster": "down"}
    story.look(0.0, {node.id: replace(node, state="degraded", signals=signals, detail=lost)})
    story.violate(0.0, "node_cut_off", node.id)
    return story.dossier(2.1, "node_cut_off", node.id, opened=0.1)


def cut_off_from_everything() -> Dossier:
    """From us as well: nothing arrives."""
    story = Strained()

    def gone(node: Node) -> Node:
        quiet = changed(node, "down", process="up", cluster="down", contact="unreachable", process_state="running")
        return replace(quiet, detail={**quiet.detail, "segments_in": 0, "retrans_share": 0.4, "retransmits": 25})

    story.look(1.5, {"valkey-4": gone})
    story.violate(1.5, "node_down", "valkey-4")
    story.look(4.0)
    return story.dossier(4.0, "node_down", "valkey-4", opened=1.6)


def headroom_gone() -> Dossier:
    """Something else in its cgroup took the memory."""
    story = Strained()
    story.set(0.5, "valkey-0", memory_headroom=33_000_000)
    story.violate(0.5, "memory_headroom", "valkey-0", value=33e6)
    return story.dossier(4.0, "memory_headroom", "valkey-0", opened=2.6)


def ended_by_the_kernel_for_want_of_memory() -> Dossier:
    story = Strained()
    story.process(0.0, "valkey-2", "failed", signal=9)

    def dead(node: Node) -> Node:
        quiet = changed(node, "down", process="down", cluster="down", contact="refused", process_state="gone")
        return replace(quiet, detail={**quiet.detail, "oom_kills": 1})

    story.look(0.1, {"valkey-2": dead})
    story.violate(0.1, "node_down", "valkey-2")
    return story.dossier(2.5, "node_down", "valkey-2")


def disk_grown() -> Dossier:
    story = Strained()
    story.set(0.5, "valkey-4", disk_used=1_079_832_576)
    story.violate(0.5, "disk_used", "valkey-4", value=1.08e9)
    return story.dossier(4.0, "disk_used", "valkey-4", opened=2.6)


def handed_over() -> Dossier:
    """CLUSTER FAILOVER on the replica: both answered throughout."""
    story = Strained()
    violation = story.violate(0.5, "leader_moved", "valkey-1")
    story.failover(0.5, "valkey-1", "valkey-4")
    story.set(0.5, "valkey-1", handed_over_to="valkey-4", handed_over_s_ago=0.0)
    assert violation.first_seen_at > T0
    return story.dossier(2.6, "leader_moved", "valkey-1", opened=0.6)


def lag_behind_a_lossy_primary() -> Dossier:
    """The replica is late because of what is done to its primary."""
    story = Strained()
    story.set(0.0, "valkey-1", retrans_share=0.28, retransmits=150, p99_ms=95.0)
    story.set(0.5, "valkey-4", repl_lag=5_000_000, retrans_share=0.03, retransmits=15)
    story.violate(0.6, "replication_lag", "valkey-4", value=5e6)
    return story.dossier(5.0, "replication_lag", "valkey-4", opened=3.7)


CASES = (
    (stop_and_go, "stop_and_go", "valkey-1"),
    (stop_and_go_seldom, "stop_and_go", "valkey-1"),
    (cpu_starved, "cpu_starved", "valkey-1"),
    (packets_lost, "packet_loss", "valkey-1"),
    (line_narrow, "network_narrow", "valkey-1"),
    (line_narrow_and_its_queue_full, "network_narrow", "valkey-4"),
    (line_too_narrow_for_a_look, "network_narrow", "valkey-1"),
    (line_slow, "network_slow", "valkey-1"),
    (clients_paused, "clients_unserved", "valkey-1"),
    (clients_paused_soon_after_a_restart, "clients_unserved", "valkey-4"),
    (cut_off_and_all_it_says_lost, "network_partition", "valkey-3"),
    (cut_off_soon_after_it_was_slow, "network_partition", "valkey-3"),
    (cut_off_soon_after_it_was_brought_back, "network_partition", "valkey-3"),
    (cut_off_from_everything, "network_partition", "valkey-4"),
    (headroom_gone, "memory_pressure", "valkey-0"),
    (ended_by_the_kernel_for_want_of_memory, "memory_pressure", "valkey-2"),
    (disk_grown, "disk_full", "valkey-4"),
    (handed_over, "handed_over", "valkey-1"),
    (lag_behind_a_lossy_primary, "packet_loss", "valkey-1"),
)
