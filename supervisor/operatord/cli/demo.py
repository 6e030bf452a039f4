"""``operatord demo``: the whole story with one command, and nothing of it left behind.

With a terminal: the daemon behind, the viewer in front, and everything stops when the viewer quits. Without one: the
story walks by itself (``operatorctl demo --auto``), and the last line printed is a summary as JSON. What is left
behind is counted by a separate process that knows only the marker in the environment, not the daemon's own books.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from operator_protocol.errors import OperatorError, Unavailable
from operator_protocol.journal import read_journal
from operatord.actions.policy import read_policy
from operatord.cli.start import await_ready, chosen_story
from operatord.config import load_config
from operatord.declared.console import MISSING, address, missing_parts
from operatord.leftovers import MARKER
from operatord.paths import default_state_dir

_STORY_TIMEOUT_S = 240.0
_STOP_TIMEOUT_S = 60.0
_COUNT_TIMEOUT_S = 30.0
_LOOK_S = 0.2


def run(args: argparse.Namespace) -> int:
    """Run the story; 0 if every part of it succeeded."""
    state_dir = Path(args.state_dir) if args.state_dir else default_state_dir() / "demo"
    headless = args.headless or not (sys.stdin.isatty() and sys.stdout.isatty())
    config = load_config(args.config)
    subject = args.subject or config.subject.name
    # What is wrong with a story is said now, and not by a daemon whose words are in a file.
    told = {"chapters": args.chapters} if args.chapters else {}
    chosen_story(config.model_copy(update={"demo": config.demo.model_copy(update=told)}))
    options = ["--subject", subject, *(["--config", args.config] if args.config else [])]
    options += ["--demo-fault", args.fault] if args.fault else []
    options += ["--demo-target", args.target] if args.target else []
    options += ["--chapters", args.chapters] if args.chapters else []
    options += [] if args.no_console else ["--console"]
    if args.autonomy:
        read_policy(args.autonomy)  # said now, and not by a daemon whose words are in a file
        options += ["--autonomy", args.autonomy]
    marker = secrets.token_hex(8)
    with _runtime_dir() as runtime_dir, _stops_on_signals():
        return (
            _headless(runtime_dir, state_dir, subject, options, marker)
            if headless
            else _in_terminal(runtime_dir, state_dir, options, marker)
        )


class _ConsoleAddress(threading.Thread):
    """Prints where the web console is as soon as it listens, while the story goes on."""

    def __init__(self, runtime_dir: Path, options: Sequence[str]) -> None:
        super().__init__(name="console address", daemon=True)
        self._runtime_dir = runtime_dir
        self._wanted = "--console" in options
        self._over = threading.Event()

    def run(self) -> None:
        if not self._wanted:
            return
        if missing_parts():
            print(f"operatord: {MISSING}", file=sys.stderr)
            return
        while not (url := address(self._runtime_dir)):
            if self._over.wait(_LOOK_S):
                return
        if not sys.stderr.isatty():
            # What a CI keeps of this is no place for a token.
            url = url.partition("#")[0]
        print(f"operatord: the web console is at {url}", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self.join()


def _in_terminal(runtime_dir: Path, state_dir: Path, options: Sequence[str], marker: str) -> int:
    with _daemon(runtime_dir, state_dir, options, marker):
        if "--console" in options and missing_parts():
            print(f"operatord: {MISSING}", file=sys.stderr)
        viewer = subprocess.Popen([_script("operator-viewer"), "--endpoint", str(runtime_dir)])
        status = _outlive(viewer)
        print("operatord: stopping everything", file=sys.stderr)
    return status


def _headless(runtime_dir: Path, state_dir: Path, subject: str, options: Sequence[str], marker: str) -> int:
    watcher = subprocess.Popen(
        [sys.executable, "-m", "operatord.leftovers", "watch", "--marker", marker, "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={key: value for key, value in os.environ.items() if key != MARKER},
    )
    summary: dict[str, Any] = {}
    problems: list[str] = []
    try:
        with _daemon(runtime_dir, state_dir, options, marker), _ConsoleAddress(runtime_dir, options):
            summary = _walk(runtime_dir)
    except (OperatorError, subprocess.TimeoutExpired, ValueError) as error:
        problems.append(str(error))
    finally:
        counted = _count(watcher, problems)
    problems = [*summary.get("problems", []), *problems]
    result: dict[str, Any] = {"ok": False, "subject": subject, **summary}
    result |= {"zombies": counted["zombies"], "orphans": counted["orphans"]}
    result["faults_owed"] = _owed(state_dir)
    broken = summary.get("target") is not None
    if broken and summary.get("degraded_expected") is not False and not _degraded_in_journal(state_dir):
        problems.append("the journal has no degraded sample between injection and recovery")
        result["degraded_seen"] = False
    problems += [f"{result[what]} {what} left behind" for what in ("zombies", "orphans", "faults_owed") if result[what]]
    result["ok"] = bool(summary.get("ok")) and not problems
    if problems:
        result["problems"] = problems
    print(json.dumps(result))
    return 0 if result["ok"] else 1


def _walk(runtime_dir: Path) -> dict[str, Any]:
    story = subprocess.run(
        [_script("operatorctl"), "--endpoint", str(runtime_dir), "demo", "--auto", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=_STORY_TIMEOUT_S,
        check=False,
    )
    lines = story.stdout.strip().splitlines()
    if not lines:
        raise Unavailable(f"operatorctl demo --auto ended with {story.returncode} and said nothing")
    for line in lines[:-1]:
        print(line)
    summary: dict[str, Any] = json.loads(lines[-1])
    return summary


@contextlib.contextmanager
def _daemon(runtime_dir: Path, state_dir: Path, options: Sequence[str], marker: str) -> Iterator[None]:
    """A daemon of our own in a session of its own; it ends with us, whatever becomes of us."""
    read_fd, write_fd = os.pipe()
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    directories = ["--runtime-dir", str(runtime_dir), "--state-dir", str(state_dir)]
    with (state_dir / "operatord.log").open("ab") as log:
        keeper = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", "operatord", "start"),
                *(*directories, "--ready-fd", str(write_fd), *options),
            ],
            env={**os.environ, MARKER: marker},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write_fd],
            start_new_session=True,
        )
    os.close(write_fd)
    try:
        if (failed := await_ready(read_fd)) is not None:
            raise failed  # there is no story without a cluster
        yield
    finally:
        if keeper.poll() is None:
            keeper.terminate()
        try:
            status = keeper.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            keeper.kill()
            raise Unavailable("the daemon did not stop", f"its log is {state_dir / 'operatord.log'}") from None
    if status != 0:
        raise Unavailable(f"the daemon ended with status {status}", f"its log is {state_dir / 'operatord.log'}")


def _outlive(viewer: "subprocess.Popen[bytes]") -> int:
    """Wait for the viewer; Ctrl+C is its business."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return viewer.wait()
    finally:
        if viewer.poll() is None:
            viewer.terminate()
            viewer.wait()
        signal.signal(signal.SIGINT, previous)


def _count(watcher: "subprocess.Popen[bytes]", problems: list[str]) -> Mapping[str, Any]:
    try:
        output, _ = watcher.communicate(timeout=_COUNT_TIMEOUT_S)
        counted: dict[str, Any] = json.loads(output)
    except (subprocess.TimeoutExpired, ValueError) as error:
        watcher.kill()
        watcher.wait()
        problems.append(f"the count of what is left behind failed: {error}")
        return {"zombies": None, "orphans": None}
    return counted


def _owed(state_dir: Path) -> int:
    # Imported late: a terminal demo has no use for it.
    from operatord.faults.undo_journal import read_owed

    return len(read_owed(state_dir / "undo.journal"))


def _degraded_in_journal(state_dir: Path) -> bool:
    """Whether the last boot in the journal has a degraded sample between a fault's injection and its recovery."""
    boot_id, injected, degraded = "", False, False
    for frame in read_journal(state_dir / "journal"):
        if frame.header.boot_id != boot_id:
            boot_id, injected, degraded = frame.header.boot_id, False, False
        if frame.topic == "fault.injected":
            injected = True
        elif frame.topic == "fault.recovered":
            injected = False
        elif frame.topic == "workload.sample" and injected and frame.body.get("degraded") is True:
            degraded = True
    return degraded


@contextlib.contextmanager
def _runtime_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="operatord-demo-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _stops_on_signals() -> Iterator[None]:
    """TERM and HUP end the story like Ctrl+C: through every ``finally``."""

    def interrupt(_signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = {signum: signal.signal(signum, interrupt) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def _script(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is not installed", "pip install 'operatord[daemon]'")
    return found
