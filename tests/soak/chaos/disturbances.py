"""What is done to whom: a seeded deck of all pairs, dealt card by card, and what a person does about it."""

import os
import random
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from operator_protocol.errors import OperatorError
from operator_protocol.follow import Follower

from .clients import Clients
from .forking_hook import FORK as FORK_SIGNAL
from .house import DECLARED, SERVERS, WORKERS, House, eventually

KILL, STOP, FLOOD, FORK, ORPHAN = "kill -9", "SIGSTOP", "flood", "fork", "fork, then kill -9"
CLIENTS = ("viewer", "script", "recorder")
DAEMON, KEEPER = "daemon", "keeper"
_SMALL = {"memory": ["--set", "size=32MiB"], "disk": ["--set", "size=8MiB"]}

PACE_S = 0.7
"""Between two cards: at least one a second, though a card may take a moment."""
_BREATH_S = 0.1
_FLOOD_S = 1.0
_BETWEEN_DEATHS_S = 8.0
"""Of the daemon: the next one gets some time to live in."""
_HEAL_S = 150.0
"""With the death of a daemon in between."""


@dataclass(frozen=True)
class Disturbance:
    victim: str
    what: str


def everything(faults: Sequence[str]) -> list[Disturbance]:
    """Each kind for each victim; the cluster's are the ``faults`` of the daemon."""
    deck = [Disturbance(victim, what) for victim in (*WORKERS, *DECLARED) for what in (KILL, STOP, FLOOD, FORK, ORPHAN)]
    deck += [Disturbance(victim, what) for victim in SERVERS for what in (KILL, STOP, FLOOD, FORK, ORPHAN)]
    deck += [Disturbance(victim, what) for victim in CLIENTS for what in (KILL, STOP, FLOOD, FORK, ORPHAN)]
    deck += [Disturbance("cluster", f"fault {kind}") for kind in faults]
    return [*deck, Disturbance(DAEMON, KILL), Disturbance(DAEMON, STOP), Disturbance(KEEPER, KILL)]


class Chaos:
    """Deals the deck until the time is over, and sees to it that a person's part is done as well."""

    def __init__(self, house: House, clients: Clients, rng: random.Random) -> None:
        self.done: Counter[Disturbance] = Counter()
        self.refused = 0
        """Faults that a guard rail, or a cluster that was not well, stood against."""
        self.given_up = 0
        """Processes that had died too often, and were started again by hand."""
        self._house = house
        self._clients = clients
        self._rng = rng
        self._hands = ThreadPoolExecutor(8)
        self._busy: dict[str, Future[None]] = {}
        self._work: list[Future[None]] = []
        self._last_death = time.monotonic()
        self._deck: list[Disturbance] = []

    def run(self, seconds: float, *, daemon_dies_for: float) -> None:
        """Disturb for ``seconds``; the daemon itself only for the first ``daemon_dies_for`` of them."""
        begun = due = time.monotonic()
        while (now := time.monotonic()) - begun < seconds:
            if self._house.up:
                self._clients.revive()
                self._start_what_was_given_up()
            mortal = now - begun < daemon_dies_for
            if not self._deal(mortal=mortal):
                # What is left has to wait for something: on with the others.
                fresh = [one for one in everything(self._house.faults) if one not in self._deck]
                self._rng.shuffle(fresh)
                self._deck += fresh
                self._deal(mortal=mortal)
            # What took long is made up for: it is the average that counts.
            due += PACE_S
            time.sleep(max(_BREATH_S, due - time.monotonic()))

    def never(self) -> list[Disturbance]:
        """What has not been done yet."""
        return [disturbance for disturbance in everything(self._house.faults) if disturbance not in self.done]

    def complete(self, within_s: float) -> None:
        """Only what has not been done yet, until all of it is."""
        end = time.monotonic() + within_s
        while self.never() and time.monotonic() < end:
            self._deck = self.never()
            if self._house.up:
                self._clients.revive()
                self._deal(mortal=True)
            time.sleep(PACE_S)

    def _deal(self, *, mortal: bool) -> bool:
        """One disturbance; False if none of the deck is possible at the moment."""
        for disturbance in self._deck:
            if not mortal and disturbance.victim in (DAEMON, KEEPER):
                continue
            if self._possible(disturbance) and self._strike(disturbance):
                self._deck.remove(disturbance)
                return True
        return False

    def settle(self) -> None:
        """Let everything that was begun end, and heal what a person would heal. Raises what went wrong."""
        self._hands.shutdown(wait=True)
        for work in self._work:
            work.result()
        house = self._house
        if house.main_pid() is None:
            house.start()
        assert eventually(self._heal, 90), f"not healthy again: {house.ctl('status').stdout}\n{house.log_tail()}"

    def _heal(self) -> bool:
        house = self._house
        house.ctl("recover")
        for name in (*WORKERS, *DECLARED, *SERVERS):
            if name != "forkserver" and house.phase(name) in ("failed", "stopped"):
                house.ctl("restart", name)
        done = house.ctl("status", "--json")
        if done.returncode != 0:
            return False
        status = house.daemon.status()
        states = {one["state"] for one in status["processes"] if one["name"] in (*WORKERS, *DECLARED, *SERVERS)}
        return status["health"]["ok"] is True and not status["faults"] and states == {"ready"}

    def _possible(self, disturbance: Disturbance) -> bool:
        victim, house = disturbance.victim, self._house
        if victim in CLIENTS:
            return not self._is_busy(victim) and self._clients.all[victim].pid is not None
        if not house.up or self._is_busy(victim):
            return False
        if victim in (DAEMON, KEEPER):
            return time.monotonic() - self._last_death > _BETWEEN_DEATHS_S
        if victim == "cluster":
            return True
        if victim in SERVERS and disturbance.what in (KILL, STOP, ORPHAN):
            return not any(self._is_busy(server) for server in SERVERS) and house.pid(victim) is not None
        return house.pid(victim) is not None

    def _strike(self, disturbance: Disturbance) -> bool:
        victim, what = disturbance.victim, disturbance.what
        if victim in (DAEMON, KEEPER):
            return self._strike_daemon(victim, what)
        if victim == "cluster":
            self._begin(victim, lambda: self._fault(disturbance))
            return True  # counted when it was injected
        pid = self._clients.all[victim].pid if victim in CLIENTS else self._house.pid(victim)
        match what:
            case "kill -9":
                struck = self._house.signal(pid, signal.SIGKILL)
            case "SIGSTOP":
                struck = self._house.signal(pid, signal.SIGSTOP)
            case "flood":
                struck = self._flood(victim, pid)
            case _:
                struck = self._fork(victim, pid)
                if struck and what == ORPHAN:
                    time.sleep(0.1)
                    self._house.signal(pid, signal.SIGKILL)
        if struck:
            self.done[disturbance] += 1
            self._see_to(victim, what, pid)
        return struck

    def _see_to(self, victim: str, what: str, pid: int | None) -> None:
        """What nobody but a person does: wake what is stopped, bring back dead servers. Workers are replaced."""
        if what == STOP and victim not in WORKERS:
            pause_s = self._rng.uniform(0.5, 3.0)
            self._begin(victim, lambda: self._wake(pid, pause_s))
        elif victim in SERVERS and what in (KILL, ORPHAN):
            pause_s = self._rng.uniform(0.2, 2.0)
            self._begin(victim, lambda: self._bring_back(victim, pid, pause_s))

    def _strike_daemon(self, victim: str, what: str) -> bool:
        pid = self._house.keeper_pid() if victim == KEEPER else self._house.main_pid()
        if not self._house.signal(pid, signal.SIGSTOP if what == STOP else signal.SIGKILL):
            return False
        self.done[Disturbance(victim, what)] += 1
        pause_s = self._rng.uniform(0.5, 2.5)
        if what == STOP:
            self._begin(victim, lambda: self._wake(pid, pause_s))
        else:
            self._last_death = time.monotonic()
            self._begin(victim, self._house.start)
        return True

    def _fault(self, disturbance: Disturbance) -> None:
        kind = disturbance.what.partition(" ")[2]
        options = ["--for", "2s"] if self._rng.random() < 0.3 else []
        options += ["--force"] if self._rng.random() < 0.5 else []
        done = self._house.ctl("fault", kind, "--countdown", "0", *options, *_SMALL.get(kind, []))
        if done.returncode != 0:
            self.refused += 1
            self._deck.append(disturbance)
            return
        self.done[disturbance] += 1
        time.sleep(self._rng.uniform(0.2, 2.0))
        self._house.ctl("recover")

    def _flood(self, victim: str, pid: int | None) -> bool:
        if victim == "script":
            self._begin(victim, self._flood_requests)
            return True
        with suppress(OSError):
            fd = os.open(f"/proc/{pid}/fd/1", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            self._begin(f"{victim} floods", lambda: _write_lines(fd))
            return True
        return False

    def _flood_requests(self) -> None:
        with suppress(OperatorError), Follower(self._house.daemon.endpoint, actor="flood") as follower:
            follower.join(5)
            for number in range(500):
                follower.send("status" if number % 10 == 0 else "ping")
            follower.poll(0.1)

    def _fork(self, victim: str, pid: int | None) -> bool:
        if victim not in SERVERS:
            return self._house.signal(pid, FORK_SIGNAL)
        address = self._house.address(victim)
        with suppress(OSError):
            if address is not None:
                with socket.create_connection(address, timeout=1) as line:
                    line.settimeout(1)
                    line.sendall(b"CONFIG SET rdb-key-save-delay 5000\r\nBGSAVE\r\nCONFIG SET rdb-key-save-delay 0\r\n")
                    return b"started" in line.recv(4096) or b"started" in line.recv(4096)
        return False

    def _wake(self, pid: int | None, after_s: float) -> None:
        time.sleep(after_s)
        self._house.signal(pid, signal.SIGCONT)

    def _bring_back(self, server: str, dead: int | None, after_s: float) -> None:
        time.sleep(after_s)

        def runs_again() -> bool:
            if self._house.pid(server) not in (None, dead):
                return True
            self._house.ctl("restart", server)
            time.sleep(0.3)
            return False

        assert eventually(runs_again, _HEAL_S), f"{server} cannot be brought back:\n{self._house.log_tail()}"

    def _start_what_was_given_up(self) -> None:
        for name in (*WORKERS, *DECLARED):
            if self._house.phase(name) == "failed" and not self._is_busy(name):
                self.given_up += 1
                self._begin(name, lambda: self._start_again(name))  # noqa: B023 (run at once)

    def _start_again(self, name: str) -> None:
        self._house.ctl("restart", name)
        time.sleep(1)

    def _begin(self, whose: str, work: Callable[[], None]) -> None:
        self._busy[whose] = self._hands.submit(work)
        self._work.append(self._busy[whose])

    def _is_busy(self, whose: str) -> bool:
        return whose in self._busy and not self._busy[whose].done()


def _write_lines(fd: int) -> None:
    """As fast as it is read, for a while; some of it is no text."""
    lines = b"".join(b"flood %06d %s\n" % (number, b"\xff\x00 x" * (number % 9)) for number in range(60))
    end = time.monotonic() + _FLOOD_S
    try:
        while time.monotonic() < end:
            if select.select([], [fd], [], 0.05)[1]:
                with suppress(BlockingIOError):
                    os.write(fd, lines[:4096])
    except OSError:
        return  # nobody reads it any more
    finally:
        os.close(fd)
