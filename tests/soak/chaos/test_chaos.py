"""At least one disturbance a second, to everybody: afterwards nothing is left, nothing owed, and no ticket lost.

``make soak`` runs it for ``SOAK_S`` seconds (600), with ``SOAK_SEED`` if that is set; the seed is printed, and so are
the figures, as JSON. A short one, of which nobody can ask that each kind hits each victim, is in ``make test``.
"""

import json
import os
import random
import secrets
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.real_daemon import until
from tests.isolated import abilities

from operatord.faults.undo_journal import read_owed
from operatord.isolation.names import Names
from operatord.leftovers import MARKER
from operatord.tickets.db import FILE_NAME

from . import forking_hook
from .clients import Clients
from .disturbances import Chaos
from .house import House
from .reckoning import memory_of_last, violations_in, without_ticket

SHORT_S = 10.0
_COMPLETE_S = 240.0
"""With so much time each kind hits each victim."""
_COMPLETION_S = 120.0
"""For faults that the guard rails have refused all the time, because of what else was broken."""
_DAEMON_DIES_FOR = 0.5
"""Share of the time; then the last daemon lives, so that its memory can be seen to stay flat."""
_GROWTH_MIB = 12.0
_LIVED_S = 120.0


@pytest.mark.timeout(180)
def test_ten_seconds_of_it_leave_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    require_peace_after(SHORT_S, tmp_path_factory.mktemp("d"), keep=True, isolate=False, say=print)


@pytest.mark.soak
@pytest.mark.parametrize("keep", [False, True], ids=["servers die with it", "isolated servers are kept"])
def test_all_of_it_leaves_nothing(
    tmp_path_factory: pytest.TempPathFactory, keep: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    def say(text: str) -> None:
        with capfd.disabled():
            print(text, flush=True)

    seconds = float(os.environ.get("SOAK_S", "600")) / 2
    # Where they cannot be isolated, the faults of the network cannot be injected.
    isolate = keep and not abilities().problem
    require_peace_after(seconds, tmp_path_factory.mktemp("d"), keep=keep, isolate=isolate, say=say)


def require_peace_after(
    seconds: float, directory: Path, *, keep: bool, isolate: bool, say: Callable[[str], None]
) -> None:
    seed = int(os.environ.get("SOAK_SEED", secrets.randbelow(1 << 32)))
    say(f"\nchaos for {seconds:g} s; again with SOAK_SEED={seed}")
    with _marked(directory) as marker, _watch(marker) as watch:
        figures: dict[str, Any] = {"seed": seed, "seconds": seconds, "keep": keep, "isolate": isolate}
        house = House(directory, marker, keep=keep, isolate=isolate)
        clients = Clients(directory, house.daemon.runtime_dir)
        chaos = Chaos(house, clients, random.Random(seed))
        try:
            house.open()
            chaos.run(seconds, daemon_dies_for=seconds * _DAEMON_DIES_FOR)
            if seconds >= _COMPLETE_S:
                chaos.complete(_COMPLETION_S)
            chaos.settle()
            figures |= _told(chaos, house)
        finally:
            clients.end()
            house.close()
        figures["owed"] = len(read_owed(house.daemon.state_dir / "undo.journal"))
        recordings = [path for client in clients.all.values() for path in client.recordings]
        seen = violations_in({*recordings, *(house.daemon.state_dir / "journal").glob("*.opj")})
        lost = without_ticket(seen, house.daemon.state_dir / FILE_NAME)
        figures |= {"violations": len(seen), "recordings": len(set(recordings)), "tickets_lost": len(lost)}
        figures["left"] = json.loads(watch.communicate(timeout=60)[0])
    say(json.dumps(figures, indent=1))
    assert figures["left"] == {"zombies": 0, "orphans": 0, "processes": []}
    assert figures["owed"] == 0
    assert Names.of(house.daemon.state_dir).anything_there() == []
    assert lost == []
    if seconds >= _COMPLETE_S:
        assert figures["disturbances"] >= seconds
        assert figures["never"] == []
    if figures["memory"]["lived_s"] >= _LIVED_S:
        assert figures["memory"]["grown_mib"] < _GROWTH_MIB


def _told(chaos: Chaos, house: House) -> dict[str, Any]:
    memory = memory_of_last(list(house.usage))
    by_victim: dict[str, Counter[str]] = {}
    for disturbance, count in sorted(chaos.done.items(), key=lambda item: (item[0].victim, item[0].what)):
        by_victim.setdefault(disturbance.victim, Counter())[disturbance.what] = count
    return {
        "disturbances": chaos.done.total(),
        "each": by_victim,
        "never": [f"{one.victim}: {one.what}" for one in chaos.never()],
        "daemons": house.starts,
        "faults_refused": chaos.refused,
        "started_again_by_hand": chaos.given_up,
        "memory": {
            "lived_s": round(memory.lived_s, 1),
            "warm_mib": round(memory.warm, 1),
            "end_mib": round(memory.end, 1),
            "grown_mib": round(memory.grown, 1),
            "curve_mib": " ".join(f"{mib:.1f}" for mib in memory.curve),
        },
    }


@contextmanager
def _marked(directory: Path) -> Iterator[str]:
    """A run of its own for those who count leftovers, and a hook in everything that is Python."""
    hooks = directory / "hooks"
    hooks.mkdir()
    shutil.copy(forking_hook.__file__, hooks / "sitecustomize.py")
    marker = f"chaos-{secrets.token_hex(6)}"
    before = {name: os.environ.get(name) for name in (MARKER, "PYTHONPATH")}
    os.environ |= {MARKER: marker, "PYTHONPATH": os.pathsep.join(filter(None, (str(hooks), before["PYTHONPATH"])))}
    try:
        yield marker
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _watch(marker: str) -> "Iterator[subprocess.Popen[str]]":
    """Follows the run from outside of it, and counts when its standard input ends."""
    command = [sys.executable, "-m", "operatord.leftovers", "watch", "--marker", marker, "--json", "--grace", "10"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watch:
        try:
            until(lambda: watch.poll() is None, "the watch to begin")
            yield watch
        finally:
            if watch.poll() is None:
                watch.kill()
