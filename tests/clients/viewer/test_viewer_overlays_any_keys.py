"""Any keys in the overlays while everything changes below them: whole boxes, and nothing done without a yes."""

import random
from collections.abc import Callable

import pytest
from tests.clients.viewer import scenes
from tests.clients.viewer.staged import SIZES, Stage
from tests.clients.viewer.test_viewer_overlays_faults import ANSWERS as FAULT_ANSWERS
from tests.clients.viewer.test_viewer_overlays_tickets import ANSWERS as TICKET_ANSWERS
from tests.clients.viewer.test_viewer_overlays_tickets import FAILOVER, waiting

from operator_clients.viewer.layout import Size
from operator_protocol.errors import Conflict

KEYS = ["f", "t", "p", "?", "up", "down", "pgup", "pgdn", "g", "G", "left", "right", "tab", "esc", "space", "backspace"]
KEYS += ["enter"] * 6 + ["down"] * 4 + ["i", "a", "x", "n", "h", "s", "o", "d", "l", "r", "1", "5", "é", "数", "ctrl+u"]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
def test_boxes_stay_whole_and_nothing_risky_is_done_without_the_key_for_it(seed: int) -> None:
    dice = random.Random(seed)
    stage = Stage({**FAULT_ANSWERS, **TICKET_ANSWERS})
    scenes.healthy(stage.film)
    changes: list[Callable[[], object]] = [
        lambda: scenes.broken(stage.film),
        lambda: scenes.diagnosed(stage.film),
        lambda: stage.film.show("ticket.updated", waiting()),
        lambda: stage.film.show("action.proposed", FAILOVER),
        lambda: scenes.recovered(stage.film),
        lambda: stage.film.state.nodes.clear(),  # noqa: PLW0108 -- a resync replaces the state
        lambda: stage.film.state.processes.clear(),  # noqa: PLW0108
        lambda: scenes.healthy(stage.film),
        stage.resync,
        lambda: setattr(stage.source, "status", dice.choice(["live", "live", "lost", "stale"])),
        lambda: stage.source.answers.update(
            {"fault.check": dice.choice([FAULT_ANSWERS["fault.check"], Conflict("no")])}
        ),
    ]
    for step in range(200):
        stage.size = dice.choice([*SIZES, Size(81, 25), Size(100, 24)])
        if step % 5 == 0:
            dice.choice(changes)()
        stage.press(dice.choice(KEYS))
        if stage.session.overlays:
            stage.top()
    risky = [(cmd, args) for cmd, args in stage.changed() if cmd == "approve" or (cmd == "fault" and args)]
    assert risky == [], "these want a y"
    restarted = {args["name"] for cmd, args in stage.changed() if cmd == "restart"}
    assert not {name for name in restarted if name.startswith("valkey-") and name != scenes.VICTIM}
