"""One ticket and its history as Markdown, for people."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from operator_clients.ctl.output import count, maps

Map = Mapping[str, Any]
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_<>[]#|"})


def ticket_lines(record: Map) -> Iterator[str]:
    """The lines of ``record``, a TicketRecord."""
    ticket = _map(record.get("ticket"))
    node = _text(ticket.get("node") or "the cluster")
    yield f"# Ticket {ticket.get('id')}: {_text(ticket.get('invariant'))} on {node}"
    yield ""
    yield _text(ticket.get("message"))
    yield ""
    yield from _facts(ticket)
    diagnosis = ticket.get("diagnosis")
    if isinstance(diagnosis, dict):
        yield ""
        yield "## Diagnosis"
        yield ""
        yield from _diagnosis(diagnosis)
    yield ""
    yield from history_lines(record)
    earlier = [_map(_map(event.get("data")).get("diagnosis")) for event in maps(record.get("history"))]
    replaced = [one for one in earlier if one and one != diagnosis]
    for number, one in enumerate(replaced, 1):
        yield ""
        yield f"## Earlier diagnosis {number}"
        yield ""
        yield from _diagnosis(one)


def history_lines(record: Map) -> Iterator[str]:
    """What was said of it, oldest first."""
    yield "## History"
    yield ""
    for event in maps(record.get("history")):
        yield f"- {when(event.get('at'))} **{_text(event.get('who'))}** {_said(event)}"


def when(at: object) -> str:
    """A wall-clock time as UTC, to the second; a dash for what no clock shows."""
    if not isinstance(at, int | float):
        return "-"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
    except (ValueError, OverflowError, OSError):
        return "-"


def _facts(ticket: Map) -> Iterator[str]:
    reopened = f", reopened {ticket['reopened']}x" if ticket.get("reopened") else ""
    facts = [
        ("status", f"{ticket.get('status')}{reopened}"),
        ("severity", ticket.get("severity")),
        ("opened", when(ticket.get("opened_at"))),
        ("updated", when(ticket.get("updated_at"))),
        ("resolved", when(ticket["resolved_at"]) if ticket.get("resolved_at") else ""),
        ("seen", f"{ticket.get('occurrences', 1)}x"),
        ("host", ticket.get("host")),
        ("cluster", ticket.get("cluster")),
    ]
    yield "| | |"
    yield "|---|---|"
    for name, value in facts:
        if value:
            yield f"| {name} | {_text(value)} |"


def _diagnosis(diagnosis: Map) -> Iterator[str]:
    if diagnosis.get("markdown"):
        # Its own headings stand below ours.
        for line in str(diagnosis["markdown"]).splitlines():
            yield f"##{line}" if line.startswith("#") else line
        return
    by = f"{_text(diagnosis.get('cause'))}, by {_text(diagnosis.get('source'))}"
    yield f"**{_text(diagnosis.get('summary'))}** ({by})"
    yield ""
    yield _text(diagnosis.get("explanation"))
    for item in maps(diagnosis.get("evidence")):
        yield f"- [{item.get('id')}] {_text(item.get('text'))}"


def _said(event: Map) -> str:
    data = _map(event.get("data"))
    teller = _TELLERS.get(str(event.get("what")))
    return teller(data) if teller is not None else _text(f"{event.get('what')}: {dict(data)}")


def _opened(data: Map) -> str:
    violation = _map(data.get("violation"))
    return f"opened it: {_text(violation.get('message'))} (violation {_text(violation.get('id'))})"


def _repeated(data: Map) -> str:
    return f"saw it again, {data.get('occurrences')}x by now: {_text(_map(data.get('violation')).get('message'))}"


def _moved(data: Map) -> str:
    why = f": {_text(data['note'])}" if data.get("note") else ""
    if data.get("from") == data.get("to"):
        return f"left it {data.get('to')}{why}"
    return f"moved it from {data.get('from')} to {data.get('to')} ({_text(data.get('event'))}){why}"


def _diagnosed(data: Map) -> str:
    diagnosis = _map(data.get("diagnosis"))
    first = "preliminary, " if diagnosis.get("preliminary") else ""
    return f"diagnosed: {_text(diagnosis.get('summary'))} ({first}by {_text(diagnosis.get('source'))})"


def _acted(action: Map) -> str:
    result = f": {_text(action['result'])}" if action.get("result") else ""
    name = f"action {action.get('id')}, {_text(action.get('kind'))} {_text(action.get('target'))}"
    return f"{name}, {_text(action.get('status'))}{result}"


def _gathered(bundle: Map) -> str:
    """The evidence itself is in the diagnosis, and whole in the JSON."""
    number = len(maps(bundle.get("findings")))
    left_out = f", {bundle['omitted']} left out" if bundle.get("omitted") else ""
    return f"kept the evidence: {count(number, 'item')}{left_out}"


_TELLERS: dict[str, Callable[[Map], str]] = {
    "opened": _opened,
    "repeated": _repeated,
    "status": _moved,
    "diagnosis": _diagnosed,
    "note": lambda data: f"noted: {_text(data.get('text'))}",
    "step": lambda data: f"{_text(data.get('kind'))}: {_text(data.get('text'))}",
    "action": _acted,
    "evidence": _gathered,
    "taken_over": lambda data: f"took it over, {_text(data.get('status'))}, from an earlier version",
}


def _map(value: object) -> Map:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """On one line, and nothing of it Markdown: it may come from a log."""
    line = " ".join(str(value).split())
    shown = "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in line)
    return shown.translate(_SPECIAL)
