"""Exported tickets, read back: what ``operatorctl tickets export`` wrote, checked before any of it is believed."""

import json
from pathlib import Path
from typing import Any

from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.models import TicketRecord
from operator_protocol.records import from_body

FORMAT = "operator-tickets"
VERSION = 1
_HINT = "it is what operatorctl tickets export --output wrote"


def read_export(path: Path) -> list[TicketRecord]:
    """The tickets in an export, oldest first. Raises ``NotFound``, or ``BadRequest`` that says what is wrong where."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{path} is no JSON: {error}", _HINT) from error
    return parse_export(document, str(path))


def parse_export(document: Any, shown: str) -> list[TicketRecord]:
    """The tickets in the document of an export, oldest first. Raises ``BadRequest``."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadRequest(f"{shown} is no export of tickets", _HINT)
    if document.get("version") != VERSION:
        raise BadRequest(
            f"{shown} has version {document.get('version')!r}, this operatord reads {VERSION}", "update operatord"
        )
    found = document.get("records")
    if not isinstance(found, list):
        raise BadRequest(f"{shown}: records is no list")
    records: dict[int, TicketRecord] = {}
    for place, body in enumerate(found):
        try:
            record = from_body(TicketRecord, body)
        except BadRequest as error:
            raise BadRequest(f"{shown}: records[{place}]: {error.message}") from error
        if record.ticket.id in records or record.ticket.id < 1:
            raise BadRequest(f"{shown}: records[{place}]: number {record.ticket.id} cannot be, or is there twice")
        records[record.ticket.id] = record
    return [records[number] for number in sorted(records)]
