"""A hundred readers ask for the DevOps activity at once; behind the gateway is a daemon that has a full day of it."""

import json
import time
from dataclasses import replace
from pathlib import Path

from tests.real_gateway import running_gateway

from operator_protocol.models import CoordinationMessage, DevOpsActivity, DevOpsStep, MessagePayload
from operatord.coordination.store import CoordinationStore
from operatord.tickets.db import FILE_NAME, TicketDB

from .buses import percentile
from .clusterwatch import Unexpected
from .figures import Figure
from .readers import ask_together
from .registry import Bench, Benchmark

TARGET_MS = 200.0
_READERS = 100
_ACTIVITIES = 200
_STEPS = 8
_LIVE_S = 30.0
_PATH = "/api/devops/activity?limit=10"


def run(bench: Bench) -> list[Figure]:
    """Every answer is asked of the daemon: there is no cache."""
    messages = bench.rounds(10_000, 500)
    rounds = bench.rounds(20, 3)
    with bench.stopped_daemon() as daemon:
        _fill(daemon.state_dir / FILE_NAME, messages)
        daemon.start()
        directory = bench.directory()
        config = directory / "gateway.toml"
        # A hundred people are at as many addresses; these are all at one.
        config.write_text("[web.limits]\nrequests_per_s = 100000\nburst = 100000\n")
        with running_gateway(directory, "--config", str(config), runtime_dir=daemon.runtime_dir) as gateway:
            until = time.monotonic() + _LIVE_S
            while gateway.get(_PATH).status_code != 200:
                if time.monotonic() > until:
                    raise Unexpected("the gateway does not get to the daemon")
                time.sleep(0.05)
            alone = [_p99(gateway.url, 1) for _ in range(rounds * 3)]
            crowd = [_p99(gateway.url, _READERS) for _ in range(rounds)]
    note = f"the daemon has {messages:,} messages and {_ACTIVITIES} operations of a day"
    return [
        Figure("console_activity", "ms", alone, target=TARGET_MS, note=note),
        Figure("console_activity.crowd", "ms", crowd, note=f"99th percentile of {_READERS} at once; {note}"),
    ]


def _fill(path: Path, messages: int) -> None:
    db = TicketDB(path)
    store = CoordinationStore(db)
    now = time.time()
    try:
        for number in range(messages):
            at = now - 3_600 * 20 * (1 - number / messages)
            which = number * _ACTIVITIES // messages
            said = json.dumps({"activity_id": f"deploy-{which}", "step": "step-1", "status": "running"})
            payload = MessagePayload("step-1: running", said)
            message = CoordinationMessage("", "DEVOPS_STEP_UPDATE", "devops", "all", at, payload, requires_ack=False)
            steps = [DevOpsStep(f"step-{step}", "completed", at, at + 1) for step in range(_STEPS)]
            activity = DevOpsActivity(f"deploy-{which}", f"Deploy {which}", "in_progress", at, at, steps=steps)
            if which < _ACTIVITIES - 1:
                activity = replace(activity, status="completed", completed_at=at + 60)
            store.add(message, activity)
    finally:
        db.close()


def _p99(url: str, readers: int) -> float:
    return percentile(ask_together(url, _PATH, readers, holding=b"deploy-"), 99)


BENCHMARK = Benchmark("console-activity", "readers ask the console for the DevOps activity of a full day", run)
