"""Glyphs, words and colours: one look for each state, so that nothing is told by colour alone.

Only the sixteen colours of the terminal's own palette are used, never a fixed background, so that light and dark
terminals and those with sixteen colours show the same picture.
"""

import signal as _signal
from typing import Literal, NamedTuple

from operator_protocol.models import NodeState, ProcessPhase, Severity, SignalState, StepKind

GOOD = "green"
BAD = "red"
WARN = "yellow"
INFO = "cyan"
FAULT = "magenta"
DIM = "dim"
STRONG = "bold"

Tone = Literal["good", "bad", "warn", "info", "fault", "plain"]


class Look(NamedTuple):
    """How a state is shown."""

    glyph: str
    style: str
    word: str


NODE: dict[NodeState, Look] = {
    "up": Look("●", GOOD, "up"),
    "degraded": Look("◐", WARN, "degraded"),
    "down": Look("✗", BAD, "down"),
    "unknown": Look("?", DIM, "unknown"),
}

SIGNAL: dict[SignalState, Look] = {
    "up": Look("✓", GOOD, "up"),
    "down": Look("✗", BAD, "down"),
    "unknown": Look("?", DIM, "unknown"),
}

PROCESS: dict[ProcessPhase, Look] = {
    "ready": Look("●", GOOD, "ready"),
    "starting": Look("◐", WARN, "starting"),
    "stopping": Look("◐", WARN, "stopping"),
    "backoff": Look("✗", BAD, "died"),
    "failed": Look("✗", BAD, "failed"),
    "stopped": Look("○", DIM, "stopped"),
}

SEVERITY: dict[Severity, str] = {"info": INFO, "warning": WARN, "critical": BAD}

STEP: dict[StepKind, Look] = {
    "evidence": Look("◇", INFO, "evidence"),
    "thought": Look("~", "italic", "thought"),
    "tool": Look(">", FAULT, "tool"),
    "result": Look("=", GOOD, "result"),
}

TONE: dict[Tone, Look] = {
    "good": Look("✓", GOOD, "ok"),
    "bad": Look("✗", BAD, "bad"),
    "warn": Look("!", WARN, "warning"),
    "info": Look("·", INFO, "info"),
    "fault": Look("◄", FAULT, "fault"),
    "plain": Look("·", "", ""),
}

LEADER = "★"
RESTARTED = "↻"
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧"


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; the number itself for one that has no name here."""
    try:
        return _signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
