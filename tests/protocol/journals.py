"""Journals as a daemon writes them, made up: frames with times of our own, checkpoints where files begin."""

import contextlib
import random
from pathlib import Path
from typing import BinaryIO

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame, Header, encode_frame
from operator_protocol.journal import MAGIC, checkpoint, encode_record
from operator_protocol.state import State

EPOCH = 1_700_000_000.0


class Press:
    """A daemon's bus, as far as its journal goes."""

    def __init__(self, directory: Path, boot_id: str = "b1", *, wall: float = EPOCH, mono: float = 500.0) -> None:
        self.directory = directory
        self.boot_id = boot_id
        self.wall, self.mono = wall, mono
        self.state = State()
        self.seq = 0
        self.topic_seqs: dict[str, int] = {}
        self.tails: list[Frame] = []
        self._file: BinaryIO | None = None

    def begin(self, name: str, *, with_checkpoint: bool = True, topics: list[str] | None = None) -> Path:
        """Begin a file."""
        self.end()
        path = self.directory / name
        self._file = path.open("xb")
        self._file.write(MAGIC)
        if with_checkpoint:
            snapshot: Body = {
                "boot_id": self.boot_id,
                "seq": self.seq,
                "topic_seqs": dict(self.topic_seqs),
                "state": self.state.to_wire(),
                "tails": [[frame.topic, list(frame.header), frame.body] for frame in self.tails],
            }
            if topics is not None:
                snapshot["topics"] = topics
            self._file.write(encode_record(encode_frame(checkpoint(snapshot, self._header("", 0)))))
        return path

    def end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def publish(self, topic: str, body: Body, *, after_s: float = 0.0, written: bool = True) -> Frame:
        """Publish a frame; ``written=False`` is one that the journal misses."""
        self.wall, self.mono = self.wall + after_s, self.mono + after_s
        self.seq += 1
        topic_seq = 1 if topic.startswith("join.") else self.topic_seqs.get(topic, 0) + 1
        if not topic.startswith("join."):
            self.topic_seqs[topic] = topic_seq
        frame = Frame(topic, self._header(topic, topic_seq), body)
        with contextlib.suppress(BadRequest):
            self.state.apply(topic, body)
        if topic.startswith(("fault.", "violation.", "ticket.", "agent.")):
            self.tails = [*self.tails[-20:], frame]
        if written and self._file is not None:
            self._file.write(encode_record(encode_frame(frame)))
        return frame

    def _header(self, topic: str, topic_seq: int) -> Header:
        return Header(1, self.boot_id, self.seq, topic_seq, self.wall, self.mono, "test" if topic else "operatord")


class Traffic:
    """What a busy daemon publishes, at random but for the seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._elapsed = 0.0
        self._ids = 0

    def next(self) -> tuple[str, Body]:
        roll = self._random.random()
        if roll < 0.4:
            return self._process()
        if roll < 0.6:
            return self._health()
        if roll < 0.8:
            self._elapsed = 0.0 if self._random.random() < 0.02 else self._elapsed + 1.0
            return "workload.sample", sample(self._elapsed, self._random.uniform(0, 3000))
        if roll < 0.9:
            return "heartbeat", {"seq": 1, "topics": {}, "uptime": 1.0, "subscribers": 1}
        return self._event()

    def _process(self) -> tuple[str, Body]:
        name = self._random.choice(("monitor", "agent", "ycsb"))
        restarts = int(self._random.random() < 0.02)
        return f"process.{name}.state", process(name, restarts=restarts, cpu_percent=self._random.random())

    def _health(self) -> tuple[str, Body]:
        if self._random.random() < 0.2:
            return "cluster.health", {"subject": "valkey", "ok": None, "reason": "no answer"}
        up = self._random.random() < 0.9
        return "cluster.health", health(up=up)

    def _event(self) -> tuple[str, Body]:
        self._ids += self._random.random() < 0.5
        one = str(max(0, self._ids - self._random.randint(0, 2)))
        family = self._random.choice(("fault", "violation", "ticket", "demo", "agent", "unreadable"))
        if family == "fault":
            topic = self._random.choice(("fault.injected", "fault.recovered"))
            return topic, fault(one, owed=topic == "fault.injected")
        if family == "violation":
            return self._random.choice(("violation.opened", "violation.closed")), violation(one)
        if family == "ticket":
            status = self._random.choice(("open", "resolved"))
            return ("ticket.resolved" if status == "resolved" else "ticket.updated"), ticket(int(one), status)
        if family == "demo":
            return "demo.chapter", chapter(self._random.randint(0, 7))
        if family == "agent":
            return "agent.step", {"ticket": int(one), "kind": "thought", "text": "hm"}
        return self._random.choice(("cluster.health", "process.monitor.state")), {"nonsense": 1}


def process(name: str, state: str = "ready", *, restarts: int = 0, cpu_percent: float | None = None) -> Body:
    return {"name": name, "state": state, "pid": 100 + restarts, "restarts": restarts, "cpu_percent": cpu_percent}


def health(*, up: bool = True) -> Body:
    nodes = [
        {"id": f"valkey-{n}", "role": "primary", "group": f"shard-{n}", "address": "", "state": "up" if up else "down"}
        for n in range(3)
    ]
    return {"subject": "valkey", "ok": up, "reason": "" if up else "down", "nodes": nodes}


def sample(elapsed: float, ops: float = 2000.0) -> Body:
    return {"ops_per_sec": ops, "errors_per_sec": 0.0, "degraded": ops < 500, "elapsed": elapsed, "operations": 1}


def fault(fault_id: str = "f1", *, owed: bool = True) -> Body:
    state = "active" if owed else "recovered"
    return {"id": fault_id, "kind": "kill", "target": "valkey-1", "state": state, "owed": owed}


def violation(violation_id: str = "v1") -> Body:
    return {"id": violation_id, "first_seen_at": EPOCH, "last_seen_at": EPOCH} | _BROKEN


def ticket(number: int = 1, status: str = "open") -> Body:
    return {"id": number, "status": status, "opened_at": EPOCH, "updated_at": EPOCH} | _BROKEN


_BROKEN: Body = {"invariant": "node_down", "node": "valkey-1", "severity": "critical", "message": "no answer"}


def chapter(index: int = 0) -> Body:
    return {"index": index, "total": 8, "title": f"Stage {index}", "narration": "Watch."}
