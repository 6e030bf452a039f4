"""``python -m operatord.subjects.tikv.load DIRECTORY``: the load of the project there, its report on stdout.

First the records are loaded, once, with a line of progress for each report; then the load runs until this program is
told to end, or finds that nobody reads its lines any more. Its containers are started without what they depend on: a
server that somebody broke must not come back because a load was started.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from operator_protocol.errors import OperatorError
from operatord.subjects.tikv import project as projects
from operatord.subjects.tikv.project import Project

_INSERTED = re.compile(r"\bINSERT +- .*?Count: (\d+)")
_GONE_S = 30.0


class Load:
    """Both phases, and their end."""

    def __init__(self, directory: Path, project: Project) -> None:
        self._directory = directory
        self._project = project
        self._environment = {**os.environ, **project.environment}
        self._ending = threading.Event()

    def run(self) -> int:
        """The exit status: that of the load, 0 when it was told to end."""
        note = self._directory / projects.LOADED
        status = 0
        if not note.exists() or note.read_text() != self._project.instance:
            status = self._follow(projects.LOADER, self._progress)
            if status == 0 and not self._ending.is_set():
                note.write_text(self._project.instance)
        if status == 0 and not self._ending.is_set():
            status = self._follow(projects.LOAD, _say)
        # Whatever ended first, the container or who follows it: neither stays.
        with contextlib.suppress(subprocess.TimeoutExpired):  # an engine that hangs
            self._remove().wait(_GONE_S)
        return 0 if self._ending.is_set() else status

    def end(self, _signum: int, _frame: FrameType | None) -> None:
        """Be told to end."""
        if not self._ending.is_set():
            self._ending.set()
            # At once, and in a process of its own: we may be killed if it takes long.
            self._remove()

    def _follow(self, service: str, say: Callable[[str], None]) -> int:
        words = ["up", "--no-deps", "--no-log-prefix", "--no-color", "--timeout", "1", "--exit-code-from", service]
        if self._ending.is_set():
            return 0
        with subprocess.Popen(
            self._project.compose(*words, service),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A Ctrl+C in the terminal is for who started us.
            start_new_session=True,
        ) as child:
            if child.stdout is not None:
                for line in child.stdout:
                    try:
                        say(line.rstrip("\n"))
                    except OSError:  # nobody reads any more
                        self._ending.set()
                        child.terminate()
                        break
            return child.wait()

    def _progress(self, line: str) -> None:
        found = _INSERTED.search(line)
        if found is not None:
            _say(f"loading the records: {found[1]} of {self._project.environment['OPERATOR_YCSB_RECORDS']}")
        elif "Takes(s)" not in line and not line.startswith("Run finished"):
            _say(line)

    def _remove(self) -> "subprocess.Popen[bytes]":
        words = self._project.compose("rm", "--stop", "--force", projects.LOAD, projects.LOADER)
        null = subprocess.DEVNULL
        return subprocess.Popen(
            words, env=self._environment, stdin=null, stdout=null, stderr=null, start_new_session=True
        )


def down(directory: Path, *, grace_s: int = 5, environ: Mapping[str, str] | None = None) -> str:
    """Take down the project that ``directory`` describes; returns what went wrong, in one line, empty when nothing.

    For processes without a daemon and without the worker.
    """
    project = projects.load(directory)
    if project is None:
        return ""
    words = project.compose("down", "--volumes", "--timeout", str(grace_s))
    if problem := _compose(project, words, 60.0 + grace_s, environ):
        return f"cannot take the containers of {project.name} down: {problem}"
    projects.forget(directory)
    return ""


def end_load(directory: Path) -> str:
    """Take away the load alone, which ends with its daemon while the cluster is kept; returns what went wrong."""
    project = projects.load(directory)
    if project is None:
        return ""
    words = project.compose("rm", "--stop", "--force", projects.LOAD, projects.LOADER)
    problem = _compose(project, words, _GONE_S)
    return f"cannot end the load of {project.name}: {problem}" if problem else ""


def _compose(project: Project, words: list[str], within_s: float, environ: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            words,
            env={**(os.environ if environ is None else environ), **project.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return said[-1] if said else "docker said nothing"


def _say(line: str) -> None:
    print(line, flush=True)


def main(argv: list[str]) -> int:
    """Run the load of the project in ``argv[0]``."""
    directory = Path(argv[0])
    try:
        project = projects.load(directory)
    except OperatorError as error:
        _say(str(error))
        return 1
    if project is None:
        _say(f"{directory} describes no containers")
        return 1
    load = Load(directory, project)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, load.end)
    return load.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
