"""The stream of a gateway: what a page is sent when it opens, stays, comes back, and reads too slowly."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.clients import bodies
from tests.clients.scripted import ScriptedDaemon
from tests.clients.web.waiting import until
from tests.real_gateway import RealGateway
from tests.sse import Tab

from operator_clients.web.tail import BYTES, FRAMES, Tail
from operator_protocol.models import DevOpsActivity

VIOLATION = "violation.opened"


@pytest.fixture
def tab(gateway: RealGateway) -> Iterator[Tab]:
    with Tab(gateway.url) as opened:
        yield opened


def _seen(gateway: RealGateway, name: str) -> float:
    lines = gateway.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).rpartition(" ")[2])


def test_a_page_gets_a_snapshot_and_then_each_frame(gateway: RealGateway, scripted: ScriptedDaemon, tab: Tab) -> None:
    snapshot = tab.next("snapshot")
    assert snapshot.data["connection"] == "live"
    assert set(snapshot.data["state"]) >= {"cluster", "nodes", "processes", "tickets", "workload", "demo"}
    scripted.publish(VIOLATION, bodies.violation(number=1))
    frame = tab.frame(VIOLATION)
    assert frame.data["body"]["id"] == "v1"
    assert frame.data["at"].endswith("Z")
    assert frame.id.rpartition("-")[2] == str(frame.data["seq"])


def test_lines_that_processes_print_are_not_sent(gateway: RealGateway, scripted: ScriptedDaemon, tab: Tab) -> None:
    tab.next("snapshot")
    scripted.publish("process.x.log", {"stream": "stdout", "line": "secret", "dropped": 0})
    scripted.publish(VIOLATION, bodies.violation(number=2))
    seen = tab.until(lambda event: event.name == "frame" and event.data["topic"] == VIOLATION)
    assert not [event for event in seen if event.name == "frame" and event.data["topic"].endswith(".log")]


def test_what_reads_like_a_log_comes_with_the_snapshot(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    scripted.publish(VIOLATION, bodies.violation(number=3))
    with Tab(gateway.url) as first:
        first.until(lambda event: "v3" in str(event.data))
    with Tab(gateway.url) as second:
        tail = second.next("snapshot").data["tail"]
    assert [frame["body"]["id"] for frame in tail if frame["topic"] == VIOLATION][-1] == "v3"
    assert len({frame["seq"] for frame in tail}) == len(tail)


def test_long_diagnoses_told_again_and_again_would_fill_every_snapshot_and_leave_it_in_bounds() -> None:
    tail = Tail()
    tail.add({"body": "long"}, 10 * BYTES)
    assert tail.documents() == [{"body": "long"}]
    for number in range(2_000):
        tail.add({"number": number}, 100)
    assert [one["number"] for one in tail.documents()] == list(range(2_000 - FRAMES, 2_000))
    for number in range(100):
        tail.add({"number": number}, BYTES // 4)
    assert [one["number"] for one in tail.documents()] == [96, 97, 98, 99]


def test_a_page_that_comes_back_gets_what_it_missed_and_nothing_twice(
    gateway: RealGateway, scripted: ScriptedDaemon
) -> None:
    with Tab(gateway.url) as before:
        before.next("snapshot")
        scripted.publish(VIOLATION, bodies.violation(number=4))
        last = before.frame(VIOLATION)
    for number in (5, 6):
        scripted.publish(VIOLATION, bodies.violation(number=number))
    with Tab(gateway.url, last_event_id=last.id) as after:
        seen = after.until(lambda event: event.name == "frame" and event.data["body"].get("id") == "v6")
    assert seen[0].name == "connection"
    frames = [event.data for event in seen if event.name == "frame"]
    assert [frame["body"]["id"] for frame in frames if frame["topic"] == VIOLATION] == ["v5", "v6"]
    assert min(frame["seq"] for frame in frames) == last.data["seq"] + 1


@pytest.mark.parametrize("last", ["", "0-1", "junk", "0badf00d-99999999999999999999", "-", "a-b"])
def test_an_id_that_says_nothing_here_gets_a_snapshot(gateway: RealGateway, last: str) -> None:
    with Tab(gateway.url, last_event_id=last) as tab:
        assert next(tab.events()).name == "snapshot"


def test_an_id_of_the_future_gets_a_snapshot(gateway: RealGateway, tab: Tab) -> None:
    epoch = tab.next("snapshot").id.rpartition("-")[0]
    with Tab(gateway.url, last_event_id=f"{epoch}-99999999") as other:
        assert next(other.events()).name == "snapshot"


def test_a_page_hears_a_heartbeat_while_nothing_happens(tab: Tab) -> None:
    assert tab.next("heartbeat").data["now"].endswith("Z")


@pytest.mark.criterion("US-09", "an open page is told that something has changed")
def test_pages_are_told_to_ask_again_for_devops(gateway: RealGateway, scripted: ScriptedDaemon, tab: Tab) -> None:
    tab.next("snapshot")
    scripted.publish("devops.activity", DevOpsActivity("a", "deploy", "in_progress", 1.0, 1.0))
    assert tab.next("changed").data == {"what": "devops"}


def test_a_page_that_does_not_read_gets_a_snapshot_and_holds_up_nobody(
    gateway: RealGateway, scripted: ScriptedDaemon
) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    overruns = _seen(gateway, "operator_web_stream_overruns_total")
    with Tab(gateway.url) as quick, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.connect((host, int(port)))
        slow.sendall(f"GET /api/stream HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        until(lambda: _seen(gateway, "operator_web_streams{") >= 2, "the slow page to be there")
        quick.next("snapshot")
        big = {"text": "x" * 200_000}
        for number in range(40):
            scripted.publish("agent.step", {"ticket": number, "kind": "thought", **big})
            assert quick.frame("agent.step").data["body"]["ticket"] == number
        until(lambda: _seen(gateway, "operator_web_stream_overruns_total") > overruns, "the slow page to be given up")
        received = bytearray()
        slow.settimeout(60)
        while received.count(b"event: snapshot") < 2:
            received += slow.recv(1 << 20)
    numbers = [int(line.rpartition(b"-")[2]) for line in bytes(received).splitlines() if line.startswith(b"id: ")]
    assert numbers == sorted(numbers)


def test_a_stream_that_nobody_reads_any_more_is_forgotten(gateway: RealGateway) -> None:
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(Tab(gateway.url)).next("snapshot")
        assert _seen(gateway, "operator_web_streams{") >= 5
    until(lambda: _seen(gateway, "operator_web_streams{") == 0, "the pages to be forgotten")


def test_an_unknown_daemon_has_no_stream(gateway: RealGateway) -> None:
    answer = gateway.get("/api/stream", params={"daemon": "other"})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
