"""The control socket from outside: once each, one beside the other, and an answer to whatever comes in."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import zmq
from tests.bus_daemon import BusDaemon
from tests.lossy_line import LossyLine

from operator_protocol import calls
from operator_protocol.codec import MAX_MESSAGE_BYTES, Body, pack, unpack_map
from operator_protocol.errors import BadRequest, Conflict, DeadlineExceeded
from operator_protocol.events import FrameSeen, Outcome, Resynced
from operator_protocol.follow import Follower
from operator_protocol.requests import encode_command
from operator_protocol.topics import COMMAND_FINISHED

Socket = zmq.Socket[bytes]


@contextmanager
def dealers(bus: BusDaemon, count: int = 1) -> Iterator[list[Socket]]:
    """Sockets as any client of another make would open them."""
    context: zmq.Context[Socket] = zmq.Context()
    sockets = []
    for _ in range(count):
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(bus.endpoint.control)
        sockets.append(socket)
    yield sockets
    context.destroy(linger=0)


def command(cmd: str, args: Body | None = None, command_id: str = "id-1", **more: Any) -> bytes:
    return pack({"v": 1, "id": command_id, "cmd": cmd, "args": args or {}} | more)


def reply(socket: Socket, timeout_s: float = 10.0) -> Body:
    assert socket.poll(int(timeout_s * 1000)), "no answer"
    return unpack_map(socket.recv_multipart()[-1])


def executed(bus: BusDaemon, target: str) -> int:
    return int(bus.ask("counters")["executed"].get(target, 0))


def test_a_command_that_is_sent_again_on_other_sockets_is_executed_once_and_answered_to_each(bus: BusDaemon) -> None:
    data = command("work", {"target": "a", "seconds": 0.3})
    with dealers(bus, 5) as sockets:
        for socket in sockets:
            socket.send_multipart([b"", data])
            socket.send_multipart([b"", data])
        replies = [reply(socket) for socket in sockets for _ in range(2)]
        assert replies == [replies[0]] * 10
        assert replies[0]["result"] == {"target": "a", "executed": 1}
        sockets[0].send_multipart([b"", data])
        assert reply(sockets[0]) == replies[0]
    assert executed(bus, "a") == 1
    assert bus.ask("counters")["control"]["repeated"] == 10


def test_however_often_a_command_is_sent_each_time_is_answered(bus: BusDaemon) -> None:
    with dealers(bus) as (socket,):
        for _ in range(150):
            socket.send_multipart([b"", command("work", {"target": "a", "held": True})])
        answers = [reply(socket) for _ in range(150 - 64)]
        bus.ask("release")
        answers += [reply(socket) for _ in range(64)]
        assert {answer["error"]["code"] for answer in answers if not answer["ok"]} == {"unavailable"}
        assert [answer["result"] for answer in answers if answer["ok"]] == [{"target": "a", "executed": 1}] * 64
        assert not socket.poll(50)


def test_a_long_command_is_accepted_each_time_executed_once_and_its_outcome_told_once(bus: BusDaemon) -> None:
    data = command("long_work", {"target": "a", "held": True})
    with bus.follower() as follower, dealers(bus, 3) as sockets:
        for socket in sockets:
            socket.send_multipart([b"", data])
            assert reply(socket)["result"] == {"accepted": True, "id": "id-1"}
        bus.ask("release")
        outcomes: list[Body] = []
        until = time.monotonic() + 20
        while time.monotonic() < until:
            bodies = [one.frame.body for one in follower.poll(0.1) if isinstance(one, FrameSeen)]
            if told := [body for body in bodies if body.get("cmd") == "long_work"]:
                outcomes += told
                until = time.monotonic() + 0.5  # nor is it told again
        assert outcomes == [
            {"id": "id-1", "ok": True, "result": {"target": "a", "executed": 1}, "cmd": "long_work"},
        ]
        sockets[0].send_multipart([b"", data])
        assert reply(sockets[0])["result"] == {"target": "a", "executed": 1}
    assert executed(bus, "a") == 1


def test_what_runs_is_not_forgotten_however_many_commands_come_after_it(bus: BusDaemon) -> None:
    data = command("long_work", {"target": "a", "seconds": 60}, "the long one")
    with dealers(bus) as (socket,):
        socket.send_multipart([b"", data])
        assert reply(socket)["result"]["accepted"] is True
        for number in range(10_500):
            socket.send_multipart([b"", command("work", {"target": "b"}, f"no {number}")])
            if number % 100 == 99:
                answers = [reply(socket) for _ in range(100)]
                assert all(answer["ok"] for answer in answers)
        socket.send_multipart([b"", data])
        assert reply(socket)["result"]["accepted"] is True
    assert executed(bus, "b") == 10_500
    assert executed(bus, "a") == 1


def test_an_outcome_whose_frame_was_lost_is_told_after_the_resync(bus: BusDaemon) -> None:
    with LossyLine(bus.endpoint) as line, Follower(line.endpoint) as follower:
        follower.join(10)
        line.lose(COMMAND_FINISHED)
        command_id = follower.send("long_work", {"target": "a", "seconds": 0.2})
        events: list[object] = []
        until = time.monotonic() + 30
        while not any(isinstance(event, Outcome) for event in events):
            assert time.monotonic() < until
            events += follower.poll(0.2)
        assert [event.reason for event in events if isinstance(event, Resynced)]
        (outcome,) = [event for event in events if isinstance(event, Outcome)]
        assert outcome == Outcome(command_id, "long_work", {"target": "a", "executed": 1}, None)
    assert executed(bus, "a") == 1


def test_what_is_unanswered_at_a_resync_is_sent_again_and_executed_once(bus: BusDaemon) -> None:
    with LossyLine(bus.endpoint) as line, Follower(line.endpoint) as follower:
        follower.join(10)
        sent = {follower.send(cmd, {"target": cmd, "held": True}): cmd for cmd in ("work", "long_work")}
        line.lose("x")
        bus.ask("say", {"topic": "x", "body": {}})
        bus.ask("say", {"topic": "x", "body": {}})
        outcomes: list[Outcome] = []
        ends_at = time.monotonic() + 20
        while bus.ask("counters")["control"]["repeated"] < 2:
            assert time.monotonic() < ends_at, "they are not sent again"
            assert not [event for event in follower.poll(0.1) if isinstance(event, Outcome)]
        bus.ask("release")
        ends_at = time.monotonic() + 20
        while time.monotonic() < ends_at:
            if told := [event for event in follower.poll(0.2) if isinstance(event, Outcome)]:
                outcomes += told
                if len(outcomes) >= len(sent):
                    ends_at = time.monotonic() + 0.5  # nor is one told again
        assert sorted(outcome.id for outcome in outcomes) == sorted(sent)
        assert all(outcome.result == {"target": outcome.cmd, "executed": 1} for outcome in outcomes)
    assert bus.ask("counters")["control"]["repeated"] == 2


def test_an_outcome_that_was_told_before_the_client_had_joined_is_learnt_when_it_has(bus: BusDaemon) -> None:
    for number in range(30):
        with Follower(bus.endpoint) as follower:
            assert follower.perform("long_work", {"target": f"no {number}"})["executed"] == 1
            follower.join(10)


def test_a_long_command_that_fails_raises_its_typed_error_at_the_one_who_waits(bus: BusDaemon) -> None:
    with bus.follower() as follower, pytest.raises(Conflict, match="not to be") as caught:
        follower.perform("long_work", {"seconds": 0.1, "fail": True})
    assert caught.value.hint == "ask for something else"


def test_commands_on_different_targets_do_not_wait_for_each_other(bus: BusDaemon) -> None:
    with bus.follower() as follower:
        slow = follower.send("long_work", {"target": "a", "seconds": 0.8})
        quick = follower.send("long_work", {"target": "b", "seconds": 0.2})
        short = follower.send("work", {"target": "c"})
        ended: list[str] = []
        while len(ended) < 3:
            ended += [event.id for event in follower.poll(1) if isinstance(event, Outcome)]
        assert ended == [short, quick, slow]


def test_a_deadline_bounds_the_answer_and_not_the_work(bus: BusDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    # The daemon is to say so, also where it is late.
    monkeypatch.setattr(calls, "GRACE_S", 20.0)
    with bus.follower() as follower:
        with pytest.raises(DeadlineExceeded, match="was not done within") as caught:
            follower.perform("work", {"target": "a", "held": True}, deadline_s=0.2)
        assert caught.value.retryable
        with pytest.raises(DeadlineExceeded, match="was not done within"):
            follower.perform("long_work", {"target": "a", "held": True}, deadline_s=0.2)
        assert executed(bus, "a") == 2


def test_a_req_socket_is_answered_as_well(bus: BusDaemon) -> None:
    context: zmq.Context[Socket] = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.REQ_RELAXED, 1)
    socket.setsockopt(zmq.REQ_CORRELATE, 1)
    socket.connect(bus.endpoint.control)
    for command_id in ("a", "b"):
        socket.send(command("ping", command_id=command_id))
        assert reply(socket)["id"] == command_id
    context.destroy(linger=0)


def nested(levels: int) -> bytes:
    return b"\x81\xa1a" * levels + b"\xc0"


def with_args(args: bytes) -> bytes:
    whole = command("ping")
    empty = pack("args") + b"\x80"
    assert empty in whole
    return whole.replace(empty, pack("args") + args)


BAD = {
    "nothing at all": (b"", "bad_request", "torn"),
    "no msgpack": (b"\xc1", "bad_request", "torn"),
    "cut off": (command("ping")[:-2], "bad_request", "torn"),
    "something after it": (command("ping") + b"\x00", "bad_request", "torn"),
    "text that is not UTF-8": (b"\x81\xa1v\xa1\xff", "bad_request", "torn"),
    "a list": (pack([1, 2]), "bad_request", "not_a_map"),
    "keys that are no text": (pack({1: 2}), "bad_request", "not_a_map"),
    "a map of a billion members": (b"\xdf\x3b\x9a\xca\x00", "bad_request", "torn"),
    "over 1 MiB": (pack("x" * MAX_MESSAGE_BYTES), "bad_request", "oversized"),
    "nested 1,000 levels": (with_args(nested(1_000)), "bad_request", "bad_field"),
    "nested 100,000 levels": (with_args(nested(100_000)), "bad_request", "torn"),
    "another version": (command("ping", v=2), "version_mismatch", "version_mismatch"),
    "no version": (pack({"id": "x", "cmd": "ping"}), "version_mismatch", "version_mismatch"),
    "no id": (pack({"v": 1, "cmd": "ping"}), "bad_request", "bad_field"),
    "an id that is a number": (pack({"v": 1, "id": 7, "cmd": "ping"}), "bad_request", "bad_field"),
    "an id that is too long": (command("ping", command_id="x" * 129), "bad_request", "bad_field"),
    "no cmd": (pack({"v": 1, "id": "x"}), "bad_request", "bad_field"),
    "a cmd that is too long": (command("x" * 65), "bad_request", "bad_field"),
    "args that are a list": (pack({"v": 1, "id": "x", "cmd": "ping", "args": []}), "bad_request", "bad_field"),
    "args with numbers for keys": (with_args(pack({1: 2})), "bad_request", "bad_field"),
    "a deadline of nothing": (command("ping", deadline=0), "bad_request", "bad_field"),
    "a deadline that is no number": (command("ping", deadline=float("nan")), "bad_request", "bad_field"),
    "a deadline that is true": (command("ping", deadline=True), "bad_request", "bad_field"),
    "an actor that is a number": (command("ping", actor=7), "bad_request", "bad_field"),
    "a command that there is not": (command("dance"), "unknown_command", "unknown_command"),
}


def test_what_is_no_command_is_answered_with_a_typed_error_counted_and_logged_with_its_sender(bus: BusDaemon) -> None:
    with dealers(bus) as (socket,):
        for what, (data, code, reason) in BAD.items():
            before = bus.ask("counters")["control"]["refused"].get(reason, 0)
            socket.send_multipart([b"", data])
            answer = reply(socket)
            assert answer["ok"] is False, what
            assert answer["error"]["code"] == code, what
            assert set(answer["error"]) == {"code", "message", "hint", "retryable"}, what
            assert len(answer["error"]["message"]) < 300, what
            after = bus.ask("counters")
            assert after["control"]["refused"].get(reason, 0) == before + 1, what
        me = f"pid {os.getpid()}"
        assert any(line.startswith("control: refused a message from") and me in line for line in after["lines"])
        # The log does not become as long as the garbage.
        assert len(after["lines"]) <= 40
        socket.send_multipart([b"", command("ping", command_id="last")])
        assert reply(socket)["ok"] is True


def test_the_id_is_in_the_answer_if_it_could_be_read(bus: BusDaemon) -> None:
    with dealers(bus) as (socket,):
        socket.send_multipart([b"", command("ping", command_id="mine", v=9)])
        assert reply(socket)["id"] == "mine"
        socket.send_multipart([b"", b"\xc1"])
        assert reply(socket)["id"] is None


def test_wrong_arguments_are_named_in_the_error(bus: BusDaemon) -> None:
    with bus.follower() as follower:
        for cmd, args, named in (
            ("hello", {}, "version"),
            ("restart", {"name": ["monitor"]}, "name"),
            ("fault", {"countdown": "soon"}, "countdown"),
            ("tickets", {"limit": True}, "limit"),
            ("goto", {"chapter": None}, "chapter"),
            ("workload", {"action": "x" * 10_000}, "action"),
        ):
            with pytest.raises(BadRequest, match=f"^{cmd}: {named}") as caught:
                follower.perform(cmd, args)
            assert len(caught.value.message) < 300


def test_a_message_that_is_no_envelope_is_refused_and_one_without_a_delimiter_is_not(bus: BusDaemon) -> None:
    with dealers(bus) as (socket,):
        socket.send_multipart([*([b"hop"] * 5_000), command("ping")])
        assert reply(socket)["error"]["code"] == "bad_request"
        socket.send_multipart([b"x" * 300, command("ping")])
        assert reply(socket)["error"]["code"] == "bad_request"
        socket.send(command("ping"))
        assert reply(socket)["ok"] is True


def test_a_peer_that_sends_far_too_much_is_cut_off_and_the_others_are_served(bus: BusDaemon) -> None:
    with dealers(bus) as (socket,):
        socket.send_multipart([b"", b"\x00" * (17 << 20)])
        assert not socket.poll(300)
        assert bus.ask("ping")["boot_id"]
        # ZeroMQ connects again by itself.
        socket.send_multipart([b"", command("ping")])
        assert reply(socket)["ok"] is True


def test_a_client_does_not_send_what_would_be_refused_unread() -> None:
    with pytest.raises(BadRequest, match="larger than"):
        encode_command("x", {"a": "x" * MAX_MESSAGE_BYTES}, command_id="x", deadline_s=1, actor="me")


def test_a_flood_of_commands_from_one_client_holds_nobody_else_up(bus: BusDaemon) -> None:
    with dealers(bus) as (flooder,):
        for number in range(300):
            flooder.send_multipart([b"", command("work", {"target": "a", "seconds": 60}, f"no {number}")])
        codes = [reply(flooder)["error"]["code"] for _ in range(100)]
        assert codes == ["unavailable"] * 100
        with bus.follower() as follower:
            assert follower.command("work", {"target": "b"})["executed"] == 1
    assert bus.ask("counters")["control"]["refused"] == {"busy": 100}
    assert executed(bus, "a") == 200
