"""What containers print, handed over by the docker worker: on the bus as the output of any other process."""

from collections.abc import Callable, Mapping
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest
from operator_protocol.topics import is_process_name, process_log

REQUEST = "container_log"


class ContainerLogs:
    """Takes the request ``container_log``: ``{lines: [[service, line, dropped], …]}``."""

    def __init__(self, publish: Callable[[str, Body], None]) -> None:
        self._publish = publish

    async def take(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """Publish each line on ``process.<service>.log``. Docker's two streams come as one."""
        for entry in args.get("lines") or []:
            match entry:
                case [str(service), str(line), int(dropped)] if is_process_name(service):
                    self._publish(process_log(service), {"stream": "stdout", "line": line, "dropped": dropped})
                case _:
                    raise BadRequest(f"no line of a container: {str(entry)[:80]}")
        return {}
