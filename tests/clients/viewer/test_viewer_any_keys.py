"""Any keys in any order on any screen, while things break: no exception, and every picture of exactly its size."""

import random
import time
from pathlib import Path

import pytest
from tests.clients.scripted import ScriptedDaemon
from tests.clients.viewer import scenes
from tests.protocol.journals import Press

from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.compose import draw
from operator_clients.viewer.inflight import READS
from operator_clients.viewer.keymap import KEYMAP, REPLAY_KEYMAP
from operator_clients.viewer.layout import Size
from operator_clients.viewer.replaying import ReplaySession
from operator_clients.viewer.session import Session
from operator_clients.viewer.view import View
from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.follow import Follower
from operator_protocol.recording import Recording
from operator_protocol.records import to_body
from operator_protocol.replay import Replay

STEPS = {False: 220, True: 60}
BOUND = [key for binding in KEYMAP for key in binding.keys if key not in ("q", "ctrl+c")]
MORE = [
    "backspace",
    "ctrl+u",
    "ctrl+w",
    "home",
    "end",
    "x",
    "[",
    "(",
    "\\",
    "*",
    "é",
    "数",
    "🔥",
    "a",
    "y",
    "n",
    "0",
    "=",
]
SIZES = [(80, 24), (80, 25), (120, 40), (160, 36), (200, 60), (300, 24), (81, 90), (7, 3), (1, 1)]
CATALOGUE = {"kinds": [{"name": "kill", "description": "数据 " * 50, "params": [{"name": "percent"}]}], "owed": []}


@pytest.mark.parametrize("readonly", [False, True], ids=["", "read-only"])
def test_any_keys_on_any_screen_while_things_break(daemon: ScriptedDaemon, readonly: bool) -> None:
    dice, pen, mono = random.Random(8), Pen({"TERM": "xterm-256color"}), 100.0
    daemon.on("faults", lambda _: CATALOGUE)
    moments = [scenes.healthy, scenes.counting, scenes.broken, scenes.diagnosing, scenes.diagnosed, scenes.recovered]
    with Follower(runtime_endpoint(daemon.directory)) as follower:
        session = Session(follower, readonly=readonly)
        give_up_at = time.monotonic() + 30
        while follower.status != "live":
            session.observe(follower.poll(0.1), mono, scenes.EPOCH)
            assert time.monotonic() < give_up_at
        film = scenes.Film()
        film.state, film.story = follower.state, session.story
        for step in range(STEPS[readonly]):
            mono += dice.choice([0.01, 0.2, 3.0])
            if step % 15 == 0:
                film.mono = mono
                moments[step // 15 % len(moments)](film)
            for _ in range(dice.randrange(4)):
                session.press(dice.choice(BOUND if dice.random() < 0.7 else MORE), mono)
            session.observe(follower.poll(0), mono, scenes.EPOCH + mono)
            session.tick(mono)
            drawn(session, mono, Size(*dice.choice(SIZES)), pen)
        session.close()
        assert not session.finished
        assert not session.overlays
        if readonly:
            assert {request.cmd for request in daemon.requests} <= READS


def test_any_keys_on_a_recording(tmp_path: Path) -> None:
    press = Press(tmp_path)
    path = press.begin("demo.opj")
    press.publish("cluster.health", to_body(scenes.cluster()))
    press.publish("demo.chapter", to_body(scenes.chapter(2)))
    for second in range(1, 11):
        press.publish("workload.sample", to_body(scenes.sample(second)), after_s=1.0)
    press.publish("ticket.opened", to_body(scenes.ticket()))
    press.publish("violation.opened", to_body(scenes.violation(at=press.wall)), after_s=5.0)
    press.end()
    dice, pen, mono = random.Random(8), Pen({"TERM": "xterm-256color"}), 1000.0
    bound = [key for binding in REPLAY_KEYMAP for key in binding.keys if key not in ("q", "ctrl+c")]
    with Recording.open(path) as recording:
        replay = Replay(recording, clock=lambda: mono)
        session = ReplaySession(replay, mono)
        for _ in range(80):
            mono += dice.choice([0.01, 0.2, 3.0])
            for _ in range(dice.randrange(4)):
                session.press(dice.choice(bound if dice.random() < 0.8 else [*MORE, "f", "r", ":"]), mono)
            session.observe(replay.poll(0), mono, 0.0)
            session.tick(mono)
            drawn(session, mono, Size(*dice.choice(SIZES)), pen)
        session.close()
        assert not session.finished


def drawn(session: Session, mono: float, size: Size, pen: Pen) -> None:
    """Draw it as the viewer does, and look whether the picture is of its size."""
    shell = session.shell(mono)
    shown_mono, wall = session.view_time(mono, scenes.EPOCH + mono)
    view = View(
        *(session.follower.state, session.story, wall, shown_mono),
        recorded=shell.tape is not None,
        focus=session.ui.focus,
        zoom=session.ui.zoom,
        readonly=session.readonly,
    )
    picture, session.extent = draw(view, shell, size, pen)
    assert (len(picture), {len(row) for row in picture}) == (size.height, {size.width})
