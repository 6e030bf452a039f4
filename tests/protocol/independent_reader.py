"""A client that was written from docs/protocol.md alone: pyzmq and msgpack, and nothing of ours.

``python tests/protocol/independent_reader.py RUNTIME_DIR`` prints what it sees.
"""

import secrets
import sys
from typing import Any

import msgpack
import zmq


class Reader:
    """Joins, follows, joins again after a gap, a restart or three seconds of silence."""

    def __init__(self, frames: str, control: str) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.sub, self.dealer = self.context.socket(zmq.SUB), self.context.socket(zmq.DEALER)
        self.sub.setsockopt(zmq.RCVHWM, 50_000)
        self.dealer.setsockopt(zmq.IMMEDIATE, 1)
        self.sub.connect(frames)
        self.dealer.connect(control)
        self.sub.setsockopt(zmq.SUBSCRIBE, b"")
        self.rejoined: list[str] = []

    def ask(self, cmd: str, args: dict[str, Any], timeout_ms: int = 2_000) -> dict[str, Any] | None:
        command = {"v": 1, "id": secrets.token_hex(8), "cmd": cmd, "args": args}
        if self.dealer.poll(timeout_ms, zmq.POLLOUT):
            self.dealer.send_multipart([b"", msgpack.packb(command)])
        while self.dealer.poll(timeout_ms):
            reply = msgpack.unpackb(self.dealer.recv_multipart()[-1])
            if reply["id"] == command["id"]:
                result: dict[str, Any] | None = reply["result"] if reply["ok"] else None
                return result
        return None

    def join(self) -> None:
        while True:
            nonce, kept = secrets.token_hex(8), list[list[bytes]]()
            topic = f"join.{nonce}".encode()
            self.sub.setsockopt(zmq.SUBSCRIBE, topic)
            echoed = self.ask("hello", {"version": 1, "nonce": nonce}) is not None
            while echoed and (not kept or kept[-1][0] != topic) and (echoed := bool(self.sub.poll(500))):
                kept.append(self.sub.recv_multipart())
            self.sub.setsockopt(zmq.UNSUBSCRIBE, topic)
            snapshot = self.ask("snapshot", {}) if echoed else None
            if snapshot is not None:
                break
        self.boot_id, self.seq, state = snapshot["boot_id"], snapshot["seq"], snapshot["state"]
        self.ok = state["cluster"]["ok"] if state["cluster"] else None
        self.nodes, self.violations, self.faults = (
            {one["id"]: one for one in state[collection]} for collection in ("nodes", "violations", "faults")
        )
        for parts in kept:
            if msgpack.unpackb(parts[1])[1] == self.boot_id:
                self.take(parts)

    def step(self) -> None:
        """Take in one frame."""
        if self.sub.poll(3_000):
            self.take(self.sub.recv_multipart())
        else:
            self.join_again("silence")

    def take(self, parts: list[bytes]) -> None:
        version, boot_id, seq = msgpack.unpackb(parts[1])[:3]
        if boot_id != self.boot_id:
            self.join_again("restart")
        elif version == 1 and seq == self.seq + 1:
            self.seq = seq
            self.apply(parts[0].decode(), msgpack.unpackb(parts[2]))
        elif seq > self.seq:
            self.join_again("gap")

    def apply(self, topic: str, body: dict[str, Any]) -> None:
        if topic == "cluster.health":
            self.ok, self.nodes = body["ok"], {one["id"]: one for one in body["nodes"]} or self.nodes
        elif topic == "violation.opened":
            self.violations[body["id"]] = body
        elif topic == "violation.closed":
            self.violations.pop(body["id"], None)
        elif topic.startswith("fault.") and (body["owed"] or body["state"] == "countdown"):
            self.faults[body["id"]] = body
        elif topic.startswith("fault."):
            self.faults.pop(body["id"], None)

    def join_again(self, reason: str) -> None:
        self.rejoined.append(reason)
        self.join()


if __name__ == "__main__":
    reader = Reader(f"ipc://{sys.argv[1]}/frames.sock", f"ipc://{sys.argv[1]}/control.sock")
    reader.join()
    while True:
        reader.step()
        print(reader.seq, reader.ok, sorted(reader.violations), sorted(reader.faults), reader.rejoined)
