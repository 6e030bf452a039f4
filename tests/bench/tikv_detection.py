"""From the death of a container to the violation at a client, and to the word of PD.

The stand-in for PD holds a store for disconnected after PD's own 20 s without a heartbeat; its stores send one a
second, TiKV one in ten: the real PD needs 10 to 20 s.
"""

import json
import random
import subprocess
import time

from tests.e2e.tikv.tikv_daemon import TiKVDaemon
from tests.standins.containers import PD_OPTIONS, TIKV_OPTIONS
from tests.standins.engine import Engine, MissingPart, shared_engine
from tests.standins.serving import ask

from operator_protocol.events import FrameSeen
from operator_protocol.follow import Follower
from operator_protocol.state import State
from operator_protocol.topics import VIOLATION_OPENED
from operatord.subjects.tikv.project import STORES

from .clusterwatch import Unexpected, follow_for, wait_for
from .figures import Figure
from .registry import Bench, Benchmark, end_daemon

TARGET_MS = 1_000.0
_LOOK_S = 0.5
"""The monitor looks this often; the kills are spread over that."""
_UNSHORTENED = {PD_OPTIONS: "", TIKV_OPTIONS: ""}
_PD_S = 40.0


def run(bench: Bench) -> list[Figure]:
    """Docker kills the container; it is started again before the next round."""
    try:
        with shared_engine(_UNSHORTENED) as engine:
            return _measure(bench, engine)
    except MissingPart as missing:
        bench.say(f"not measured: {missing}")
        return []


def _measure(bench: Bench, engine: Engine) -> list[Figure]:
    bench.drop_daemon()
    daemon = TiKVDaemon(bench.directory(), engine)
    detected_ms: list[float] = []
    by_pd_ms: list[float] = []
    try:
        daemon.start_tikv()
        with Follower(daemon.endpoint, actor="bench") as follower:
            follower.join(10)
            patient = bench.rounds(3, 1)
            for number in range(bench.rounds(60, 3)):
                wait_for(follower, _whole, "a whole cluster")
                follow_for(follower, random.uniform(_LOOK_S, 2 * _LOOK_S))
                victim = STORES[number % len(STORES)]
                began = time.monotonic()
                detected_ms.append(_kill(follower, daemon, victim) * 1000)
                if number < patient:
                    by_pd_ms.append(_disconnected(follower, daemon, victim, began) * 1000)
                engine.docker("start", f"{daemon.project.name}-{victim}-1")
    finally:
        end_daemon(daemon)
        daemon.end()
    note = "docker kill to violation.opened received, without load"
    peers = {"the word of PD (stand-in with PD's 20 s)": by_pd_ms}
    return [Figure("tikv_detection", "ms", detected_ms, target=TARGET_MS, peers=peers, note=note)]


def _whole(state: State) -> bool:
    return state.cluster is not None and state.cluster.ok is True and not state.violations and not state.tickets


def _kill(follower: Follower, daemon: TiKVDaemon, victim: str, timeout_s: float = 30.0) -> float:
    """Seconds until the violation that names ``victim`` was received, from the start of the command."""
    began = time.monotonic()
    command = ["docker", "kill", f"{daemon.project.name}-{victim}-1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as kill:
        while time.monotonic() < began + timeout_s:
            for event in follower.poll(0.25):
                if isinstance(event, FrameSeen) and event.frame.topic == VIOLATION_OPENED:
                    received = time.monotonic()
                    if event.frame.body.get("node") == victim:
                        kill.wait()
                        return received - began
    raise Unexpected(f"{victim} was killed, and {timeout_s:g} s later there is no violation")


def _disconnected(follower: Follower, daemon: TiKVDaemon, victim: str, began: float) -> float:
    """Seconds until PD no longer holds ``victim`` for Up."""
    pd = daemon.project.members[0]
    while time.monotonic() < began + _PD_S:
        follow_for(follower, 0.05)
        _, data = ask("GET", f"http://{pd.host}:{pd.port}/pd/api/v1/stores", timeout_s=5.0)
        stores = {one["store"]["address"].partition(":")[0]: one["store"] for one in json.loads(data)["stores"]}
        if stores[victim]["state_name"] != "Up":
            return time.monotonic() - began
    raise Unexpected(f"{victim} was killed, and {_PD_S:g} s later PD holds it for Up")


BENCHMARK = Benchmark("tikv-detection", "docker kill of a store to violation.opened at a client", run)
