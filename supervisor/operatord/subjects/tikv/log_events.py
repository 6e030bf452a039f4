"""Log messages that mean something for the whole: elections, lost stores, snapshots, slow queries, full disks."""

import re
from dataclasses import dataclass
from typing import Literal

from operatord.subjects.tikv.logs import LogLine

Kind = Literal["election", "leader", "unreachable", "snapshot", "slow_query", "disk", "fatal"]


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that a server's log tells about the cluster."""

    kind: Kind
    at: float
    """Wall clock, seconds."""
    text: str
    """One line for people."""
    region: int | None = None
    store: int | None = None
    """The *other* store, where the line names one."""


_LED = re.compile(r"became leader at term (\d+)")
_ELECTION = re.compile(r"starting a new election|became (?:pre-)?candidate at term \d+")
_MISSING = re.compile(r"leader missing longer than (?:abnormal|max)_leader_missing_duration")
_UNREACHABLE = re.compile(r"broadcasting unreachable|wait connect timeout|connection abort(?:ed)?$")
_SNAPSHOT = re.compile(
    r"requesting snapshot|begin apply snap data|snapshot is persisted|sent snapshot|failed to send snap"
)
_DISK = re.compile(r"disk usage (\w+)\s*->\s*(\w+)")
_WORDS = re.compile(
    r"\[FATAL\]|became leader|new election|candidate at term|leader missing longer|broadcasting unreachable"
    r"|wait connect timeout|connection abort|snap|slow-query|disk usage"
)
"""What every line has that ``event_of`` may tell something of. Looking for it costs a fifteenth of taking it apart."""


def may_tell(line: str) -> bool:
    """False for a raw line that is not worth taking apart."""
    return _WORDS.search(line) is not None


def event_of(line: LogLine) -> LogEvent | None:
    """What the line means, or None for one that means nothing here."""
    region = line.number("region_id")
    store = line.number("unreachable_store_id") or line.number("store_id") or line.number("to_store_id")
    message = line.message
    if line.level == "FATAL":
        return LogEvent("fatal", line.at, message, region, store)
    if match := _LED.search(message):
        return LogEvent("leader", line.at, f"{_region(region)} has a leader here, term {match[1]}", region)
    if _ELECTION.search(message) or _MISSING.search(message):
        return LogEvent("election", line.at, f"{_region(region)}: {message}", region)
    if _UNREACHABLE.search(message):
        return LogEvent("unreachable", line.at, f"cannot reach {_store(store, line)}: {message}", region, store)
    if _SNAPSHOT.search(message):
        return LogEvent("snapshot", line.at, f"{_region(region)}: {message}", region, store)
    if message == "slow-query":
        took = line.fields.get("total_lifetime") or line.fields.get("total_process_time") or "?"
        return LogEvent("slow_query", line.at, f"{_region(region)}: a query took {took}", region)
    if match := _DISK.search(message):
        return LogEvent("disk", line.at, f"the disk went from {match[1]} to {match[2]}")
    return None


def _region(region: int | None) -> str:
    return "a region" if region is None else f"region {region}"


def _store(store: int | None, line: LogLine) -> str:
    if store is not None:
        return f"store {store}"
    return line.fields.get("addr") or line.fields.get("to_addr") or "another store"
