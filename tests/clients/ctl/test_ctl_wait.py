"""``wait``: from when it counts, what it matches, and how it ends."""

import threading
import time

import pytest
from tests.clients import bodies
from tests.clients.ctl.conftest import Ctl, Popen
from tests.clients.scripted import Script, ScriptedDaemon, any_json

from operator_clients.ctl.wait import holds, what_counts
from operator_protocol.codec import Body
from operator_protocol.errors import DeadlineExceeded
from operator_protocol.frames import Frame, Header
from operator_protocol.models import Fault


def test_an_event_between_the_injection_and_the_wait_is_not_missed(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.publish("fault.injected", bodies.fault())
    daemon.publish("violation.opened", bodies.violation())
    done = ctl("wait", "violation.opened", "--timeout", "10")
    assert (done.returncode, done.stderr) == (0, "")
    assert "node_down on valkey-1: valkey-1 does not answer" in done.stdout


def test_the_injection_itself_counts(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.publish("fault.injected", bodies.fault())
    assert any_json(ctl("wait", "fault.injected", "--json").stdout)["body"]["id"] == "f1"


def test_an_event_published_before_the_frame_of_the_injection_that_caused_it_counts(
    daemon: ScriptedDaemon, ctl: Ctl
) -> None:
    injected_at = time.time()
    daemon.publish("violation.opened", bodies.violation())
    daemon.publish("fault.injected", bodies.fault(injected_at=injected_at))
    assert ctl("wait", "violation.opened", "--timeout", "5").returncode == 0


def test_events_before_an_injection_that_was_recovered_do_not_count(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.publish("fault.injected", bodies.fault())
    daemon.publish("violation.opened", bodies.violation())
    daemon.publish("fault.recovered", bodies.fault(state="recovered"))
    done = ctl("wait", "violation.opened", "--timeout", "300ms")
    assert done.returncode == 4
    assert done.stderr == "operatorctl: no violation.opened within 0.3 s\n"


def test_events_before_the_last_owed_injection_do_not_count(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    hour_ago = time.time() - 3600
    daemon.publish("fault.injected", bodies.fault("f1", injected_at=hour_ago), wall_ts=hour_ago)
    daemon.publish("violation.opened", bodies.violation(), wall_ts=hour_ago + 1)
    daemon.publish("fault.injected", bodies.fault("f2", target="valkey-2"))
    assert ctl("wait", "violation.opened", "--timeout", "300ms").returncode == 4
    daemon.publish("violation.opened", bodies.violation("valkey-2", 2))
    assert any_json(ctl("wait", "violation.opened", "--json").stdout)["body"]["node"] == "valkey-2"


def test_without_a_fault_it_counts_from_now(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.publish("ticket.opened", bodies.ticket(1))

    def publish() -> None:
        daemon.wait_joined()
        daemon.publish("ticket.opened", bodies.ticket(2))

    publisher = threading.Thread(target=publish)
    publisher.start()
    done = ctl("wait", "ticket.opened", "--json", "--timeout", "30")
    publisher.join()
    assert any_json(done.stdout)["body"]["id"] == 2


def test_an_event_that_comes_before_the_snapshot_is_read_counts(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    take_snapshot = daemon.handlers["snapshot"]

    def publish_behind_the_snapshot(args: Body) -> Body | Script:
        snapshot = take_snapshot(args)
        daemon.publish("ticket.opened", bodies.ticket(2))
        return snapshot

    daemon.on("snapshot", publish_behind_the_snapshot)
    assert any_json(ctl("wait", "ticket.opened", "--json", "--timeout", "10").stdout)["body"]["id"] == 2


def test_an_event_before_a_second_try_to_join_counts(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    take_snapshot = daemon.handlers["snapshot"]

    def fail_once(_: Body) -> Body:
        daemon.publish("ticket.opened", bodies.ticket(2))
        daemon.on("snapshot", take_snapshot)
        raise DeadlineExceeded("too busy for a snapshot")

    daemon.publish("ticket.opened", bodies.ticket(1))
    daemon.on("snapshot", fail_once)
    assert any_json(ctl("wait", "ticket.opened", "--json", "--timeout", "10").stdout)["body"]["id"] == 2


def test_where_picks_the_event_by_its_body(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.publish("fault.injected", bodies.fault())
    daemon.publish("demo.chapter", bodies.chapter(3, title="Stage 3", busy=True))
    daemon.publish("demo.chapter", bodies.chapter(3, title="Stage 3", busy=False))
    done = ctl("wait", "demo.chapter", "--where", "index=3", "busy=false", "--json")
    assert any_json(done.stdout)["body"]["busy"] is False
    timed_out = ctl("wait", "demo.chapter", "--where", "index=4", "--timeout", "0.2", "--json")
    assert timed_out.returncode == 4
    assert any_json(timed_out.stdout)["error"]["message"] == "no demo.chapter index=4 within 0.2 s"


def test_the_output_and_the_states_of_processes_can_be_waited_for(daemon: ScriptedDaemon, ctl: Ctl) -> None:
    daemon.publish("fault.injected", bodies.fault())
    daemon.publish("process.monitor.state", bodies.process(state="starting"))
    daemon.publish("process.monitor.state", bodies.process(state="ready"))
    done = ctl("wait", "process.monitor.state", "--where", "state=ready")
    assert done.returncode == 0
    assert "monitor ready, pid 4711" in done.stdout


def test_a_daemon_that_goes_away_while_we_wait_is_exit_3(daemon: ScriptedDaemon, start_ctl: Popen) -> None:
    process = start_ctl("wait", "violation.opened", "--timeout", "60")
    daemon.wait_followed()
    daemon.stop()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (3, "")
    assert f"the daemon at {daemon.directory} stopped answering" in err


def test_a_daemon_that_is_replaced_while_we_wait_is_exit_3(daemon: ScriptedDaemon, start_ctl: Popen) -> None:
    process = start_ctl("wait", "violation.opened", "--timeout", "60")
    daemon.wait_followed()
    daemon.stop()
    with ScriptedDaemon(daemon.directory):
        _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "was restarted" in err


def frame(seq: int, topic: str, body: Body, wall_ts: float) -> Frame:
    return Frame(topic, Header(1, "b", seq, seq, wall_ts, wall_ts, "x"), body)


def test_a_fault_whose_frame_is_forgotten_still_counts_from_its_injection() -> None:
    history = [frame(1, "violation.opened", {}, 10.0), frame(2, "violation.opened", {}, 21.0)]
    owed = Fault("f1", "kill", "valkey-1", "active", owed=True, injected_at=20.0)
    assert what_counts(history, [owed], 30.0) == history[1:]
    assert what_counts(history, [], 30.0) == []
    assert what_counts(history, [], 21.0) == history[1:]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("node", "valkey-1", True),
        ("node", "valkey", False),
        ("ok", "true", True),
        ("ok", "false", False),
        ("reason", "null", True),
        ("index", "3", True),
        ("index", "three", False),
        ("detail.run_id", "abc", True),
        ("detail.nothing", "abc", False),
        ("node.deeper", "x", False),
    ],
)
def test_conditions_compare_values_as_they_are_written(path: str, text: str, expected: bool) -> None:
    body = {"node": "valkey-1", "ok": True, "reason": None, "index": 3, "detail": {"run_id": "abc"}}
    assert holds(body, (tuple(path.split(".")), text)) is expected
