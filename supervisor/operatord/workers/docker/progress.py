"""What compose says while it brings containers up, cut down to what a person waits for.

Compose tells of every network, volume and container as it is being created, is created, starting, started, waited for
and healthy, most of it twice: about ninety lines for eight containers. Of these remain one line for each stage, one
for each container that is healthy and one for each image that was fetched. What is not progress passes as it is.
"""

import re
from collections.abc import Sequence

_LINE = re.compile(
    r"(?:(Network|Volume|Container|Image|Service) )?\"?(\S+?)\"?\s+([A-Z][a-z]+(?:ed|ing|y|e)?)(?:\s.*)?"
)
_LAYER = re.compile(r"[0-9a-f]{12} ")
_STAGES = {
    "Creating": "creating network, volumes and containers",
    "Starting": "starting containers",
    "Waiting": "waiting until they are healthy",
}
_SILENT = frozenset({"Created", "Started", "Running", "Recreate", "Recreated", "Built"})
_TOLD = {"Pulling": "fetching {}", "Pulled": "fetched {}", "Building": "building {}"}


class UpProgress:
    """One ``up`` of ``project``; ``services`` are those that were asked for, empty for all."""

    def __init__(self, project: str, services: Sequence[str]) -> None:
        self._container = re.compile(rf"{re.escape(project)}-(.+)-\d+")
        self._services = frozenset(services)
        self._said: set[str] = set()
        self._healthy: set[str] = set()

    def take(self, line: str) -> str | None:
        """What to say of this line; None for nothing."""
        told = self._worded(line.strip())
        if told is None or told in self._said:
            return None
        self._said.add(told)
        return told

    def _worded(self, line: str) -> str | None:
        if not line or _LAYER.match(line):
            return None
        found = _LINE.fullmatch(line)
        if found is None:
            return line
        name, what = found[2], found[3]
        if what in _SILENT:
            return None
        if what in _STAGES:
            return _STAGES[what]
        if what in _TOLD:
            return _TOLD[what].format(name)
        return self._is_healthy(name) if what == "Healthy" else line

    def _is_healthy(self, name: str) -> str | None:
        container = self._container.fullmatch(name)
        service = container[1] if container else name
        if service in self._healthy:
            return None
        self._healthy.add(service)
        of = f" of {len(self._services)}" if service in self._services else ""
        count = len(self._healthy & self._services) if of else len(self._healthy)
        return f"{service} is healthy ({count}{of})"
