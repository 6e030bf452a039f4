"""Tickets with everything that was ever said of them, as one JSON document or as Markdown.

An export of all tickets may be large: it is asked for and written page by page. A file is complete or not there.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from operator_clients.ctl.output import maps
from operator_clients.ctl.session import Session
from operator_clients.ctl.ticket_markdown import ticket_lines
from operator_protocol.errors import Conflict, Unavailable

_FORMAT, _VERSION = "operator-tickets", 1
"""As ``operatord tickets import`` reads it."""

Record = Mapping[str, Any]


def pages(session: Session, which: Mapping[str, Any], most: int | None) -> Iterator[Record]:
    """The tickets that were asked for, newest first, at most so many."""
    before = which.get("before")
    left = most
    while left is None or left > 0:
        limit = 100 if left is None else min(left, 100)
        result = session.ask("export", {**which, "before": before, "limit": limit}, deadline_s=60.0)
        records = maps(result.get("records"))
        yield from records
        left = None if left is None else left - len(records)
        before = result.get("next")
        if before is None:
            return


def write(records: Iterable[Record], form: str, path: str | None) -> int:
    """Write ``records`` to a new file, or to standard output; how many. Raises ``Conflict`` for a file that exists."""
    put = _put_json if form == "json" else _put_markdown
    if path is None or path == "-":
        return put(records, sys.stdout)
    part = f"{path}.part"
    try:
        if os.path.lexists(path):
            raise Conflict(f"{path} exists", "name a new file")
        with open(part, "x", encoding="utf-8") as file:  # noqa: PTH123
            count = put(records, file)
        os.link(part, path)  # fails, unlike a rename, if somebody made the file meanwhile
    except FileExistsError as error:
        raise Conflict(f"{error.filename2 or error.filename} exists", "name a new file") from error
    except OSError as error:
        raise Unavailable(f"cannot write {path}: {error.strerror}", "name another file") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)  # noqa: PTH108
    return count


def _put_json(records: Iterable[Record], file: IO[str]) -> int:
    count = 0
    file.write(f'{{"format": "{_FORMAT}", "version": {_VERSION}, "records": [')
    for record in records:
        file.write("\n" if not count else ",\n")
        json.dump(record, file, ensure_ascii=False)
        count += 1
    file.write("\n]}\n")
    return count


def _put_markdown(records: Iterable[Record], file: IO[str]) -> int:
    count = 0
    for record in records:
        if count:
            file.write("\n---\n\n")
        for line in ticket_lines(record):
            file.write(line + "\n")
        count += 1
    return count
