"""What the viewer remembers of what happened, and the lines it makes of it."""

from dataclasses import replace

from tests.clients.viewer import scenes

from operator_clients.viewer.story import LOG_LINES, STEPS_PER_TICKET, Story
from operator_protocol.frames import Frame
from operator_protocol.models import AgentStep, ClusterEvent, ClusterHealth


def lines(film: scenes.Film, kind: str = "") -> list[str]:
    return [line.text for line in film.story.log if not kind or line.kind == kind]


def test_the_time_to_detection_is_taken_from_the_daemons_own_clock() -> None:
    film = scenes.counting()
    film.show("fault.injected", scenes.fault(injected_at=1.0))
    film.show("violation.opened", scenes.violation(), after_s=0.31)
    detection = film.story.detection()
    assert detection is not None
    assert detection.text == "DETECTED node_down valkey-1 0.3 s after injection"


def test_a_violation_without_a_fault_is_detected_without_a_time() -> None:
    film = scenes.healthy().show("violation.opened", scenes.violation())
    detection = film.story.detection()
    assert detection is not None
    assert detection.text == "DETECTED node_down valkey-1"


def test_a_detection_can_overtake_the_word_of_its_fault() -> None:
    film = scenes.healthy().show("violation.opened", scenes.violation())
    film.show("fault.injected", scenes.fault(injected_at=scenes.EPOCH + film.mono - 0.03), after_s=0.05)
    detection = film.story.detection()
    assert detection is not None
    assert detection.text == "DETECTED node_down valkey-1 30 ms after injection"


def test_the_detection_that_is_shown_is_the_first_that_a_fault_explains() -> None:
    film = scenes.healthy().show("violation.opened", scenes.violation("p99", "valkey-0"))
    film.show("fault.injected", scenes.fault())
    film.show("violation.opened", scenes.violation(), after_s=0.2)
    film.show("violation.opened", scenes.violation("slot_uncovered", None), after_s=0.2)
    detection = film.story.detection()
    assert detection is not None
    assert detection.violation.invariant == "node_down"
    film.show("violation.closed", scenes.violation())
    detection = film.story.detection()
    assert detection is not None
    assert detection.violation.invariant == "slot_uncovered"


def test_only_the_first_detection_of_a_fault_is_marked_on_the_time_axis() -> None:
    film = scenes.healthy().show("violation.opened", scenes.violation("p99_latency", "valkey-0"))
    film.show("fault.injected", scenes.fault())
    film.show("violation.opened", scenes.violation(), after_s=0.2)
    film.show("violation.opened", scenes.violation("slot_uncovered", None), after_s=0.2)
    assert [mark.kind for mark in film.story.marks] == ["fault", "detection"]


def test_after_a_recovery_the_next_violation_is_not_put_down_to_the_old_fault() -> None:
    film = scenes.recovered().show("violation.opened", scenes.violation(), after_s=30.0)
    detection = film.story.detection()
    assert detection is not None
    assert detection.after_s is None


def test_who_joins_after_the_injection_knows_the_time_by_wall_clock() -> None:
    film = scenes.Film()
    film.state.apply("fault.injected", film.frame("fault.injected", scenes.fault(injected_at=scenes.EPOCH + 99.5)).body)
    film.story.resume(scenes.BOOT, film.state, [])
    film.show("violation.opened", scenes.violation())
    detection = film.story.detection()
    assert detection is not None
    assert detection.after_s is not None
    assert round(detection.after_s, 3) == 0.5


def test_history_is_not_news() -> None:
    film = scenes.broken()
    tail = [film.frame("violation.opened", scenes.violation()), film.frame("agent.step", scenes.STEPS[0])]
    story = Story()
    story.resume(scenes.BOOT, film.state, tail)
    detection, work = story.detection(), story.work(film.state)
    assert detection is not None
    assert not film.view().fresh(detection)
    assert work is not None
    assert [step.text for step in work.steps] == [scenes.STEPS[0].text]


def test_a_resync_tells_what_was_missed_once() -> None:
    film = scenes.broken()
    known = len(film.story.log)
    missed = film.frame("violation.opened", scenes.violation("slot_uncovered", None))
    film.state.apply(missed.topic, missed.body)
    film.story.resume(scenes.BOOT, film.state, [missed])
    film.story.resume(scenes.BOOT, film.state, [missed])
    assert len(film.story.log) == known + 1


def test_another_boot_begins_a_new_story() -> None:
    film = scenes.diagnosed()
    film.story.resume("another", scenes.Film().state, [])
    assert not film.story.log
    assert film.story.detection() is None
    assert film.story.work(film.state) is None


def test_what_a_servers_log_tells_is_a_line_with_the_number_of_those_like_it() -> None:
    film = scenes.Film()
    film.show("cluster.event", ClusterEvent("tikv1", "leader", "region 4 has a leader here, term 6", 1.0, 4))
    film.show("cluster.event", ClusterEvent("tikv1", "disk", "the disk went from Normal to AlmostFull", 1.0))
    film.show("cluster.event", ClusterEvent("tikv2", "unreachable", "cannot reach store 5", 1.0, None, 5, 12))
    film.show("cluster.event", ClusterEvent("tikv2", "of another version", "news", 1.0))
    assert [(one.text, one.tone) for one in film.story.log if one.kind == "event"] == [
        ("tikv1: region 4 has a leader here, term 6", "plain"),
        ("tikv1: the disk went from Normal to AlmostFull", "warn"),
        ("tikv2: cannot reach store 5 (and 12 more)", "warn"),
        ("tikv2: news", "plain"),
    ]


def test_only_changes_become_lines() -> None:
    film = scenes.healthy()
    known = lines(film)
    for _ in range(5):
        film.show("cluster.health", scenes.cluster())
        film.show("process.monitor.state", scenes.process("monitor", cpu_percent=9.0))
        film.show("demo.chapter", scenes.chapter(2))
        film.show("heartbeat", {"seq": 1, "topics": {}, "uptime": 1.0, "subscribers": 1})
    assert lines(film) == known


def test_a_narration_that_only_counts_up_is_said_once() -> None:
    film = scenes.healthy()
    for second in range(1, 9):
        film.show("demo.chapter", scenes.chapter(4, narration=f"Waiting for detection... {second} s"))
    film.show("demo.chapter", scenes.chapter(4, narration="Nothing was detected within 30 s."))
    assert lines(film, "chapter")[-2:] == [
        "[5/8] Stage 4: Detection: Waiting for detection... 1 s",
        "Nothing was detected within 30 s.",
    ]


def test_the_whole_story_reads_as_lines() -> None:
    told = "\n".join(lines(scenes.recovered()))
    for part in (
        "[4/8] Stage 3: Fault Injection: A random primary",
        "kill valkey-1 in 3…",
        "injected: kill valkey-1",
        "valkey-1 ended by SIGKILL",
        "DETECTED node_down valkey-1 0.2 s after injection: valkey-1 does not answer",
        "valkey-1 up → down",
        "load degraded: 410 ops/s of 2,000",
        "ticket #1 open: node_down valkey-1",
        "#1 evidence: [1] the process of valkey-1 ended by SIGKILL",
        "#1 valkey-1, primary of shard-1, was killed; valkey-4 took over after 1.6 s. [process_killed on valkey-1;",
        "valkey-4 replica → primary",
        "valkey is healthy again",
        "node_down valkey-1 holds again",
        "recovered: kill valkey-1 (by undo)",
        "load is back: 1,998 ops/s",
    ):
        assert part in told


def test_a_worker_that_ended_says_how() -> None:
    film = scenes.healthy()
    film.show("process.agent.state", scenes.process("agent", "backoff", exit_code=3, restarts=1))
    film.show("process.agent.state", scenes.process("agent", "starting", restarts=1))
    film.show("process.agent.state", scenes.process("agent", restarts=1))
    film.show("process.ycsb.state", scenes.process("ycsb", "failed", reason="no such program"))
    film.show("process.monitor.state", scenes.process("monitor", "stopping"))
    film.show("process.monitor.state", scenes.process("monitor", "stopped"))
    assert lines(film, "process")[-4:] == [
        "agent ended with exit code 3",
        "agent is back (restart 1)",
        "ycsb failed: no such program",
        "monitor stopped",
    ]


def test_a_declared_process_says_why_it_failed_and_an_end_without_error_is_no_bad_news() -> None:
    film = scenes.healthy()
    for name in ("api", "job"):
        film.show(f"process.{name}.state", scenes.process(name, kind="declared"))
    reason = "exit code 3; given up after 4 deaths"
    film.show("process.api.state", scenes.process("api", "failed", kind="declared", exit_code=3, reason=reason))
    film.show("process.job.state", scenes.process("job", "stopped", kind="declared", exit_code=0))
    told = [(one.text, one.tone) for one in film.view().story.log if one.kind == "process"][-2:]
    assert told == [(f"api failed: {reason}", "bad"), ("job ended with exit code 0", "plain")]


def test_an_observation_that_fails_is_told_once_and_its_end_too() -> None:
    film = scenes.healthy()
    for _ in range(3):
        film.show("cluster.health", ClusterHealth("valkey", None, "no node answered"))
    film.show("cluster.health", scenes.cluster())
    assert lines(film, "node")[-2:] == [
        "valkey could not be observed: no node answered",
        "valkey can be observed again",
    ]


def test_a_body_that_cannot_be_read_is_passed_over() -> None:
    film = scenes.healthy()
    known = lines(film)
    for topic in ("violation.opened", "cluster.health", "agent.step", "agent.diagnosis", "process.monitor.state"):
        good = film.frame(topic, {})
        assert film.story.see(Frame(topic, good.header, {"id": 7, "state": []}), film.mono) == []
    assert lines(film) == known


def test_memory_is_bounded() -> None:
    film = scenes.healthy()
    for number in range(2_000):
        film.show("agent.step", AgentStep(number % 50, "thought", "on and on"))
        film.show("fault.injected", replace(scenes.fault(), target=f"valkey-{number % 6}"))
    assert len(film.story.log) <= LOG_LINES
    assert len(film.story.works) <= 32
    assert all(len(work.steps) <= STEPS_PER_TICKET for work in film.story.works.values())


def test_the_work_shown_is_what_goes_on_then_the_first_open_ticket() -> None:
    film = scenes.diagnosed()
    film.show("ticket.opened", scenes.ticket(2))
    film.show("agent.step", AgentStep(2, "thought", "another one"))
    work = film.story.work(film.state)
    assert work is not None
    assert work.ticket == 2
    film.show("ticket.updated", scenes.ticket(2, "diagnosed", scenes.diagnosis()))
    work = film.story.work(film.state)
    assert work is not None
    assert work.ticket == 1


def test_the_ticket_of_the_detection_that_is_shown_comes_before_an_older_one() -> None:
    film = scenes.healthy()
    other = replace(scenes.ticket(1, "diagnosed", scenes.diagnosis()), invariant="p99_latency", node="valkey-4")
    film.show("ticket.updated", other)
    film.show("fault.injected", scenes.fault(injected_at=scenes.EPOCH + film.mono))
    film.show("violation.opened", scenes.violation())
    film.show("ticket.updated", scenes.ticket(2, "diagnosed", scenes.diagnosis()))
    work = film.story.work(film.state)
    assert work is not None
    assert work.ticket == 2


def test_a_ticket_of_an_earlier_run_is_no_story_once_it_is_resolved() -> None:
    film = scenes.healthy()
    film.state.tickets[7] = scenes.ticket(7, "diagnosed", scenes.diagnosis())
    film.story.resume(scenes.BOOT, film.state, [])
    assert film.story.work(film.state) is not None
    film.show("ticket.resolved", scenes.ticket(7, "resolved", scenes.diagnosis()))
    assert film.story.work(film.state) is None
