"""A container engine in memory: the requests of the docker worker on six containers, none of which is real."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from operator_protocol.errors import NotFound, OperatorError
from operator_protocol.models import Node
from operatord.subjects.base import Observation
from operatord.subjects.tikv import project as projects
from operatord.subjects.tikv.control import TiKVControl
from operatord.subjects.tikv.options import Options

GIB = 1 << 30


class ToyEngine:
    """``Engine`` of a subject. ``refuses`` has what a request is answered with instead of being done."""

    def __init__(self) -> None:
        self.states = dict.fromkeys(projects.NODES, "running")
        self.refuses: dict[str, OperatorError] = {}
        self.volume_options: dict[str, str] = {}
        self.volume_bytes = 200 * GIB
        self.files: dict[str, int] = {}
        self.keeps_files = False
        """Whether removing one does nothing, and says nothing."""
        self.asked: list[str] = []

    async def open(self, spec: Mapping[str, Any]) -> None:
        """About any project."""

    async def ask(self, cmd: str, args: Mapping[str, Any], *, timeout_s: float = 40.0) -> Mapping[str, Any]:
        """At once."""
        name = str(args.get("service", ""))
        self.asked.append(f"{cmd} {name}".strip())
        if cmd in self.refuses:
            raise self.refuses[cmd]
        if name and name not in self.states:
            raise NotFound(f"there is no container of {name}")
        request = self._requests().get(cmd)
        return request(name, args) if request is not None else {}

    def look(self) -> Observation:
        """What a probe would see of it."""
        nodes = [
            Node(name, "pd" if name in projects.PDS else "tikv", "", "", "up" if state == "running" else "down")
            for name, state in self.states.items()
        ]
        return Observation("tikv", True, "", nodes, {}, time.time(), time.monotonic())

    def _requests(self) -> Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]:
        return {
            "inspect": lambda name, _args: {"state": self.states[name], "id": f"id-{name}", "cpu_quota": 0},
            "kill": lambda name, _args: self._become(name, "exited"),
            "start": lambda name, _args: self._become(name, "running"),
            "pause": lambda name, _args: self._become(name, "paused"),
            "unpause": lambda name, _args: self._become(name, "running"),
            "volumes": lambda name, _args: {
                "volumes": [{"name": f"{name}-data", "at": "/data", "options": self.volume_options}]
            },
            "beside": lambda name, args: self._beside(args["command"]),
        }

    def _become(self, name: str, state: str) -> Mapping[str, Any]:
        self.states[name] = state
        return {}

    def _beside(self, command: list[str]) -> Mapping[str, Any]:
        program, *words = command
        code, output = 0, ""
        if program == "df":
            free = self.volume_bytes - sum(self.files.values())
            total = self.volume_bytes // 1024
            output = f"Filesystem 1024-blocks Used Available Capacity Mounted on\nv {total} 0 {free // 1024} 0% /data\n"
        elif program == "fallocate":
            self.files[words[-1]] = int(words[1])
        elif program == "rm" and not self.keeps_files:
            self.files.pop(words[-1], None)
        elif program == "ls":
            code = 0 if words[-1] in self.files else 2
        return {"code": code, "output": output, "error": ""}


def control_on(engine: ToyEngine, state_dir: Path) -> TiKVControl:
    """One that knows of the containers, as after a start or for a recovery."""
    directory = state_dir / projects.DIRECTORY
    if projects.load(directory) is None:
        projects.plan(state_dir, Options()).save(directory)
    return TiKVControl(engine, state_dir, {"helper_image": "tools"}, keep=True)
