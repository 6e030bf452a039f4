"""What a recording that is given away must not tell: of the machine, of its people, or a secret."""

import ipaddress
import os
import pwd
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from operator_protocol.recording import Recording
from operatord.workers.agent.redaction import Redactor

_PATH = re.compile(r"(?<![\w.:/])/(?:tmp|home|root|work|var|usr|opt|etc|run|dev|mnt|srv|build|Users)(?:/[^\s'\"]*)?")
_ACCOUNT = re.compile(r"\b(?!presenter\b)[a-z_][\w-]*\[\d+\]")
"""An actor, as a client names itself: account and process."""
_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_URL = re.compile(r"\w+://[^\s/'\"(),;]+")
_LOCAL_URL = re.compile(r"\w+://(?:127\.0\.0\.1|localhost|pd\d|tikv\d|prometheus|grafana)(?::\d+)?")
_COMMON = {"", "localhost", "vm", "root", "operator", "runner", "user"}
"""Names of hosts and accounts that are words of their own; ``root[1]`` is found all the same."""


def own_names() -> set[str]:
    """What this machine and its people are called."""
    return {socket.gethostname(), pwd.getpwuid(os.getuid()).pw_name, Path.home().name} - _COMMON


def leaks(path: Path, own: Iterable[str] = ()) -> list[str]:
    """Each thing found, once, with the topic that it was found in; ``own`` are names of where it was made."""
    names = re.compile(rf"\b(?:{'|'.join(map(re.escape, own))})\b") if own else None
    found: dict[str, None] = {}
    redactor = Redactor()
    with Recording.open(path) as recording:
        for entry in range(len(recording)):
            frame = recording.read(entry)
            assert frame is not None
            for text in _strings([frame.header.source, frame.body]):
                what = [*_PATH.findall(text), *_ACCOUNT.findall(text), *(names.findall(text) if names else ())]
                what += [one for one in _ADDRESS.findall(text) if not _is_inside(one)]
                what += [one for one in _URL.findall(text) if not _LOCAL_URL.fullmatch(one)]
                before = redactor.counts.total()
                redactor.clean(text)
                what += ["a secret"] if redactor.counts.total() > before else []
                found.update(dict.fromkeys(f"{frame.topic}: {one} in {text[:120]!r}" for one in what))
    return list(found)


def _strings(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _strings(key)
            yield from _strings(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _strings(value)


def _is_inside(text: str) -> bool:
    """True for the loopback and for what a container engine gives to its networks."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return True  # a version with four parts
    return address.is_loopback or address in ipaddress.ip_network("172.16.0.0/12")
