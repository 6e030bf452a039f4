"""Somebody who knows only ``operator-viewer`` and ``?``, on a real daemon in a pty: nothing but keys."""

import json
import re

from tests.clients.viewer.terminal import Terminal

from .real_daemon import BIN, RealDaemon

PATIENCE_S = 90.0
_POINTER = re.compile(r"▶ .{24}")
_HEALTHY = re.compile(r"● valkey-\d")


def test_a_newcomer_slows_a_node_reads_the_diagnosis_approves_its_action_and_returns_to_green(
    daemon: RealDaemon,
) -> None:
    argv = [str(BIN / "operator-viewer"), "--endpoint", str(daemon.runtime_dir)]
    with Terminal(argv, width=80, height=24) as terminal:
        terminal.until(lambda screen: len(_HEALTHY.findall(screen)) == 6)
        terminal.press("?")
        keys = terminal.until("Keys")
        assert all(words in keys for words in ("Break something", "Tickets", "Undo every fault"))
        terminal.press("?")

        # What is there to be broken, and where may it be done?
        terminal.press("f")
        terminal.until("guard rails: allowed")
        go_down_to(terminal, r"slow\b")
        terminal.until("duty cycle")
        terminal.press("\r")
        terminal.until("Fault: slow")
        terminal.press("?")
        terminal.until("Go on to the question whether to inject it")
        terminal.press("\x1b")
        terminal.until(lambda screen: "ENTER lists them" in screen and "Everywhere else" not in screen)
        terminal.press("\r")
        terminal.until("on which node?")
        terminal.until(lambda screen: screen.count("✓ allowed") >= 7)
        go_down_to(terminal, r"★ ● valkey-1\b")
        terminal.press("\r")
        terminal.until("Inject… slow on valkey-1")
        terminal.press("i")
        terminal.until(lambda screen: "y injects it" in screen and "✓ guard rails: allowed on valkey-1" in screen)
        assert daemon.status()["faults"] == []
        terminal.press("y")
        terminal.until(lambda screen: bool(re.search(r"slow valkey-1 in \d…", screen)), PATIENCE_S)
        terminal.until(lambda screen: bool(re.search(r"DETECTED \w+ valkey-1", screen)), PATIENCE_S)

        # What does the agent make of it, and what does it want to do?
        terminal.press("t")
        terminal.until("waits for your decision", PATIENCE_S)
        terminal.press("g\r")
        ticket = terminal.until(lambda screen: "a approves it" in screen and "Diagnosis" in screen)
        assert "failover valkey-1" in ticket
        assert "stopped and continued again and again" in " ".join(ticket.replace("┃", " ").split())
        read = ticket
        while "below" in read.splitlines()[22]:
            terminal.press("\x1b[6~")
            read = changed(terminal, read)
        assert "What would change this answer" in read
        terminal.press("ga")
        question = terminal.until("now it would")
        assert "disruptive" in question
        terminal.press("y")
        terminal.until("► failover valkey-1", PATIENCE_S)

        # The node is still slow: on purpose, and the screen says how that is undone.
        terminal.until("slow valkey-1 is active, made on purpose   r recovers it")
        terminal.press("r")
        terminal.until("✓ failover valkey-1", PATIENCE_S)
        terminal.until("✓ resolved", PATIENCE_S)
        terminal.press("\x1b")
        terminal.until("Tickets")
        terminal.press("\x1b")
        terminal.until(
            lambda screen: len(_HEALTHY.findall(screen)) == 6 and "✓ all" in screen and "● healthy" in screen,
            PATIENCE_S,
        )
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.is_clean()
    assert daemon.status()["faults"] == []
    proposed = json.loads(daemon.ctl("actions", "--json", check=True).stdout)["actions"]
    # On a loaded machine something may be proposed for others, too.
    done = [one for one in proposed if one["target"] == "valkey-1"]
    assert [(one["kind"], one["status"]) for one in done] == [("failover", "succeeded")]
    assert "policy" not in done[0]["decided_by"]


def go_down_to(terminal: Terminal, row: str) -> None:
    """Press the arrow until the pointer stands before it."""
    pointed = re.compile(rf"▶ {row}")
    for _ in range(30):
        before = terminal.text()
        if pointed.search(before):
            return
        terminal.press("\x1b[B")
        # Other things on the screen change, too: pressed again before the pointer has moved, it would go too far.
        where = _POINTER.findall(before)
        terminal.until(lambda screen: _POINTER.findall(screen) != where)  # noqa: B023  # called at once
    raise AssertionError(f"{row} is not to be reached:\n{terminal.text()}")


def changed(terminal: Terminal, before: str) -> str:
    """Wait for another picture."""
    return terminal.until(lambda screen: screen != before)
