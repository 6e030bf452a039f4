"""What a gateway asks of its daemon, and how it passes on what the daemon says."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.clients import bodies
from tests.clients.scripted import Script, ScriptedDaemon
from tests.clients.web.waiting import until, until_live
from tests.real_gateway import RealGateway, running_gateway

from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, NotFound
from operator_protocol.records import to_body


def test_daemons_and_state_are_as_the_daemon_says(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    scripted.publish("cluster.health", bodies.cluster())
    told = gateway.get("/api/daemons").json()
    assert told["control"] is True
    assert [daemon["connection"] for daemon in told["daemons"]] == ["live"]
    until(lambda: gateway.get("/api/state").json()["nodes"], "the cluster")
    state = gateway.get("/api/state").json()
    assert state["connection"] == "live"
    assert [node["id"] for node in state["nodes"]] == [f"valkey-{number}" for number in range(6)]


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("/api/demo/next", None, ("next", {})),
        ("/api/demo/previous", None, ("previous", {})),
        ("/api/demo/goto", {"chapter": 3}, ("goto", {"chapter": 3})),
        ("/api/demo/goto", {"chapter": "Stage 2"}, ("goto", {"chapter": "Stage 2"})),
        (
            "/api/faults",
            {"kind": "pause", "target": "random", "params": {"x": 1}, "countdown": 0},
            ("fault", {"kind": "pause", "target": "random", "params": {"x": 1}, "countdown": 0.0}),
        ),
        ("/api/faults", {}, ("fault", {"kind": "kill", "target": None, "params": {}, "countdown": None})),
        ("/api/faults/recover", {"id": "f1"}, ("recover", {"id": "f1"})),
        ("/api/faults/recover", None, ("recover", {"id": None})),
        ("/api/actions/7/approve", None, ("approve", {"id": 7})),
        ("/api/actions/7/reject", {"reason": "not now"}, ("reject", {"id": 7, "reason": "not now"})),
    ],
)
def test_a_command_reaches_the_daemon_and_its_outcome_comes_back(  # two of them are fixtures
    gateway: RealGateway, scripted: ScriptedDaemon, path: str, body: object, asked: tuple[str, Body]
) -> None:
    cmd, args = asked

    def outcome(_: Body) -> Script:
        yield 0.01
        return {"done": cmd}

    scripted.on(cmd, outcome)
    answer = gateway.post(path, body)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "result": {"done": cmd}})
    assert scripted.asked(cmd)[-1] == args


def test_what_the_daemon_refuses_is_refused_with_its_words(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    def refuse(_: Body) -> Body:
        raise Conflict("the chapter blocks", "wait for it")

    scripted.on("next", refuse)
    answer = gateway.post("/api/demo/next")
    assert answer.status_code == 409
    assert answer.json() == {"error": {"code": "conflict", "message": "the chapter blocks", "hint": "wait for it"}}


def test_a_daemon_that_does_not_know_a_command_is_told_so(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    scripted.handlers.pop("previous", None)
    assert gateway.post("/api/demo/previous").status_code == 501


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/demo/sideways", None),
        ("/api/demo/goto", {}),
        ("/api/demo/goto", {"chapter": -1}),
        ("/api/demo/goto", {"chapter": "x", "more": 1}),
        ("/api/faults", {"kind": ""}),
        ("/api/faults", {"countdown": 1e9}),
        ("/api/faults", {"params": {"x": [1]}}),
        ("/api/actions/0/approve", None),
        ("/api/actions/x/approve", None),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused_before_the_daemon_hears_of_it(
    gateway: RealGateway, scripted: ScriptedDaemon, path: str, body: object
) -> None:
    before = len(scripted.requests)
    answer = gateway.post(path, body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "bad_parameter"
    assert len(scripted.requests) == before


def test_a_number_that_the_wire_cannot_carry_is_refused_and_no_defect(gateway: RealGateway) -> None:
    answer = gateway.post("/api/faults", {"params": {"x": 10**30}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_request")


def test_tickets_come_in_pages_and_one_with_all_that_was_said(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    ticket = to_body(bodies.ticket(7))

    def one(args: Body) -> Body:
        if args["id"] != 7:
            raise NotFound(f"there is no ticket {args['id']}", "operatorctl tickets lists them")
        return {"ticket": ticket, "violation": "v1", "history": [{"number": 1, "what": "opened"}]}

    scripted.on("tickets", lambda _: {"tickets": [ticket], "next": 7})
    scripted.on("ticket", one)
    scripted.on("actions", lambda _: {"actions": [{"id": 1, "ticket": 7}, {"id": 2, "ticket": 8}]})
    page = gateway.get("/api/tickets", params={"status": "open", "limit": 1, "cursor": 9})
    assert page.json() == {"tickets": [ticket], "nextCursor": 7}
    assert scripted.asked("tickets")[-1] == {"status": "open", "limit": 1, "before": 9}
    detail = gateway.get("/api/tickets/7").json()
    assert detail["history"] == [{"number": 1, "what": "opened"}]
    assert detail["actions"] == [{"id": 1, "ticket": 7}]
    assert gateway.get("/api/tickets/8").status_code == 404
    assert gateway.get("/api/tickets", params={"status": "lost"}).status_code == 422


def test_the_catalogue_of_faults_is_passed_on(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    scripted.on("faults", lambda _: {"kinds": [{"name": "kill"}], "owed": []})
    assert gateway.get("/api/faults/catalogue").json() == {"kinds": [{"name": "kill"}], "owed": []}


def test_chapters_are_named_once_they_were_seen(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    scripted.publish("demo.chapter", bodies.chapter(1))
    scripted.publish("demo.chapter", bodies.chapter(2))

    def titles() -> list[str | None]:
        return [chapter["title"] for chapter in gateway.get("/api/chapters").json()["chapters"]]

    until(lambda: sum(map(bool, titles()[1:3])) == 2, "both chapters")
    assert titles()[0] is None
    assert gateway.get("/api/chapters").json()["current"]["index"] == 2


def test_figures_that_are_no_numbers_are_sent_as_nothing(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    scripted.on("faults", lambda _: {"kinds": [{"x": float("nan")}, {"x": float("inf")}, {"x": b"\xff"}], "owed": []})
    assert gateway.get("/api/faults/catalogue").json()["kinds"][:2] == [{"x": None}, {"x": None}]


def test_a_gateway_that_stops_says_so_to_who_waits_for_a_command_or_sends_half_of_one(
    scripted: ScriptedDaemon, tmp_path: Path
) -> None:
    def never(_: Body) -> Script:
        yield 600.0
        return {}

    scripted.on("previous", never)
    with running_gateway(tmp_path, runtime_dir=scripted.directory) as gateway:
        until_live(gateway)
        host, port = gateway.url.removeprefix("http://").split(":")
        with ThreadPoolExecutor() as pool, socket.create_connection((host, int(port)), timeout=60) as half:
            head = f"POST /api/demo/goto HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n"
            half.sendall(f"{head}Authorization: Bearer {gateway.token}\r\n\r\n{{".encode())
            before = len(scripted.asked("previous"))
            waiting = pool.submit(gateway.post, "/api/demo/previous")
            until(lambda: len(scripted.asked("previous")) > before, "the command to reach the daemon")
            assert gateway.stop() == 0
            told = waiting.result()
            assert (told.status_code, told.json()["error"]["code"]) == (503, "stopping")
            assert half.recv(1_000).startswith(b"HTTP/1.1 503")
