"""What the container engine says, handed to the probes of workers that do not talk to it."""

from collections.abc import Mapping
from typing import Any

from operator_protocol.errors import BadRequest
from operatord.subjects.base import SubjectProbe, TakesContainers


def tell_containers(probe: SubjectProbe, args: Mapping[str, Any]) -> None:
    """Take the request ``containers``: ``{states, trouble}``, by node id (``TakesContainers.tell_containers``).

    A probe of servers that are in no containers passes it over. Raises ``BadRequest``.
    """
    states = args.get("states")
    if not isinstance(states, Mapping) or not all(isinstance(fields, Mapping) for fields in states.values()):
        raise BadRequest("containers needs states: a map of node ids to maps")
    if isinstance(probe, TakesContainers):
        probe.tell_containers(states, str(args.get("trouble") or ""))
