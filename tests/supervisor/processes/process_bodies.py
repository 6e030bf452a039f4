"""What the workers and servers of these tests do; imported by the fork server, or run as a script.

Workers talk through their output: the harness takes the line ``ready`` as the word of readiness and ``beat`` as a beat,
as the daemon's bus would.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from operator_protocol.records import from_body
from operatord.subjects.base import SubjectSpec

Args = Mapping[str, Any]


def steady(args: Args) -> None:
    """Says that it is ready, and does nothing until it is told to stop."""
    print("ready")
    while True:
        signal.pause()


def beating(args: Args) -> None:
    """Ready, and beats ten times a second."""
    print("ready")
    while True:
        print("beat")
        time.sleep(0.1)


def mute(args: Args) -> None:
    """Never says that it is ready."""
    while True:
        signal.pause()


def exits(args: Args) -> None:
    """Ends at once with the code it is given."""
    print(f"leaving with {args['code']}")
    sys.exit(args["code"])


def raises(args: Args) -> None:
    """Fails."""
    raise RuntimeError("this worker is broken")


def stubborn(args: Args) -> None:
    """Ignores TERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready")
    while True:
        signal.pause()


def parent(args: Args) -> None:
    """Has a child in its own group, a child that has left it, and a child that ends without being waited for."""
    inside = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
    outside = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"], start_new_session=True)
    zombie = subprocess.Popen(["true"])
    print(f"children {inside.pid} {outside.pid} {zombie.pid}")
    print("ready")
    while True:
        signal.pause()


async def main(ctx: object) -> None:
    """As a module of the runtime of all workers: its configuration is nonsense."""
    from_body(SubjectSpec, {"members": []})


def circling(args: Args) -> None:
    """Beats for a while, and then runs in circles."""
    print("ready")
    for _ in range(5):
        print("beat")
        time.sleep(0.05)
    while True:
        pass


def crashing(args: Args) -> None:
    """Is killed in the middle of a line, while a child that has left the group goes on writing to its output."""
    noise = "import time\nwhile True: print('noise', flush=True); time.sleep(0.2)"
    outside = subprocess.Popen([sys.executable, "-S", "-c", noise], start_new_session=True)
    print(f"children {outside.pid}")
    for number in range(args["lines"]):
        print(f"line {number}")
    print("my last words")
    sys.stdout.write("and half a l")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def flooding(args: Args) -> None:
    """Prints as much as it can, for ever, in lines of a hundred bytes."""
    block = b"".join(b"%099d\n" % number for number in range(1000))
    while True:
        os.write(1, block)


def inspect(args: Args) -> None:
    """Tells how it was set up."""
    stdin = Path("/proc/self/fd/0").readlink()
    dispositions = [signal.getsignal(one) == signal.SIG_DFL for one in (signal.SIGTERM, signal.SIGHUP)]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    extra = [fd for fd in Path("/proc/self/fd").iterdir() if int(fd.name) > 2]
    name = Path("/proc/self/comm").read_text().strip()
    print(
        f"stdin={stdin} defaults={all(dispositions)} blocked={len(blocked)} leader={os.getpgrp() == os.getpid()} "
        f"name={name} ppid={os.getppid()} fds={len(extra) - 1} args={dict(args)}"
    )
    print("ready")
    steady(args)


def flood(args: Args) -> None:
    """Prints far more lines than anyone reads, and then its last words."""
    text = "".join(f"line {number}\n" for number in range(args["lines"]))
    sys.stdout.write(text)
    sys.stdout.write("last words\nno newline")
    sys.stdout.flush()
