"""The shapes of what the live routes answer, as the OpenAPI document has them.

Records of the bus (``State``, tickets, faults) are passed on as they are, in snake_case: ``docs/protocol.md`` says what
is in them. What is around them is the gateway's own and in camelCase.
"""

from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from operator_clients.web.encoding import json_bytes

Connection = Literal["live", "joining", "lost"]
Record = dict[str, Any]
"""A record of the bus."""


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class DaemonInfo(_Answer):
    """One daemon that the gateway follows."""

    name: str
    endpoint: str
    connection: Connection
    age_seconds: float | None = Field(description="Since its last frame; null if there was none yet.")
    version: str
    subject: str
    control: bool = Field(description="False behind a key that may only read.")


class DaemonList(_Answer):
    """``GET /api/daemons``."""

    daemons: list[DaemonInfo]
    control: bool = Field(description="Whether this gateway takes commands at all.")


class LiveState(_Answer):
    """``GET /api/state``: what is true now, and how sure that is."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")

    daemon: str
    connection: Connection
    age_seconds: float | None
    cluster: Record | None
    nodes: list[Record]
    processes: list[Record]
    violations: list[Record]
    tickets: list[Record]
    faults: list[Record]
    actions: list[Record]
    demo: Record | None
    workload: Record


class TicketPage(_Answer):
    """``GET /api/tickets``."""

    tickets: list[Record]
    next_cursor: int | None = Field(description="For the next page; null on the last.")


class TicketDetail(_Answer):
    """``GET /api/tickets/{id}``: with diagnosis and notes in the ticket, what was said of it, and its actions."""

    ticket: Record
    violation: str
    history: list[Record]
    actions: list[Record]


class FaultCatalogue(_Answer):
    """``GET /api/faults/catalogue``."""

    kinds: list[Record]
    owed: list[Record]


class ChapterEntry(_Answer):
    """One chapter of the story."""

    index: int
    title: str | None = Field(description="Null as long as nobody has been there.")


class ChapterList(_Answer):
    """``GET /api/chapters``."""

    chapters: list[ChapterEntry]
    current: Record | None


class Done(_Answer):
    """What a command answers."""

    ok: Literal[True] = True
    result: Record


def answer(document: Any) -> Response:
    """``document`` as it is: it came from the daemon, and to check it again would cost more than all else."""
    return Response(json_bytes(document), media_type="application/json")
