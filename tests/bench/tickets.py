"""How long a page of tickets takes among a hundred thousand, as the daemon lists it for a client."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, insert

from operator_protocol.codec import pack
from operator_protocol.models import Alternative, Diagnosis, EvidenceItem, Recommendation, Ticket, TicketStatus
from operator_protocol.records import to_body
from operatord.tickets.db import FILE_NAME, TicketDB
from operatord.tickets.queries import Page
from operatord.tickets.rows import ticket_values
from operatord.tickets.schema import TicketRow

from .figures import Figure
from .registry import Bench, Benchmark

TARGET_MS = 50.0
_LINE = "10:42:17.512 # Connection with replica 127.0.0.1:7004 lost; state is fail, 3 of 6 reachable"
_DIAGNOSIS = Diagnosis(
    "valkey-1 was killed",
    "valkey-1",
    "process_killed",
    "Its process ended by signal 9 while the others went on. " * 4,
    0.9,
    "rules",
    timeline=["0.0 s: the process ended", "0.6 s: the node does not answer"],
    evidence=[EvidenceItem(number, "log", _LINE) for number in range(1, 16)],
    cited=[1, 2, 3],
    alternatives=[Alternative("network_partition", "the process is gone", [1])] * 3,
    actions=[Recommendation("restart", "valkey-1")],
    markdown="# valkey-1 was killed\n" + _LINE * 4,
)


def run(bench: Bench) -> list[Figure]:
    """Pages of 50, packed as they go over the wire."""
    count = bench.rounds(100_000, 10_000)
    path = bench.directory() / FILE_NAME
    TicketDB(path).close()
    _fill(path, count)
    db = TicketDB(path)
    try:
        looks: dict[str, Callable[[], Page]] = {
            "newest": lambda: db.page(limit=50),
            "from the middle": lambda: db.page(limit=50, before=count // 2),
            "of one status": lambda: db.page("escalated", limit=50),
            "of the last hour": lambda: db.page(limit=50, since=count - 3_600.0),
            "unresolved, reopened": lambda: db.page(limit=50, reopened=True),
        }
        rounds = bench.rounds(40, 10)
        return [
            Figure(f"page {name}", "ms", [_took_ms(look) for _ in range(rounds)], target=TARGET_MS, note=f"{count:,}")
            for name, look in looks.items()
        ]
    finally:
        db.close()


def _took_ms(look: Callable[[], Page]) -> float:
    began = time.perf_counter()
    pack([to_body(ticket) for ticket in look().tickets])
    return (time.perf_counter() - began) * 1000


def _fill(path: Path, count: int) -> None:
    engine: Engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            for rows in _batches(count):
                connection.execute(insert(TicketRow), rows)
    finally:
        engine.dispose()


def _batches(count: int) -> Iterator[Sequence[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for number in range(count):
        status: TicketStatus = "escalated" if number % 1_000 == 0 else "resolved"
        ticket = Ticket(
            0,
            "node_down",
            f"valkey-{number % 6}",
            "critical",
            status,
            "it does not answer",
            float(number),
            float(number),
            float(number),
            diagnosis=_DIAGNOSIS,
            notes=["2026-09-21T14:13:29Z looked at"],
            reopened=int(number % 5_000 == 0),
        )
        rows.append({**ticket_values(ticket, f"v-{number}"), "store": None, "number": None})
        if len(rows) == 1_000:
            yield rows
            rows = []
    if rows:
        yield rows


BENCHMARK = Benchmark("tickets", "a page of 50 tickets among 100,000", run)
