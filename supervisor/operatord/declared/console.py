"""The web console beside the daemon: its gateway, ``operator-web``, as one more declared process.

The daemon knows no client: it runs the gateway's command line, restarts it like any process that it was told of, and
reads from a file where it listens. That file holds the control token, so it never goes over the bus or into a log.
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

from operator_protocol.models import ProcessState
from operatord.config import ConsoleSection
from operatord.declared.sections import BackoffSection, ProcessSection, ReadySection

NAME = "console"
ADDRESS_FILE = "console.json"
"""In the runtime directory: ``{"url", "pid"}``, with the control token in the URL's fragment."""
_NEEDS = ("operator_clients", "fastapi", "httpx", "kubernetes", "msgspec", "prometheus_client", "uvicorn")
_START_S = 60.0
_STOP_S = 5.0
_USAGE = 2
"""Its exit code for options that are wrong; to try again would not help."""
MISSING = "the web console is not installed: pip install 'operatord[web]'"


def missing_parts() -> list[str]:
    """The libraries of the extra ``web`` that are not installed."""
    return [name for name in _NEEDS if importlib.util.find_spec(name) is None]


def address(runtime_dir: Path) -> str:
    """Where it listens, with the token; empty while it does not."""
    try:
        url = json.loads((runtime_dir / ADDRESS_FILE).read_text())["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return url if isinstance(url, str) else ""


class Console:
    """The gateway of one daemon, if it is wanted and can be had."""

    def __init__(
        self,
        section: ConsoleSection,
        runtime_dir: Path,
        state_dir: Path,
        *,
        taken: bool,
        log: Callable[[str], None],
    ) -> None:
        """``taken``: the configuration has a process of that name, which goes before."""
        self._section = section
        self._runtime_dir = runtime_dir
        self._state_dir = state_dir
        self._taken = taken
        self._log = log
        self._told = ""
        self.notice = ""
        """Why there is none although it is wanted."""

    def sections(self) -> dict[str, ProcessSection]:
        """The process to declare; none, with the reason in ``notice``, where there can be none."""
        if not self._section.enabled:
            return {}
        if self._taken:
            self.notice = f"the configuration has a process {NAME!r} of its own: the web console is not started"
            return {}
        if missing_parts():
            self.notice = MISSING
            return {}
        # One that was killed left it; who reads it now would find nobody there.
        (self._runtime_dir / ADDRESS_FILE).unlink(missing_ok=True)
        command = [
            *(sys.executable, "-m", "operator_clients.web", "--endpoint", str(self._runtime_dir)),
            *("--port", str(self._section.port), "--any-port"),
            *("--token-file", str(self._state_dir / "web-token.json")),
            *("--address-file", str(self._runtime_dir / ADDRESS_FILE)),
            *self._section.options,
        ]
        return {
            NAME: ProcessSection(
                command=command,
                restart="always",
                no_restart_codes=[_USAGE],
                ready=ReadySection(log="the console is at "),
                start_timeout=_START_S,
                stop_timeout=_STOP_S,
                backoff=BackoffSection(),
            )
        }

    def see(self, state: ProcessState) -> None:
        """Say where it is when it is ready; without the token, for the log goes to everybody who may read."""
        if state.name != NAME or state.state != "ready" or not self._section.enabled or self._taken:
            return
        url = address(self._runtime_dir).partition("#")[0]
        if url and url != self._told:
            self._told = url
            self._log(f"the web console is at {url}")
