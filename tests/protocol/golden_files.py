"""Golden files: the parts of one message, each as JSON for people and as the bytes themselves.

A file has two lines for each part, ``json`` and ``hex``; they say the same, and a test holds them to it.
"""

import json
from pathlib import Path
from typing import NamedTuple

import msgpack

DIRECTORY = Path(__file__).parent / "golden"
SUFFIX = ".golden"
_WIDTH = 64
"""Bytes in one line of hex."""


class Part(NamedTuple):
    """One part of a message."""

    shown: str
    data: bytes


def names(prefix: str) -> list[str]:
    """The golden files of one kind: ``frame``, ``command``, ``reply``, ``error``, ``record``."""
    found = [path.name for path in DIRECTORY.glob(f"{prefix}.*{SUFFIX}")]
    return sorted(name.removeprefix(f"{prefix}.").removesuffix(SUFFIX) for name in found)


def read(kind: str, name: str, directory: Path = DIRECTORY) -> list[Part]:
    """The parts of a message."""
    parts: list[Part] = []
    shown, data = "", ""
    for line in (directory / f"{kind}.{name}{SUFFIX}").read_text(encoding="utf-8").splitlines():
        label, _, rest = line.partition(" ")
        if label == "json":
            if shown:
                parts.append(Part(shown, bytes.fromhex(data)))
            shown, data = rest, ""
        elif label == "hex":
            data += rest
        else:
            raise ValueError(f"neither json nor hex: {line!r}")
    return [*parts, Part(shown, bytes.fromhex(data))]


def render(data: list[bytes]) -> str:
    """The text of a golden file; in a message of three parts the first is a topic, as it is."""
    lines = []
    for position, part in enumerate(data):
        value = part.decode() if len(data) == 3 and position == 0 else msgpack.unpackb(part)
        lines.append(f"json {shown(value)}")
        lines += [f"hex {part[start : start + _WIDTH].hex()}" for start in range(0, len(part), _WIDTH)]
    return "\n".join(lines) + "\n"


def shown(value: object) -> str:
    """``value`` as JSON; unlike ``==`` it tells 1, 1.0 and true apart."""
    return json.dumps(value, ensure_ascii=False)
