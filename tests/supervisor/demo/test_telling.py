"""When things happened is reckoned by the time at which they were published, not by when the story heard of them."""

from dataclasses import replace

from operator_protocol.codec import Body
from operator_protocol.frames import Header
from operator_protocol.models import Diagnosis, Fault, Ticket, Violation
from operator_protocol.records import to_body
from operatord.demo.telling import Scene, Telling

WALL = 1_000_000.0
"""Wall clock minus monotonic clock in these tests."""
FAULT = Fault("1", "kill", "valkey-2", "active", role="primary", injected_at=WALL + 10.0, owed=True)


class Heard:
    """A telling that hears of everything a while after it was published."""

    def __init__(self, late_s: float) -> None:
        self._late_s = late_s
        self._now = 0.0
        self.telling = Telling(lambda: self._now, lambda: WALL + self._now)

    def at(self, mono_ts: float, topic: str, body: Body) -> None:
        self._now = mono_ts + self._late_s
        self.telling.see(topic, body, Header(1, "boot", 1, 1, WALL + mono_ts, mono_ts, "test"))

    def scene(self) -> Scene:
        return self.telling.scene([FAULT], load_running=False, in_chapter_s=0.0)


def whole(late_s: float) -> Scene:
    heard = Heard(late_s)
    opened = WALL + 10.06
    violation = Violation("v", "node_down", "valkey-2", "critical", "valkey-2 is down", opened, opened)
    ticket = Ticket(1, "node_down", "valkey-2", "critical", "open", "valkey-2 is down", opened, opened)
    early = Diagnosis("killed", "valkey-2", "process_killed", "…", 0.89, "rules", preliminary=True)
    found = replace(early, summary="killed; valkey-5 took over after 2.0 s", preliminary=False)
    heard.at(10.053, "violation.opened", to_body(violation))
    heard.at(10.06, "fault.injected", to_body(FAULT))
    heard.at(10.2, "ticket.updated", to_body(replace(ticket, diagnosis=early)))
    heard.at(12.3, "ticket.updated", to_body(replace(ticket, diagnosis=found)))
    return heard.scene()


def test_figures_are_those_of_the_frames_however_late_they_are_heard_of() -> None:
    for late_s in (0.0, 0.5):
        scene = whole(late_s)
        assert scene.detected_after_s is not None
        assert round(scene.detected_after_s, 3) == 0.053


def test_a_diagnosis_is_as_old_as_what_it_says() -> None:
    scene = whole(0.0)
    assert scene.first_answer_after_s is not None
    assert scene.diagnosed_after_s is not None
    assert (round(scene.first_answer_after_s, 3), round(scene.diagnosed_after_s, 3)) == (0.2, 2.3)
