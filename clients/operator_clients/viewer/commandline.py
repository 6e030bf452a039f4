"""The line of the palette: what may come next in it, and the words of ``operatorctl`` that it stands for."""

import difflib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from operator_clients.ctl.commands import COMMANDS
from operator_clients.format import clean
from operator_protocol.errors import BadRequest, Conflict, UnknownCommand
from operator_protocol.state import State

_READS: Final = frozenset({"status", "processes", "tickets", "ticket", "logs", "events", "replay"}) | {
    *("faults", "wait", "actions", "action"),
}
"""Subcommands that change nothing; a read-only viewer runs these, and those of ``_READING_ACTIONS``."""
_READING_ACTIONS: Final = {"agent": "show", "workload": "show", "experiment": "check", "coord": "messages"}
_OF_TICKETS: Final = frozenset({"ticket", "hold", "resolve", "reopen", "note", "diagnose"})
_OF_ACTIONS: Final = frozenset({"action", "approve", "reject"})
_OF_PROCESSES: Final = frozenset({"restart", "stop", "logs"})
_SHORTER: Final = {"fault": "fault [KIND] [TARGET] [NAME=VALUE ...] [--for D]"}
"""Usages that are shorter here than in a shell."""
_QUIT: Final = ("q", "quit", "exit")
HELP: Final = "help"


class Offer(NamedTuple):
    """A word that may stand here."""

    word: str
    about: str = ""


class Kind(NamedTuple):
    """A fault of the daemon's catalogue."""

    name: str
    description: str
    params: tuple[str, ...]
    missing: str


def kinds_of(catalogue: Mapping[str, Any]) -> list[Kind]:
    """The faults in the daemon's answer to ``faults``."""
    kinds = [kind for kind in catalogue.get("kinds") or () if isinstance(kind, Mapping)]
    return [
        Kind(
            str(kind.get("name")),
            clean(str(kind.get("description") or "")),
            tuple(str(param.get("name")) for param in kind.get("params") or () if isinstance(param, Mapping)),
            clean(str(kind.get("missing") or "")),
        )
        for kind in kinds
    ]


def leaves(text: str) -> bool:
    """True for ``q`` and its like, which people know from elsewhere."""
    return text.strip() in _QUIT


def offers(text: str, state: State, kinds: Sequence[Kind] = ()) -> list[Offer]:
    """What the last word of ``text`` may become; where nothing begins so, for the first word, what has it within."""
    *before, prefix = re.split(r"\s+", text.lstrip())
    if not before:
        every = [Offer(name, entry.summary) for name, entry in COMMANDS.items()]
        every.append(Offer(HELP, "What there is, or what one command takes."))
        starting = [one for one in every if one.word.startswith(prefix)]
        return starting or [one for one in every if prefix in one.word]
    found = [one for one in _arguments(before, state, kinds) if one.word.startswith(prefix)]
    if prefix.startswith("-"):
        found += [Offer(option) for option in _learned(before[0])[0] if option.startswith(prefix)]
    return found


def common(words: Iterable[str]) -> str:
    """The longest beginning that all of ``words`` share."""
    listed = list(words)
    shortest = min(listed, key=len, default="")
    for length, char in enumerate(shortest):
        if any(word[length] != char for word in listed):
            return shortest[:length]
    return shortest


def usage(text: str) -> str:
    """What the command of ``text`` takes, and what it is for; empty for none."""
    words = text.split()
    entry = COMMANDS.get(words[0]) if words else None
    return f"{_SHORTER.get(words[0], entry.usage)}: {entry.summary}" if entry else ""


def words_of(text: str, *, readonly: bool) -> list[str]:
    """The arguments of ``operatorctl`` for ``text``; a leading ``operatorctl`` may be there.

    For ``fault`` what is not an option is shorter than on a command line: ``fault slow valkey-1 percent=50``.
    Raises ``UnknownCommand`` with the nearest one, ``BadRequest`` for an open quote, ``Conflict`` where it is refused.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadRequest(f"the line cannot be read: {error}") from error
    words = words[1:] if words[:1] == ["operatorctl"] else words
    if not words:
        return []
    if words[0] == HELP:
        return [*words[1:2], "--help"]
    if words[0] not in COMMANDS:
        near = difflib.get_close_matches(words[0], [*COMMANDS, HELP], n=1)
        hint = f"did you mean {near[0]!r}?" if near else "TAB lists what there is"
        raise UnknownCommand(f"no command {words[0]!r}", hint)
    if readonly and not _reads(words):
        raise Conflict(f"read-only: {words[0]} changes something", "start a viewer without --readonly")
    return _of_fault(words) if words[0] == "fault" else words


def _reads(words: Sequence[str]) -> bool:
    # Asked for at once: further on, it may be the value of an option, or behind ``--`` a plain word.
    return words[0] in _READS or words[1:2] in (["-h"], ["--help"], [_READING_ACTIONS.get(words[0])])


def _of_fault(words: Sequence[str]) -> list[str]:
    """``NAME=VALUE`` is a parameter, and the second bare word is the target."""
    expanded, bare, value_next = [words[0]], 0, False
    for word in words[1:]:
        if value_next or word.startswith("-"):
            value_next = not value_next and word in ("--target", "--countdown", "--for", "--set")
            expanded.append(word)
        elif "=" in word:
            expanded += ["--set", word]
        else:
            bare += 1
            expanded += ["--target", word] if bare == 2 else [word]
    return expanded


def _arguments(before: Sequence[str], state: State, kinds: Sequence[Kind]) -> Iterator[Offer]:
    command, place = before[0], len(before)
    if command == "fault":
        yield from _fault_arguments(before, state, kinds)
    elif command == "faults" and place == 1:
        yield from (Offer(kind.name, kind.description) for kind in kinds)
    elif command == HELP and place == 1:
        yield from (Offer(name, entry.summary) for name, entry in COMMANDS.items())
    elif place == 1:
        yield from _learned(command)[1]
        if command in _OF_TICKETS:
            yield from (Offer(str(one.id), f"{one.status}: {one.message}") for one in state.tickets.values())
        elif command in _OF_ACTIONS:
            some = state.actions.values()
            yield from (Offer(str(one.id), f"{one.status}: {one.kind} {one.target}") for one in some)
        elif command == "goto" and state.demo is not None:
            yield from (Offer(str(number), f"chapter {number + 1}") for number in range(state.demo.total))
        elif command == "recover":
            yield from (Offer(one.id, f"{one.kind} {one.target}: {one.state}") for one in state.faults.values())
    elif command == "act" and place == 2:
        yield from _nodes(state)
    if command in _OF_PROCESSES and (place == 1 or command == "logs"):
        yield from (Offer(one.name, f"{one.kind}, {one.state}") for one in state.processes.values())


def _fault_arguments(before: Sequence[str], state: State, kinds: Sequence[Kind]) -> Iterator[Offer]:
    if len(before) == 1:
        for kind in kinds:
            yield Offer(kind.name, f"not here: {kind.missing}" if kind.missing else kind.description)
        return
    if before[-1] == "--target" or len(before) == 2:
        yield from _nodes(state)
        yield from (Offer(role, "one of that role") for role in dict.fromkeys(n.role for n in state.nodes.values()))
        yield Offer("random", "the daemon chooses")
    chosen = next((kind for kind in kinds if kind.name == before[1]), None)
    if chosen is not None:
        given = {word.partition("=")[0] for word in before}
        yield from (Offer(f"{name}=", "parameter") for name in chosen.params if name not in given)


def _nodes(state: State) -> Iterator[Offer]:
    return (Offer(node.id, f"{node.role}, {node.state}") for node in state.nodes.values())


@lru_cache
def _learned(command: str) -> tuple[tuple[str, ...], tuple[Offer, ...]]:
    """The options of a subcommand, and the actions within it where it has any, out of its own help."""
    entry = COMMANDS.get(command)
    if entry is None:
        return (), ()
    from operator_clients.ctl.parsing import subcommand_parser

    subcommand = entry.load()
    parser = subcommand_parser(command, entry.summary, "")
    subcommand.configure(parser)
    text = parser.format_help()
    options = dict.fromkeys(re.findall(r"--[a-z][a-z-]*", text))
    actions = re.search(r"^usage:[^{]*?\{([a-z,-]+)\}", text)
    words = actions[1].split(",") if actions else ()
    return tuple(options), tuple(Offer(word) for word in words)
