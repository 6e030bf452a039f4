"""The commands that this is done with, and the package that brings each."""

import json
from collections.abc import Sequence
from typing import Any

from operator_protocol.errors import Unavailable
from operatord.injectors.commands import Commands

PACKAGES = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables", "nsenter": "util-linux", "unshare": "util-linux"}


async def must(commands: Commands, argv: Sequence[str], *, what: str, stdin: str = "") -> str:
    """Run ``argv`` and return its output. Raises ``Unavailable`` saying that ``what`` failed, and why."""
    done = await commands.run(argv, stdin=stdin)
    if done.returncode != 0:
        raise Unavailable(f"{what} failed: {complaint(done.stderr) or f'{argv[0]} ended with {done.returncode}'}")
    return done.stdout


async def listed(commands: Commands, argv: Sequence[str], *, what: str) -> list[dict[str, Any]]:
    """What ``ip -j`` or ``tc -j`` lists. Raises ``Unavailable`` like ``must``, also for an answer that is no list."""
    output = await must(commands, argv, what=what)
    try:
        rows = json.loads(output or "[]")
    except ValueError as error:
        raise Unavailable(f"{what} failed: {argv[0]} answered with something else than JSON") from error
    # ``ip`` prints empty objects for what a filter leaves out.
    return [row for row in rows if row] if isinstance(rows, list) else []


def complaint(text: str) -> str:
    """The first line that says what is wrong, else the last that says anything."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = next((line for line in lines if "Error: " in line), lines[-1] if lines else "")
    return said.rpartition("Error: ")[2].removesuffix(".")
